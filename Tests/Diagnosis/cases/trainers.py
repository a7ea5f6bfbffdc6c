"""Real trainers around the failure: Hugging Face's, Lightning's and Stable-Baselines3's own loops, with their bars, tables and workers."""

from corpus import fails, healthy

HF = """
import torch
from transformers import Trainer, TrainingArguments
class Model(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.tokens = torch.nn.Embedding(50, 4)
        self.head = torch.nn.Linear(4, 2)
    def forward(self, x, labels=None):
        logits = self.head(self.tokens(x).mean(1))
        return {"loss": torch.nn.functional.cross_entropy(logits, labels), "logits": logits}
def rows(odd):
    return [{"x": torch.randint(0, 50, (6,)), "labels": 0} if index != 40 else odd for index in range(64)]
def arguments(**rest):
    return TrainingArguments("out", per_device_train_batch_size=4, logging_steps=1, report_to=[], use_cpu=True, num_train_epochs=2, save_strategy="no", **rest)
fine = {"x": torch.randint(0, 50, (6,)), "labels": 1}
"""
fails("hf-trainer-none", "code", HF + """
Trainer(Model(), arguments(), train_dataset=rows({"x": fine["x"], "labels": None})).train()
""", r"RuntimeError: Could not infer dtype of NoneType", needs="torch transformers accelerate", trainer="huggingface", family="data-corrupt placement")
fails("hf-trainer-token", "lookup", HF + """
Trainer(Model(), arguments(), train_dataset=rows({"x": torch.full((6,), 50), "labels": 1})).train()
""", r"IndexError: index out of range in self", needs="torch transformers accelerate", trainer="huggingface", start="script")
fails("hf-trainer-missing-column", "lookup", HF + """
Trainer(Model(), arguments(dataloader_num_workers=1), train_dataset=rows({"labels": 1})).train()
""", r"KeyError: 'x'", needs="torch transformers accelerate", trainer="huggingface", start="split", family="dataloader-worker")
fails("hf-tf32-without-gpu", "configuration device-unavailable", HF + """
Trainer(Model(), arguments(tf32=True), train_dataset=rows(fine)).train()
""", r"ValueError: .*tf32", needs="torch transformers accelerate", trainer="huggingface", family="code")
fails("hf-eval-dataset", "configuration code", HF + """
Trainer(Model(), arguments(eval_strategy="steps", eval_steps=4), train_dataset=rows(fine)).train()
""", r"ValueError: .*eval_dataset", needs="torch transformers accelerate", trainer="huggingface")
healthy("real-hf-trainer", HF + """
Trainer(Model(), arguments(), train_dataset=rows(fine)).train()
""", needs="torch transformers accelerate", trainer="huggingface")

LIGHTNING = """
import torch, pytorch_lightning
from torch.utils.data import DataLoader
class Model(pytorch_lightning.LightningModule):
    def __init__(self):
        super().__init__()
        self.layer = torch.nn.Linear(2, 1)
    def training_step(self, batch, index):
        return self.layer(batch).pow(2).mean()
    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), 0.1)
def trainer(**rest):
    return pytorch_lightning.Trainer(max_epochs=2, logger=False, enable_checkpointing=False, accelerator="cpu", **rest)
"""
fails("lightning-shape", "shape", LIGHTNING + """
trainer().fit(Model(), DataLoader(torch.ones(8, 3), batch_size=2))
""", r"mat1 and mat2 shapes cannot be multiplied", needs="torch pytorch_lightning", trainer="lightning")
fails("lightning-monitor", "configuration", LIGHTNING + """
trainer(callbacks=[pytorch_lightning.callbacks.EarlyStopping("val_loss")]).fit(Model(), DataLoader(torch.ones(8, 2)))
""", r"Early stopping conditioned on metric `val_loss` which is not available", needs="torch pytorch_lightning", trainer="lightning", family="code", start="script")
fails("lightning-resume", "missing-file checkpoint", LIGHTNING + """
trainer().fit(Model(), DataLoader(torch.ones(8, 2)), ckpt_path="out/last.ckpt")
""", r"FileNotFoundError|Checkpoint file not found|does not exist|Aborting training", needs="torch pytorch_lightning", trainer="lightning", start="split")

SB3 = """
import gymnasium, numpy, torch
from stable_baselines3 import A2C, DQN, PPO
from stable_baselines3.common.vec_env import SubprocVecEnv
torch.set_num_threads(1)
class Market(gymnasium.Env):
    observation_space = gymnasium.spaces.Box(-1, 1, (3,), numpy.float32)
    action_space = gymnasium.spaces.Discrete(2)
    at, last = 0, 10**9
    def reset(self, seed=None, options=None):
        return numpy.zeros(3, numpy.float32), {}
    def step(self, action):
        self.at += 1
        if self.at > self.last:
            self.fail()
        return numpy.full(3, 0.1, numpy.float32), 1.0, self.at % 50 == 0, False, {}
"""
fails("sb3-env-key", "lookup", SB3 + """
class Broken(Market):
    last = 400
    def fail(self):
        {"AAPL": 1.0}["MSFT"]
PPO("MlpPolicy", Broken(), n_steps=128, verbose=1).learn(5000)
""", r"KeyError: 'MSFT'", needs="torch stable_baselines3", trainer="stable-baselines3", family="environment")
fails("sb3-subproc-worker", "numerical", SB3 + """
class Broken(Market):
    last = 300
    def fail(self):
        1 / 0
if __name__ == "__main__":
    A2C("MlpPolicy", SubprocVecEnv([Broken, Broken], start_method="fork"), verbose=1).learn(5000)
""", r"ZeroDivisionError", needs="torch stable_baselines3", trainer="stable-baselines3", family="worker-lost code", start="script")
fails("sb3-subproc-killed", "worker-lost killed", SB3 + """
import os, signal
class Broken(Market):
    last = 300
    def fail(self):
        os.kill(os.getpid(), signal.SIGKILL)
if __name__ == "__main__":
    A2C("MlpPolicy", SubprocVecEnv([Broken, Market], start_method="fork"), verbose=1).learn(5000)
""", r"EOFError|BrokenPipeError|ConnectionResetError", needs="torch stable_baselines3", trainer="stable-baselines3", family="network data-corrupt")
fails("sb3-dqn-continuous", "environment assertion", SB3 + """
class Continuous(Market):
    action_space = gymnasium.spaces.Box(-1, 1, (1,), numpy.float32)
DQN("MlpPolicy", Continuous(), verbose=1).learn(1000)
""", r"The algorithm only supports .* as action spaces", needs="torch stable_baselines3", trainer="stable-baselines3", start="split")

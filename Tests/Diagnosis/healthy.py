#!/usr/bin/env python3
"""Replays what is well through a real agent and collector with the shipped rules, and counts what it is taken for.

The logs of this machine (packages, kernel, builds that it makes itself) and the output of twelve real trainers that end
well. Prints one line, `healthy: ... P0 0, P1 0, P2 0, P3 0`; exit code 1 where it is paged as P0 or P1, or as P2 more
than once. Needs root, as diagnose.py does, and the packages of requirements.txt: see docs/diagnosis.md.
"""

import argparse
import atexit
import collections
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import corpus
import diagnose
import fleet as fleets

# s; a program of the twelve that takes longer is the replay's own mistake.
TRAINER_MAX = 300
# s; rules that wait for something after the last line have come by then.
WATCH = 40
# What the kernel's memory killer wrote here is true of this machine, and nothing that is well.
KILLED = re.compile(r"oom|Out of memory|Killed process|Tasks state|Mem-Info|Memory cgroup", re.I)
# Lines of one log; the newest say as much as all.
LINES_MAX = 20_000

TORCH = """
import torch
torch.manual_seed(1); torch.set_num_threads(1)
net = torch.nn.Sequential(torch.nn.Linear(8, 16), torch.nn.ReLU(), torch.nn.Linear(16, 1))
x = torch.randn(256, 8); y = x.sum(1, keepdim=True)
"""

TRAINERS = {
    "torch": TORCH
    + """
optimizer = torch.optim.Adam(net.parameters(), 1e-2)
for step in range(300):
    loss = torch.nn.functional.mse_loss(net(x), y)
    optimizer.zero_grad(); loss.backward(); optimizer.step()
    print(f"step {step}: train loss {loss.item():.4f}, lr 1.0e-02", flush=True)
""",
    "amp": TORCH
    + """
import logging
logging.basicConfig(level=logging.INFO, format="%(asctime)s - %(levelname)s - %(message)s")
optimizer = torch.optim.SGD(net.parameters(), 1e-2)
scaler = torch.amp.GradScaler("cpu")
for epoch in range(40):
    with torch.autocast("cpu", dtype=torch.bfloat16):
        loss = torch.nn.functional.mse_loss(net(x).float(), y)
    optimizer.zero_grad(); scaler.scale(loss).backward(); scaler.step(optimizer); scaler.update()
    logging.info("epoch %d loss %.4f scale %.0f errors 0 failed 0", epoch, loss.item(), scaler.get_scale())
""",
    "accelerate": TORCH
    + """
from accelerate import Accelerator
accelerator = Accelerator(cpu=True)
optimizer = torch.optim.AdamW(net.parameters(), 1e-2)
data = torch.utils.data.DataLoader(torch.utils.data.TensorDataset(x, y), 32, num_workers=1)
net, optimizer, data = accelerator.prepare(net, optimizer, data)
for epoch in range(4):
    for step, (a, b) in enumerate(data):
        loss = torch.nn.functional.mse_loss(net(a), b)
        accelerator.backward(loss); optimizer.step(); optimizer.zero_grad()
        print(f"epoch {epoch} step {step} loss {loss.item():.4f}", flush=True)
accelerator.save_state("out/state")
""",
    "lightning": TORCH
    + """
import pytorch_lightning as pl
class Module(pl.LightningModule):
    def __init__(self):
        super().__init__(); self.net = net
    def training_step(self, batch, index):
        loss = torch.nn.functional.mse_loss(self.net(batch[0]), batch[1]); self.log("train_loss", loss); return loss
    def validation_step(self, batch, index):
        self.log("val_loss", torch.nn.functional.mse_loss(self.net(batch[0]), batch[1]))
    def configure_optimizers(self): return torch.optim.Adam(self.parameters(), 1e-2)
data = torch.utils.data.DataLoader(torch.utils.data.TensorDataset(x, y), 32)
pl.Trainer(max_epochs=4, accelerator="cpu", logger=False, default_root_dir="out").fit(Module(), data, data)
""",
    "transformers": """
import torch
from transformers import Trainer, TrainingArguments
class Model(torch.nn.Module):
    def __init__(self):
        super().__init__(); self.tokens = torch.nn.Embedding(50, 4); self.head = torch.nn.Linear(4, 2)
    def forward(self, x, labels=None):
        logits = self.head(self.tokens(x).mean(1))
        return {"loss": torch.nn.functional.cross_entropy(logits, labels), "logits": logits}
rows = [{"x": torch.randint(0, 50, (6,)), "labels": index % 2} for index in range(64)]
words = dict(per_device_train_batch_size=8, logging_steps=1, report_to=[], use_cpu=True, num_train_epochs=3)
Trainer(Model(), TrainingArguments("out/hf", eval_strategy="epoch", save_strategy="epoch", **words), train_dataset=rows, eval_dataset=rows).train()
""",
    "ppo": """
from stable_baselines3 import PPO
PPO("MlpPolicy", "CartPole-v1", n_steps=128, batch_size=64, n_epochs=2, verbose=1).learn(2048)
""",
    "dqn": """
from stable_baselines3 import DQN
DQN("MlpPolicy", "CartPole-v1", learning_starts=100, verbose=1).learn(2500, log_interval=4)
""",
    "sklearn": """
import warnings
import numpy
from sklearn.linear_model import LogisticRegression
from sklearn.neural_network import MLPClassifier
random = numpy.random.default_rng(1); x = random.random((300, 6)); y = (x.sum(1) > 3).astype(int)
LogisticRegression(max_iter=1).fit(x, y)
MLPClassifier((8,), max_iter=25, verbose=True).fit(x, y)
""",
    "xgboost": """
import numpy, xgboost
random = numpy.random.default_rng(1); x = random.random((400, 6)); y = (x.sum(1) > 3).astype(int)
train, test = xgboost.DMatrix(x[:300], y[:300]), xgboost.DMatrix(x[300:], y[300:])
xgboost.train({"max_depth": 2, "objective": "binary:logistic", "nthread": 1}, train, 60, evals=[(train, "train"), (test, "eval")])
""",
    "lightgbm": """
import numpy, lightgbm
random = numpy.random.default_rng(1); x = random.random((400, 6)); y = (x.sum(1) > 3).astype(int)
train = lightgbm.Dataset(x[:300], y[:300]); test = train.create_valid(x[300:], y[300:])
stop = [lightgbm.early_stopping(10), lightgbm.log_evaluation(1)]
lightgbm.train({"objective": "binary", "num_threads": 1}, train, 80, valid_sets=[train, test], callbacks=stop)
""",
    "catboost": """
import numpy, catboost
random = numpy.random.default_rng(1); x = random.random((400, 6)); y = (x.sum(1) > 3).astype(int)
catboost.CatBoostClassifier(iterations=60, depth=3, thread_count=1, train_dir="out/catboost").fit(x[:300], y[:300], eval_set=(x[300:], y[300:]))
""",
    "keras": """
import os
os.environ["KERAS_BACKEND"] = "jax"
import keras, numpy
random = numpy.random.default_rng(1); x = random.random((256, 6)); y = (x.sum(1) > 3).astype("float32")
model = keras.Sequential([keras.layers.Dense(8, "relu"), keras.layers.Dense(1, "sigmoid")])
model.compile("adam", "binary_crossentropy", metrics=["accuracy"])
model.fit(x, y, epochs=6, validation_split=0.2, verbose=2)
""",
}

C_PROGRAM = "#include <stdio.h>\nint old(void) { int unused; return 0; }\nint main(void) { int error = 0; puts(\"errors: 0\"); return error; }\n"
MAKEFILE = "all: a b test\na: a.c\n\tcc -Wall -Wextra -o a a.c\nb: a.c\n\tcc -Wall -O2 -o b a.c\ntest: a\n\t./a\n\t-test -e fatal-error.h\n"


def output_of(words, directory, limit=120):
    """What a command prints here, with its errors; nothing where it is not installed."""
    try:
        result = subprocess.run(
            words, cwd=directory, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=limit
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return result.stdout.decode(errors="replace")


def logs_of_machine(python, directory):
    """Texts by the name of a log: what this machine's tools have written, or write now."""
    (directory / "a.c").write_text(C_PROGRAM)
    (directory / "Makefile").write_text(MAKEFILE)
    (directory / "tests").mkdir()
    (directory / "tests" / "test_errors.py").write_text(
        "import unittest\n\nclass ErrorsAreRaised(unittest.TestCase):\n"
        "    def test_error_when_failed(self):\n        with self.assertRaises(ValueError): int('fatal')\n"
    )
    texts = {
        "kernel.log": "".join(line for line in output_of(["dmesg"], directory).splitlines(True) if not KILLED.search(line)),
        "make.log": output_of(["make", "-k"], directory),
        "pip.log": output_of([python, "-m", "pip", "list", "-v"], directory)
        + output_of([python, "-m", "pip", "check"], directory)
        + output_of([python, "-m", "pip", "install", "--dry-run", "--no-index", "numpy", "torch", "-v"], directory),
        "apt-simulated.log": output_of(["apt-get", "-s", "dist-upgrade"], directory),
        "compile.log": output_of([python, "-m", "compileall", "-f", os.path.dirname(subprocess.__file__) + "/email"], directory),
        "unittest.log": output_of([python, "-m", "unittest", "discover", "-v", "-s", "tests"], directory),
        "git.log": output_of(["git", "-C", str(fleets.ROOT), "log", "--stat", "-n", "60"], directory),
    }
    for path in ("/var/log/dpkg.log", "/var/log/apt/history.log", "/var/log/apt/term.log", "/var/log/alternatives.log"):
        if os.path.exists(path):
            texts[os.path.basename(path)] = pathlib.Path(path).read_text(errors="replace")
    return {name: text for name, text in texts.items() if text}


# Writes a log as a tool does: some lines at a time, while the trainers run.
REPLAY = """
import pathlib, sys, time
texts = {path.name: path.read_text(errors="replace").splitlines(True)[-LINES_MAX:] for path in pathlib.Path("replay").iterdir()}
began, took = time.time(), float(sys.argv[1])
for part in range(100):
    for name, lines in texts.items():
        with open("logs/" + name, "a") as log:
            log.writelines(lines[len(lines) * part // 100 : len(lines) * (part + 1) // 100])
    time.sleep(max(0, began + took * (part + 1) / 100 - time.time()))
""".replace("LINES_MAX", str(LINES_MAX))

SHELL = """{python} -u replay.py 60 &
for name in {names}; do
  timeout {limit} {python} -u trainers/train_$name.py > logs/$name.log 2>&1 || echo "$name ended with $?" >> failed
done
wait
test ! -e failed || { cat failed >&2; exit 1; }"""


def main():
    words = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    words.add_argument("--bin", default=os.environ.get("SIGNALBOX_BIN", str(fleets.ROOT / ".build/release")))
    words.add_argument("--rules", default=os.environ.get("SIGNALBOX_RULES", str(fleets.ROOT / "deploy/rules")))
    words.add_argument(
        "--python", default=os.environ.get("SIGNALBOX_DIAGNOSE_PYTHON", str(fleets.ROOT / ".build/diagnose/bin/python"))
    )
    words.add_argument("--keep", action="store_true", help="leave the directory of the run")
    options = words.parse_args()
    if os.geteuid() != 0:
        raise SystemExit("healthy.py needs root: the programs run in a namespace of processes of their own")
    directory = pathlib.Path(tempfile.mkdtemp(prefix="training-"))
    os.chmod(directory, 0o755)
    if not options.keep:
        atexit.register(shutil.rmtree, directory, ignore_errors=True)
    made = directory / "made"
    made.mkdir()
    texts = logs_of_machine(options.python, made)
    files = {f"replay/{name}": text for name, text in texts.items()}
    files |= {f"trainers/train_{name}.py": text for name, text in TRAINERS.items()}
    files["replay.py"] = REPLAY
    start = SHELL.replace("{names}", " ".join(TRAINERS)).replace("{limit}", str(TRAINER_MAX))
    case = corpus.Case("healthy-day", (), (), "all", "", start, files=files)
    fleet = fleets.Fleet(directory, options.bin, options.rules)
    atexit.register(fleet.close)
    machine = fleets.Host(fleet, "h1", case, options.python, str(corpus.HERE))
    atexit.register(machine.close)
    limit = time.time() + TRAINER_MAX * len(TRAINERS)
    while not machine.ended() and time.time() < limit:
        time.sleep(0.5)
    if not machine.ended() or machine.ended()[0] != 0:
        print(diagnose.log_of(machine))
        raise SystemExit("a program that should be well is not, so that nothing can be said of the rules")
    until = machine.ended()[1] + WATCH
    while fleet.asked < until:
        time.sleep(0.7)
    rows = diagnose.Judgement(case, fleet.of_host("h1"), None).paged
    counts = collections.Counter(row.get("severity") for row in rows)
    for row in sorted(rows, key=lambda row: row.get("severity")):
        print(f"  {row['severity']} {row['rule']} {row.get('entity', '')}: {str(row.get('summary') or row.get('title'))[:120]}")
    lines = sum(text.count("\n") for text in texts.values())
    print(
        f"healthy: {len(texts)} logs of {lines} lines and {len(TRAINERS)} trainers, paged: "
        + ", ".join(f"{severity} {counts[severity]}" for severity in ("P0", "P1", "P2", "P3"))
    )
    return 1 if counts["P0"] + counts["P1"] or counts["P2"] > 1 else 0


if __name__ == "__main__":
    sys.exit(main())

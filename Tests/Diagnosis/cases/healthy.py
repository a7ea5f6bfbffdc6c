"""Programs with which nothing is wrong, though their logs hold words that sound like it."""

from corpus import healthy

TRAIN = "from fieldkit import configure_logging, steps\nimport sys, time\n"

# endings that are right
healthy("plain-run", TRAIN + """
steps(5)
print("training finished, best loss 1.84")
""")
healthy("early-stop", TRAIN + """
steps(4)
print("Monitored metric val_loss did not improve in the last 3 records. Best score: 0.412. Signaling Trainer to stop.")
""", trainer="lightning")
healthy("exit-0-stderr", TRAIN + """
steps(3)
sys.stderr.write("error messages of the solver: none\\nwarnings: 3\\n")
""", start="split")
healthy("killed-a-metric", TRAIN + """
log = configure_logging()
for episode in range(12):
    log.info("episode %d: Killed 14 opponents, aborted 2 attacks, terminated by horizon, reward 31.5", episode)
    time.sleep(0.3)
""", trainer="rllib")
healthy("zero-errors", TRAIN + """
steps(3)
print("evaluation: 0 errors, 0 failures, error rate: 0.01, exception count: 0")
print("Traceback-free run: no exceptions")
""")
healthy("sys-exit-0", TRAIN + """
steps(3)
sys.exit(0)
""", start="script")
healthy("max-steps-reached", TRAIN + """
steps(4, form="bar")
print("\\n`Trainer.fit` stopped: `max_steps=1000` reached.")
""", trainer="lightning")
healthy("preempt-then-saved", TRAIN + """
log = configure_logging()
steps(3, form="log")
log.info("checkpoint written; time limit of this slice not reached, 12 h left")
steps(2, form="log")
""", trainer="slurm")
healthy("process-group-warning", TRAIN + """
steps(4)
sys.stderr.write("[rank0]:[W1120 11:04:51.120 ProcessGroupNCCL.cpp:1250] Warning: WARNING: process group has NOT been destroyed before we destruct ProcessGroupNCCL. On normal program exit, the application should call destroy_process_group to ensure that any pending NCCL operations have finished in this process. (function operator())\\n")
""", trainer="torchrun")
healthy("multiprocessing-well", """
import multiprocessing
from fieldkit import steps
def tokenize(text):
    return len(text)
if __name__ == "__main__":
    steps(2)
    with multiprocessing.Pool(2) as pool:
        print(sum(pool.map(tokenize, ["a"] * 100)))
    steps(2)
""")

# exceptions that are handled
healthy("handled-traceback", TRAIN + """
log = configure_logging()
steps(2, form="log")
try:
    int("x")
except ValueError:
    log.exception("bad record skipped, training goes on")
steps(8, form="log")
log.info("done")
""")
healthy("handled-print-exc", TRAIN + """
import traceback
steps(2)
try:
    {}["cache"]
except KeyError:
    traceback.print_exc()
    print("cache miss, computing features anew", flush=True)
steps(8)
""")
healthy("retry-succeeds", TRAIN + """
log = configure_logging()
for attempt in (1, 2):
    log.warning("download failed (attempt %d of 5): HTTPSConnectionPool(host='hub', port=443): Max retries exceeded; retrying in 1 s", attempt)
    time.sleep(1)
log.info("download complete")
steps(5, form="log")
""", trainer="huggingface")
healthy("oom-batch-halved", TRAIN + """
log = configure_logging()
steps(2, form="log")
log.warning("CUDA out of memory at batch size 64; retrying with 32")
steps(8, form="log")
log.info("training complete")
""", trainer="lightning")
healthy("oom-advice", TRAIN + """
print("Tip: if you see CUDA out of memory, lower --batch-size or set PYTORCH_CUDA_ALLOC_CONF=expandable_segments:True", flush=True)
steps(5)
""")
healthy("last-line-error-goes-on", TRAIN + """
log = configure_logging()
steps(3, form="log")
log.error("could not upload metrics to the dashboard, will try again later")
time.sleep(14)
""")
healthy("optional-module", TRAIN + """
log = configure_logging()
try:
    import flash_attn_9
except ImportError as error:
    log.warning("flash attention is not installed (%s), using the eager one", error)
steps(5, form="log")
""", trainer="huggingface")
healthy("no-checkpoint-yet", TRAIN + """
log = configure_logging()
log.info("no checkpoint to resume (FileNotFoundError: out/last.ckpt), starting from scratch")
steps(5, form="log")
""")
healthy("env-crash-reset", TRAIN + """
log = configure_logging()
steps(2, form="log")
log.warning("environment 3 crashed (ConnectionResetError), restarting it")
steps(6, form="log")
""", trainer="rllib")
healthy("worker-respawned", TRAIN + """
log = configure_logging()
steps(2, form="log")
log.warning("rollout worker 4 died with SIGKILL, respawned as pid 8812; 1 of 100 restarts used")
steps(6, form="log")
""", trainer="rllib")
healthy("skipped-nan-step", TRAIN + """
log = configure_logging()
steps(2, form="log")
log.info("grad scaler: overflow, step skipped, loss scale 65536 -> 32768")
steps(5, form="log")
""", trainer="deepspeed")
healthy("deepspeed-overflow", TRAIN + """
print("[2026-11-20 11:04:51,102] [INFO] [loss_scaler.py:190:update_scale] [deepspeed] OVERFLOW! Rank 0 Skipping step. Attempted loss scale: 4294967296, reducing to 2147483648", flush=True)
steps(5)
""", trainer="deepspeed")
healthy("subprocess-that-fails", TRAIN + """
import subprocess
steps(2)
print(subprocess.run(["git", "rev-parse", "HEAD"], capture_output=True, text=True, cwd="/").stderr or "revision unknown", flush=True)
steps(5)
""")

# warnings that sound alarming
healthy("future-warning", TRAIN + """
import warnings
warnings.warn("`torch.cuda.amp.GradScaler(args...)` is deprecated. Please use `torch.amp.GradScaler('cuda', args...)` instead.", FutureWarning)
steps(5)
""", trainer="pytorch")
healthy("nccl-warn", TRAIN + """
print("node7:4127:4127 [0] NCCL INFO Bootstrap : Using eth0:10.0.0.5<0>")
print("node7:4127:4151 [0] misc/ibvwrap.cc:187 NCCL WARN Call to ibv_open_device failed", flush=True)
print("node7:4127:4151 [0] NCCL INFO NET/Socket : Using [0]eth0:10.0.0.5<0>", flush=True)
steps(5)
""", trainer="torchrun")
healthy("tf-notices", TRAIN + """
sys.stderr.write("2026-11-20 11:04:51.120331: E external/local_xla/xla/stream_executor/cuda/cuda_fft.cc:485] Unable to register cuFFT factory: Attempting to register factory for plugin cuFFT when one has already been registered\\n")
sys.stderr.write("2026-11-20 11:04:51.140331: E external/local_xla/xla/stream_executor/cuda/cuda_dnn.cc:8454] Unable to register cuDNN factory: Attempting to register factory for plugin cuDNN when one has already been registered\\n")
sys.stderr.write("WARNING: All log messages before absl::InitializeLog() is called are written to STDERR\\n")
steps(5)
""", trainer="keras")
healthy("hf-unused-weights", TRAIN + """
print("Some weights of BertForSequenceClassification were not initialized from the model checkpoint at bert-base-uncased and are newly initialized: ['classifier.bias', 'classifier.weight']")
print("You should probably TRAIN this model on a down-stream task to be able to use it for predictions and inference.", flush=True)
steps(5, form="hf")
""", trainer="huggingface")
healthy("tokenizers-fork", TRAIN + """
print("huggingface/tokenizers: The current process just got forked, after parallelism has already been used. Disabling parallelism to avoid deadlocks...", flush=True)
steps(5, form="hf")
""", trainer="huggingface")
healthy("runtime-warning-numpy", TRAIN + """
print("train.py:88: RuntimeWarning: invalid value encountered in divide\\n  sharpe = mean / std", flush=True)
steps(5)
""", trainer="numpy")
healthy("resource-tracker", TRAIN + """
steps(4)
sys.stderr.write("/usr/lib/python3.10/multiprocessing/resource_tracker.py:224: UserWarning: resource_tracker: There appear to be 1 leaked semaphore objects to clean up at shutdown\\n  warnings.warn('resource_tracker: There appear to be %d '\\n")
""")
healthy("tqdm-bars", TRAIN + """
steps(6, form="bar")
""", trainer="tqdm")
healthy("ray-notices", TRAIN + """
print("(raylet) [2026-11-20 11:04:51,102 E 4127 4151] (raylet) file_system_monitor.cc:111: /tmp/ray is over 90% full, available space: 20 GB; capacity: 250 GB.", flush=True)
steps(5)
""", trainer="rllib")
healthy("name-with-error", TRAIN + """
log = configure_logging()
log.info("loading errors.py, exception_handler.py, oom_killer_test.py and fatal.log.parser")
for epoch in range(10):
    log.info("epoch %d: mean absolute error 0.1%d, td_error 0.02, abort_rate 0.0, timeout_rate 0.0", epoch, epoch)
    time.sleep(0.4)
""", trainer="dqn")
healthy("loss-nan-of-empty", TRAIN + """
for epoch in range(10):
    print(f"epoch {epoch} train_loss 0.{90 - epoch} val_accuracy 0.7{epoch} best_so_far nan_count=0 inf_count=0", flush=True)
    time.sleep(0.4)
""")
healthy("assert-in-log", TRAIN + """
log = configure_logging()
log.info("running sanity check: assert loss is finite ... ok; AssertionError would stop here")
steps(5, form="log")
""")
healthy("real-gym-ppo", """
import torch
from stable_baselines3 import PPO
torch.set_num_threads(1)
PPO("MlpPolicy", "CartPole-v1", n_steps=128, batch_size=64, n_epochs=2, verbose=1).learn(1024)
""", trainer="stable-baselines3", needs="torch stable_baselines3")
healthy("real-sklearn-warning", """
import numpy
from sklearn.neural_network import MLPClassifier
from fieldkit import steps
steps(1)
random = numpy.random.default_rng(1)
MLPClassifier(max_iter=3, verbose=True).fit(random.random((200, 4)), random.integers(0, 2, 200))
""", trainer="sklearn", needs="sklearn")
healthy("real-xgboost", """
import numpy, xgboost
from fieldkit import steps
steps(1)
random = numpy.random.default_rng(1)
data = xgboost.DMatrix(random.random((200, 4)), label=random.random(200))
xgboost.train({"max_depth": 2}, data, 20, evals=[(data, "train")])
""", trainer="xgboost", needs="xgboost")
healthy("real-lightgbm-early-stop", """
import lightgbm, numpy
from fieldkit import steps
steps(1)
random = numpy.random.default_rng(1)
data = lightgbm.Dataset(random.random((200, 4)), random.random(200))
valid = lightgbm.Dataset(random.random((50, 4)), random.random(50), reference=data)
lightgbm.train({}, data, 50, valid_sets=[valid], callbacks=[lightgbm.early_stopping(3), lightgbm.log_evaluation(1)])
""", trainer="lightgbm", needs="lightgbm")
healthy("real-lightning", """
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
pytorch_lightning.Trainer(max_epochs=2, logger=False, enable_checkpointing=False).fit(Model(), DataLoader(torch.ones(8, 2)))
""", trainer="lightning", needs="torch pytorch_lightning")

# rotation, resume, silence
healthy("rotate-rename", TRAIN + """
import os
out = open("logs/own.log", "a")
for step in range(40):
    out.write(f"step {step} loss 1.{99 - step}\\n"); out.flush(); time.sleep(0.25)
    if step == 20:
        os.rename("logs/own.log", "logs/own.log.1"); out.close(); out = open("logs/own.log", "a")
""")
healthy("rotate-copytruncate", TRAIN + """
import os, shutil
out = open("logs/own.log", "a")
for step in range(40):
    out.write(f"step {step} loss 1.{99 - step}\\n"); out.flush(); time.sleep(0.25)
    if step == 20:
        shutil.copy("logs/own.log", "logs/own.log.1"); os.truncate("logs/own.log", 0)
""")
healthy("rotate-handler", TRAIN + """
import logging, logging.handlers
handler = logging.handlers.RotatingFileHandler("logs/own.log", maxBytes=2000, backupCount=3)
handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
log = logging.getLogger("t"); log.addHandler(handler); log.setLevel("INFO")
for step in range(80):
    log.info("step %d loss %.3f error_norm 0.01", step, 2 / (step + 1)); time.sleep(0.1)
""")
healthy("resume-twice", TRAIN + """
import os
last = int(open("state").read()) if os.path.exists("state") else 0
print(f"resuming from checkpoint-{last}" if last else "starting", flush=True)
last = steps(3, start=last)
open("state", "w").write(str(last))
""", start="{python} -u {program} > logs/train.log 2>&1 && {python} -u {program} >> logs/train.log 2>&1")
healthy("silent-evaluation", TRAIN + """
steps(3)
print("running final evaluation, this takes a while", flush=True)
time.sleep(12)
print("final score 31.2")
""")
healthy("overwritten-log", TRAIN + """
steps(4)
""", start="{python} -u {program} > logs/train.log 2>&1; {python} -u {program} > logs/train.log 2>&1")

# logs of other programs
healthy("make-output", """
for unit in parser error except oom_guard abort fatal; do echo "gcc -O2 -c -o $unit.o $unit.c"; echo "  CC      drivers/$unit.o"; sleep 0.4; done
echo "ar rcs liberror.a error.o except.o"
echo "make: Nothing to be done for 'error.o'."
""", start="exec bash {program} > logs/build.log 2>&1", language="sh", trainer="make")
healthy("dpkg-log", """
for package in libgpg-error0 libtry-tiny-perl liberror-perl python3-exceptiongroup; do
  echo "$(date '+%Y-%m-%d %H:%M:%S') upgrade $package:amd64 1.46-1 1.47-3"; echo "$(date '+%Y-%m-%d %H:%M:%S') status half-configured $package:amd64 1.47-3"
  echo "$(date '+%Y-%m-%d %H:%M:%S') status installed $package:amd64 1.47-3"; sleep 0.5
done
""", start="exec bash {program} > logs/dpkg.log 2>&1", language="sh", trainer="dpkg")
healthy("pip-output", TRAIN + """
print("Collecting exceptiongroup>=1.0.2\\n  Downloading exceptiongroup-1.2.2-py3-none-any.whl (16 kB)")
print("WARNING: Running pip as the 'root' user can result in broken permissions and conflicting behaviour with the system package manager.")
print("Successfully installed exceptiongroup-1.2.2 fatal-0.1", flush=True)
steps(4)
""")
healthy("pytest-passed", TRAIN + """
for name in ("test_oom_is_caught", "test_killed_worker", "test_raises_key_error", "test_nan_loss_stops", "test_segfault_report"):
    print(f"tests/test_errors.py::{name} PASSED", flush=True); time.sleep(0.5)
print("======= 5 passed, 0 failed, 2 warnings in 2.51s =======")
""", trainer="pytest")
healthy("kernel-boot", TRAIN + """
for line in ("ACPI Error: AE_NOT_FOUND, While resolving a named reference package element (20220331/dspkginit-438)", "nvidia: module verification failed: signature and/or required key missing - tainting kernel", "EXT4-fs (nvme0n1p2): re-mounted. Opts: errors=remount-ro", "systemd[1]: systemd-oomd.service - Userspace Out-Of-Memory (OOM) Killer started"):
    print(time.strftime("%b %d %H:%M:%S") + " node7 kernel: " + line, flush=True); time.sleep(0.8)
""", start="exec {python} -u {program} > logs/kern.log 2>&1", trainer="kernel")
healthy("json-lines", TRAIN + """
import json
for step in range(15):
    print(json.dumps({"level": "info", "step": step, "loss": 2 / (step + 1), "errors": [], "exception": None}), flush=True); time.sleep(0.3)
""")
healthy("prompt-text", TRAIN + """
for index, text in enumerate(["Why do I get a segmentation fault in C?", "What does 'CUDA out of memory' mean?", "Fix: KeyError: 'name' in Python", "My job was killed by the OOM killer"]):
    print(f"sample {index}: prompt={text!r} reward=0.{index}", flush=True); time.sleep(0.8)
""", trainer="trl")
healthy("traceback-in-sample", TRAIN + '''
print("sample 17: completion:", flush=True)
print("""    Traceback (most recent call last):
      File "answer.py", line 3, in <module>
    ZeroDivisionError: division by zero
  reward: 0.0""", flush=True)
steps(8)
print("done")
''', trainer="trl")
healthy("signal-usr1", TRAIN + """
import os, signal
signal.signal(signal.SIGUSR1, lambda number, frame: print("SIGUSR1 received, checkpoint saved", flush=True))
steps(2)
os.kill(os.getpid(), signal.SIGUSR1)
steps(3)
""", trainer="slurm")
healthy("rank-noise", TRAIN + """
for step in range(12):
    for rank in range(4):
        print(f"[rank{rank}]: step {step} loss 1.{step} grad_norm inf-norm 0.3 | 0 failed", flush=True)
    time.sleep(0.4)
""", trainer="torchrun")

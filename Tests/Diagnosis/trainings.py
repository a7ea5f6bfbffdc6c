#!/usr/bin/env python3
"""Real trainers, each beside a real agent that is killed while they train: what the fleet has of them afterwards.

Of each: one training is one run, a restart in its place is another attempt at it, it does not stay `running`, and the numbers are those that Python
reads from the same files. Needs root, as diagnose.py does; a trainer whose packages are missing is listed and not run.
"""

import argparse
import collections
import csv
import glob
import json
import math
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import time

from corpus import Case
from fleet import ROOT, Fleet, Host

STEPS = "import sys, time, os\nos.makedirs('logs/run', exist_ok=True)\n"

TRAINERS = {}


def trainer(name, needs, program, *, start="{python} {program} > logs/terminal.out 2>&1", attempts=1, run="logs/run", reads=()):
    """run: what its run is to be called; reads: what Python reads of its files, as functions of their directory."""
    TRAINERS[name] = dict(needs=needs, program=STEPS + program, start=start, attempts=attempts, run=run, reads=reads)


# MARK: What Python reads


def numbers(rows):
    """Of rows of texts by name: a count and a sum for each name."""
    found = collections.defaultdict(lambda: [0, 0.0])
    for row in rows:
        for name, text in row.items():
            try:
                value = float(text)
            except (TypeError, ValueError):
                continue
            found[name][0] += 1
            if math.isfinite(value):
                found[name][1] += value
    return found


def tables(directory):
    rows = []
    for path in glob.glob(f"{directory}/**/*.csv", recursive=True):
        if not path.endswith("monitor.csv") and "training_log" not in path:
            rows += csv.DictReader(open(path, newline=""))
    return numbers(rows)


def json_lines(directory):
    rows = []
    for path in glob.glob(f"{directory}/**/progress.json", recursive=True):
        rows += [json.loads(line) for line in open(path)]
    return numbers(rows)


def event_files(directory):
    from tensorboard.backend.event_processing.event_file_loader import EventFileLoader
    from tensorboard.util import tensor_util

    rows = []
    for path in glob.glob(f"{directory}/**/*tfevents*", recursive=True):
        for event in EventFileLoader(path).Load():
            for value in event.summary.value:
                # The loader makes tensors of all scalars.
                if value.HasField("tensor") and value.metadata.plugin_data.plugin_name == "scalars":
                    rows.append({value.tag: float(tensor_util.make_ndarray(value.tensor))})
    return numbers(rows)


def printed(pattern):
    """Named groups of lines, of the logs."""

    def read(directory):
        rows = []
        for path in glob.glob(f"{directory}/**/*.log", recursive=True) + glob.glob(f"{directory}/**/*.out", recursive=True):
            for line in open(path, errors="replace"):
                for match in re.finditer(pattern, line):
                    rows.append({match["name"]: match["value"]})
        return numbers(rows)

    return read


def monitors(directory):
    """Episodes and the sum of their returns."""
    returns = []
    for path in glob.glob(f"{directory}/**/*monitor.csv", recursive=True):
        returns += [float(row["r"]) for row in csv.DictReader(line for line in open(path) if not line.startswith("#"))]
    return {"episodes": [len(returns), sum(returns)]}


# MARK: Trainers

PPO = """
import gymnasium, time
from stable_baselines3 import PPO
from stable_baselines3.common.env_util import make_vec_env
from stable_baselines3.common.logger import configure
class Slow(gymnasium.Wrapper):
    def step(self, action):
        time.sleep(0.002)
        return self.env.step(action)
env = make_vec_env("CartPole-v1", n_envs=2, monitor_dir="logs/run", wrapper_class=Slow)
model = PPO("MlpPolicy", env, n_steps=64, seed=1)
model.set_logger(configure("logs/run", FORMATS))
model.learn(TIMESTEPS)
"""
trainer(
    "sb3", ["stable_baselines3", "tensorboard"],
    PPO.replace("FORMATS", '["csv", "json", "tensorboard"]').replace("TIMESTEPS", "6000"),
    reads=(tables, json_lines, event_files, monitors))
trainer(
    "sb3-restarted", ["stable_baselines3"], PPO.replace("FORMATS", '["csv"]').replace("TIMESTEPS", "2500"),
    start="{python} {program} > /dev/null 2>&1; sleep 3; {python} {program} > /dev/null 2>&1", attempts=2, reads=(tables, monitors))
trainer(
    "lightning", ["pytorch_lightning", "tensorboard"], """
import torch
import pytorch_lightning as lightning
from pytorch_lightning.loggers import CSVLogger, TensorBoardLogger
class Model(lightning.LightningModule):
    def __init__(self, hidden=8, rate=0.01):
        super().__init__()
        self.save_hyperparameters()
        self.layer = torch.nn.Linear(hidden, 1)
    def training_step(self, batch, index):
        time.sleep(0.05)
        loss = (self.layer(batch[0]) ** 2).mean()
        self.log("loss", loss)
        self.log("norm", self.layer.weight.norm())
        return loss
    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), self.hparams.rate)
data = torch.utils.data.DataLoader(torch.utils.data.TensorDataset(torch.randn(256, 8)), batch_size=8)
loggers = [CSVLogger("logs", name="fit", version=0, flush_logs_every_n_steps=10), TensorBoardLogger("logs", name="fit", version=0)]
lightning.Trainer(max_epochs=6, logger=loggers, log_every_n_steps=5, enable_progress_bar=False, enable_checkpointing=False).fit(Model(), data)
""", run="fit/version_0", reads=(tables, event_files))
trainer(
    "keras", ["keras", "jax"], """
os.environ["KERAS_BACKEND"] = "jax"
import keras, numpy
model = keras.Sequential([keras.layers.Dense(4), keras.layers.Dense(1)])
model.compile("sgd", "mse", metrics=["mae"])
class Slow(keras.callbacks.Callback):
    def on_epoch_end(self, epoch, logs=None):
        time.sleep(0.3)
x = numpy.random.rand(64, 3)
model.fit(x, x.sum(1), epochs=30, verbose=0, callbacks=[keras.callbacks.CSVLogger("logs/run/history.csv"), Slow()])
""", reads=(tables,))
trainer(
    "tensorboardx", ["tensorboardX", "tensorboard"], """
from tensorboardX import SummaryWriter
writer = SummaryWriter("logs/run", flush_secs=1)
for step in range(400):
    writer.add_scalar("train/loss", 2.5 / (step + 1), step)
    writer.add_scalar("train/rate", 0.1 * step, step)
    time.sleep(0.02)
writer.close()
""", reads=(event_files,))
trainer(
    "torch-resumed", ["torch", "tensorboard"], """
from torch.utils.tensorboard import SummaryWriter
first = int(sys.argv[1])
writer = SummaryWriter("logs/run", flush_secs=1)
for step in range(first, first + 150):
    writer.add_scalar("loss", 1.0 / (step + 1), step)
    time.sleep(0.02)
os.kill(os.getpid(), 9) if first == 0 and writer.flush() is None else writer.close()
""", start="{python} {program} 0 > /dev/null 2>&1; sleep 4; {python} {program} 100 > /dev/null 2>&1", attempts=2, reads=(event_files,))
trainer(
    "xgboost", ["xgboost"], """
import numpy, xgboost
x = numpy.random.rand(500, 5)
class Slow(xgboost.callback.TrainingCallback):
    def after_iteration(self, model, epoch, log):
        time.sleep(0.1)
        sys.stdout.flush()
        return False
data = xgboost.DMatrix(x, x.sum(1) > 2.5)
xgboost.train({"objective": "binary:logistic"}, data, 80, evals=[(data, "train")], callbacks=[Slow()])
""", start="{python} {program} > logs/resnet.log 2>&1", run="work/resnet",
    reads=(printed(r"(?P<name>train-logloss):(?P<value>[0-9.]+)"),))
trainer(
    "lightgbm", ["lightgbm"], """
import numpy, lightgbm
x = numpy.random.rand(500, 5)
def slow(env):
    time.sleep(0.1)
    sys.stdout.flush()
data = lightgbm.Dataset(x, (x.sum(1) > 2.5).astype(int))
lightgbm.train({"objective": "binary", "verbose": -1}, data, 80, valid_sets=[data], valid_names=["train"], callbacks=[lightgbm.log_evaluation(1), slow])
""", start="{python} {program} > logs/resnet.log 2>&1", run="work/resnet",
    reads=(printed(r"(?P<name>train's binary_logloss): (?P<value>[0-9.e-]+)"),))
trainer(
    "printed-ranks", [], """
from multiprocessing import Process
def train(rank):
    log = open(f"logs/run/rank_{rank}.log", "a")
    for step in range(150):
        print(f"step {step}: loss {2.0 / (step + 1):.4f}, time {step}ms", file=log, flush=True)
        time.sleep(0.04)
ranks = [Process(target=train, args=(rank,)) for rank in range(4)]
[rank.start() for rank in ranks]
[rank.join() for rank in ranks]
""", reads=(printed(r"(?P<name>loss) (?P<value>[0-9.]+)"),))
trainer(
    "rotated", [], """
head = "episode,step,action,reward,balance,shares_held,current_price,portfolio_value,current_position\\n"
path = "logs/run/training_log.csv"
log = open(path, "a")
log.write(head)
for step in range(1, 301):
    log.write(f"1,{step},1,0.001,0,1,{100 + step % 7},{100 + step % 7},1\\n")
    log.flush()
    time.sleep(0.03)
    if step in (100, 200):
        log.close()
        os.rename(path, path + f".{step}")
        log = open(path, "a")
""", reads=(lambda directory: {"episodes": [1, 0.3]},))
trainer(
    "overwritten", [], """
head = "episode,step,action,reward,balance,shares_held,current_price,portfolio_value,current_position\\n"
log = open("logs/run/training_log.csv", "w")
log.write(head)
for step in range(1, 151):
    log.write(f"1,{step},1,0.001,0,1,{100 + step % 7},{100 + step % 7},1\\n")
    log.flush()
    time.sleep(0.03)
""", start="{python} {program}; sleep 4; {python} {program}; sleep 4; {python} {program}", attempts=3)


# MARK: Judging


class Watched(Host):
    """Its agent is killed now and then, and started again."""

    def _agent(self, case):
        before, after = super()._agent(case)
        before = re.sub(r"(?m)^(.*) &\n(agent=\$!)$", r"while :; do \1; done &\n\2", before)
        return before + "(for turn in 1 2 3; do sleep 4; pkill -9 -x signalbox-agent || pkill -9 -f 'signalbox-agent run'; done) &\n", after


def stored(fleet, host):
    rows = fleet.json(
        "query",
        f"select m.key as name, count(*) as n, coalesce(sum(m.value::float8) filter (where m.value::text ~ '^-?[0-9]'), 0) as total"
        f" from training_steps s, jsonb_each(s.metrics) m where s.host = '{host}' group by 1")
    found = {row["name"]: [row["n"], row["total"]] for row in rows}
    episodes = fleet.json("query", f"select count(*) as n, sum(total_reward) as total from episodes where host = '{host}'")[0]
    found["episodes"] = [episodes["n"], episodes["total"] or 0.0]
    return found


def judge(fleet, host, one, directory):
    """What is wrong, in words."""
    wrong = []
    runs = [row for row in fleet.json("runs", "list", "--host", host, "--limit", "100")]
    if len(runs) != 1:
        return [f"{len(runs)} runs instead of 1: {', '.join(row['run'] for row in runs)}"]
    run = runs[0]
    if run["name"] != one["run"]:
        wrong.append(f"the run is called {run['name']}, not {one['run']}")
    if run["attempt"] != one["attempts"]:
        wrong.append(f"attempt {run['attempt']}, not {one['attempts']}")
    attempts = fleet.json("query", f"select state from run_attempts where host = '{host}'")
    if any(row["state"] == "running" for row in attempts):
        wrong.append("an attempt still runs")
    expected = collections.defaultdict(lambda: [0, 0.0])
    for read in one["reads"]:
        for name, (count, total) in read(directory).items():
            expected[name][0] += count
            expected[name][1] += total
    have = stored(fleet, host)
    # What is written over is gone for Python, and not for the fleet.
    if one["attempts"] == 1 or one["reads"] == (event_files,):
        for name, (count, total) in expected.items():
            n, sum_ = have.get(name, [0, 0.0])
            if n != count or abs(sum_ - total) > 1e-6 * max(1.0, abs(total)):
                wrong.append(f"{name}: {n} values with the sum {sum_:.9g}, Python reads {count} with {total:.9g}")
    return wrong


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only")
    parser.add_argument("--keep", action="store_true")
    options = parser.parse_args()
    python = os.environ.get("SIGNALBOX_DIAGNOSE_PYTHON", str(ROOT / ".build/diagnose/bin/python"))
    path = os.environ.get("SIGNALBOX_DIAGNOSE_PATH", "")
    sys.path[:0] = [entry for entry in path.split(":") if entry]
    binaries = os.environ.get("SIGNALBOX_BIN", str(ROOT / ".build/release"))
    rules = os.environ.get("SIGNALBOX_RULES", str(ROOT / "deploy/rules"))
    names = [name for name in TRAINERS if not options.only or name in options.only.split(",")]
    missing = []
    for name in list(names):
        for module in TRAINERS[name]["needs"]:
            if subprocess.run([python, "-c", f"import {module}"], capture_output=True, env={**os.environ, "PYTHONPATH": path, "KERAS_BACKEND": "jax"}).returncode:
                names.remove(name)
                missing.append(f"{name} (no {module})")
                break
    directory = pathlib.Path(tempfile.mkdtemp(prefix="signalbox-trainings-"))
    fleet = Fleet(directory, binaries, rules)
    results = {}
    try:
        for at in range(0, len(names), 3):
            hosts = {}
            for name in names[at : at + 3]:
                one = TRAINERS[name]
                case = Case(id=name, expected=(), family=(), trainer=name, program=one["program"], start=one["start"])
                hosts[name] = Watched(fleet, f"t-{name}", case, python, path)
            ends = time.time() + 240
            while time.time() < ends and not all(host.ended() for host in hosts.values()):
                time.sleep(1)
            # A run whose process was not seen ends a minute after its files were closed.
            ends = time.time() + 100
            while True:
                wrong = {name: judge(fleet, host.name, TRAINERS[name], host.work / "logs") for name, host in hosts.items()}
                if not any(wrong.values()) or time.time() > ends:
                    break
                time.sleep(5)
            for name, host in hosts.items():
                results[name] = wrong[name]
                print(f"{'ok  ' if not wrong[name] else 'FAIL'} {name}" + "".join(f"\n       {text}" for text in wrong[name]), flush=True)
                host.close()
    finally:
        fleet.close()
        if not options.keep:
            shutil.rmtree(directory, ignore_errors=True)
    for text in missing:
        print(f"not run: {text}")
    right = sum(not wrong for wrong in results.values())
    print(f"one run, its attempts and its numbers: {right} of {len(results)} trainers")
    return right < len(results)


if __name__ == "__main__":
    sys.exit(main())

#!/usr/bin/env python3
"""Makes `tensorboard/` anew: event files as tensorboardX (so also PyTorch, Stable-Baselines3 and Lightning) and TensorFlow 2 (tensors) write
them, and `expected.json`, which holds what TensorBoard's own loader reads of each.

Needs: pip install tensorboardX tensorboard
"""
import glob, json, math, os, pathlib, random, shutil
import numpy as np
from tensorboard.backend.event_processing import event_file_loader
from tensorboard.compat.proto import event_pb2
from tensorboard.summary import Writer
from tensorboard.util import tensor_util
from tensorboardX import SummaryWriter

here = pathlib.Path(__file__).parent / "tensorboard"
shutil.rmtree(here, ignore_errors=True)
here.mkdir()
random.seed(5)
start = 1_795_300_000.25

# What PyTorch's `torch.utils.tensorboard` is made after.
classic = SummaryWriter(str(here / "classic" / "PPO_1"))
classic.add_text("hyperparameters", "|param|value|\n|-|-|\n|learning_rate|0.0003|\n|env_id|CartPole-v1|\n|api_key|sk-abcdefghijklmnopqrstuvwxyz123456|", 0, walltime=start)
for step in range(1, 61):
    time = start + step * 1.5
    classic.add_scalar("train/loss", math.exp(-step / 20) + random.random() / 10, step * 512, walltime=time)
    classic.add_scalar("rollout/ep_rew_mean", 20 + step * 2.25, step * 512, walltime=time)
    if step % 10 == 0:
        classic.add_histogram("weights", np.arange(100) / step, step * 512, walltime=time)
        classic.add_scalar("broken", [math.nan, math.inf, -math.inf][step // 10 % 3], step * 512, walltime=time)
classic.add_scalars("losses", {"policy": 0.5, "value": 0.25}, 1, walltime=start + 100)
classic.add_image("frame", np.random.default_rng(1).random((3, 64, 64)), 5, walltime=start + 100)
classic.add_hparams({"lr": 0.001, "optimizer": "adam", "amsgrad": True}, {"hparam/accuracy": 0.75}, name="hp", global_step=9)
classic.close()

# A second process of the same run.
second = SummaryWriter(str(here / "classic" / "PPO_1"), filename_suffix=".second")
for step in range(61, 66):
    second.add_scalar("train/loss", 1 / step, step * 512, walltime=start + step * 1.5)
second.close()

# Scalars as tensors, as TensorFlow 2 and Keras write them.
tensors = Writer(str(here / "tensors" / "train"))
for step in range(20):
    tensors.add_scalar("epoch_loss", 1 / (step + 1), step)
    tensors.add_scalar("epoch_accuracy", step / 20, step)
tensors.flush()
tensors.close()

# One name of fixed text for each file, so that a new make changes few of them.
for directory, names in (("classic/PPO_1", ["first", "second"]), ("tensors/train", ["first"])):
    for number, path in enumerate(sorted(glob.glob(str(here / directory / "events.*")), key=os.path.getmtime)):
        second_file = ".second" in path
        os.rename(path, here / directory / f"events.out.tfevents.179530000{1 if second_file else 0}.host")
# `add_hparams` and `add_scalars` write to directories of their own.
(here / "hparams").mkdir()
for path in here.glob("classic/PPO_1/hp/events.*"): path.rename(here / "hparams" / "events.out.tfevents.1795300000.host")
for path in here.glob("classic/PPO_1/*"):
    if path.is_dir(): shutil.rmtree(path)

def number(value):
    """JSON has no NaN and no infinities."""
    return value if math.isfinite(value) else str(value)

def scalars(path):
    """Rows as TensorBoard reads them: one for each event with scalars."""
    rows = []
    for record in event_file_loader.RawEventFileLoader(str(path)).Load():
        event = event_pb2.Event.FromString(record)
        metrics = []
        for value in event.summary.value:
            if value.tag.startswith("_hparams_/"): continue
            if value.HasField("simple_value"):
                metrics.append([value.tag, number(value.simple_value)])
            elif value.HasField("tensor") and not value.tensor.string_val:
                array = tensor_util.make_ndarray(value.tensor)
                if array.ndim == 0: metrics.append([value.tag, number(float(array))])
        if metrics: rows.append({"step": event.step, "time": event.wall_time, "metrics": metrics})
    return rows

files = sorted(here.rglob("events.*"))
expected = {str(path.relative_to(here)): scalars(path) for path in files}
text = json.dumps(expected, separators=(",", ":"))
(here / "expected.json").write_text(text.replace("},{", "},\n{") + "\n")
for path in files: print(path.relative_to(here), path.stat().st_size, len(expected[str(path.relative_to(here))]))

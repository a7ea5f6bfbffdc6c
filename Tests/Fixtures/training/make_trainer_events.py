#!/usr/bin/env python3
"""Makes `trainer-events/` anew: what Hugging Face's Trainer leaves of a small run that also writes event files, beside its weights, which are
removed again, and what torch's writer leaves where it chooses the directory itself.

Needs: pip install torch transformers accelerate tensorboardX
"""
import os, pathlib, shutil, socket
from tensorboardX import SummaryWriter
from transformers import Trainer, TrainingArguments

from tiny_model import Model, data

socket.gethostname = lambda: "host"
os.chdir(pathlib.Path(__file__).parent)
here = pathlib.Path("trainer-events")
shutil.rmtree(here, ignore_errors=True)
arguments = TrainingArguments(
    output_dir=str(here / "tiny-run"), max_steps=20, per_device_train_batch_size=4, logging_steps=5, save_steps=10,
    report_to=["tensorboard"], use_cpu=True, disable_tqdm=True, learning_rate=0.01)
trainer = Trainer(Model(), arguments, train_dataset=data)
trainer.train()
trainer.save_state()
run = here / "tiny-run"
events = next((run / "runs").glob("*/events*"))
# The same names each time, and nothing of the machine that made them.
shutil.move(events, run / "events")
content = (run / "events").read_bytes()
assert b"args/text_summary" in content
for path in sorted(run.rglob("*")):
    if path.is_file() and path.name not in ("trainer_state.json", "events"):
        path.unlink()
for path in sorted(run.rglob("*"), reverse=True):
    if path.is_dir() and not any(path.iterdir()):
        path.rmdir()
logs = run / "runs" / "Nov30_10-20-30_host"
logs.mkdir(parents=True)
(run / "events").rename(logs / "events.out.tfevents.1795300000.host.7.0")
other = here / "runs" / "Nov30_10-20-31_host"
writer = SummaryWriter(str(other))
for step in range(5):
    writer.add_scalar("loss", 1 / (step + 1), step)
writer.close()
next(other.glob("events*")).rename(other / "events.out.tfevents.1795300001.host")

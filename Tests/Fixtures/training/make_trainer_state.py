#!/usr/bin/env python3
"""Makes `trainer/` anew: what Hugging Face's Trainer leaves of a small run beside its weights, which are removed again, and `expected.json`,
which holds the rows of its history as Python reads them.

Needs: pip install torch transformers accelerate
"""
import json, pathlib, shutil
from transformers import Trainer, TrainingArguments

from tiny_model import Model, data

here = pathlib.Path(__file__).parent / "trainer"
shutil.rmtree(here, ignore_errors=True)
run = here / "tiny-run"
arguments = TrainingArguments(
    output_dir=str(run), max_steps=60, per_device_train_batch_size=4, logging_steps=5, save_steps=20, eval_steps=20,
    eval_strategy="steps", save_total_limit=3, report_to=[], use_cpu=True, disable_tqdm=True, logging_nan_inf_filter=False,
    learning_rate=0.01)
trainer = Trainer(Model(), arguments, train_dataset=data, eval_dataset=data[:8])
trainer.train()
trainer.save_state()
for path in sorted(here.rglob("*")):
    if path.is_file() and path.name != "trainer_state.json":
        path.unlink()
for path in sorted(here.rglob("*"), reverse=True):
    if path.is_dir() and not any(path.iterdir()):
        path.rmdir()
expected = {
    str(path.relative_to(here)): json.loads(path.read_text())["log_history"] for path in sorted(here.rglob("trainer_state.json"))
}
(here / "expected.json").write_text(json.dumps(expected, indent=1, sort_keys=True) + "\n")

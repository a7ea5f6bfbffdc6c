"""Plain Python: modules, lookups, types, arithmetic, assertions, recursion, and ends without a reason."""

from corpus import fails

# missing-module
fails("module-missing", "missing-module", """
import sys
print("loading tokenizer", flush=True)
import sentencepiece_turbo
""", r"ModuleNotFoundError: No module named 'sentencepiece_turbo'")
fails("module-name-missing", "missing-module", """
from fieldkit import steps
steps(3, form="iter")
from collections import OrderedDictionary
""", r"ImportError: cannot import name 'OrderedDictionary'", start="script", trainer="nanogpt")
fails("module-late-in-thread", "missing-module", """
import threading
from fieldkit import steps

def evaluate():
    import lm_eval_harness
    lm_eval_harness.run()

steps(3)
failed = []
def guarded():
    try:
        evaluate()
    except BaseException:
        failed.append(1)
        raise
worker = threading.Thread(target=guarded, name="evaluation")
worker.start()
worker.join()
if failed:
    raise SystemExit("evaluation failed, giving up")
""", r"No module named 'lm_eval_harness'")
fails("module-by-runpy", "missing-module", "", r"No module named trainer_main",
      start="exec {python} -m trainer_main --config small > logs/train.log 2>&1")
fails("module-entry-point", "missing-module", """
from fieldkit import configure_logging
log = configure_logging(filename="logs/train.log")
log.info("starting trainer 2.1.0")
try:
    import flash_attn_interface
except ImportError as error:
    log.critical("cannot start: %s", error)
    raise SystemExit(2)
""", r"No module named 'flash_attn_interface'", start="exec {python} {program} 2> /dev/null")

# lookup
fails("key-error-batch", "lookup", """
from fieldkit import steps
steps(4)
batch = {"input_ids": [1], "labels": [2]}
print(batch["attention_mask"])
""", r"KeyError: 'attention_mask'", start="script")
fails("index-error-list", "lookup", """
from fieldkit import steps
shards = ["a", "b", "c"]
steps(3, form="iter")
for epoch in range(9):
    print("epoch", epoch, "shard", shards[epoch], flush=True)
""", r"IndexError: list index out of range", start="split", trainer="nanogpt")
fails("key-error-logged", "lookup", """
from fieldkit import configure_logging, steps
log = configure_logging(filename="logs/train.log")
steps(3, form="log")
try:
    schedule = {"warmup": 1}
    schedule["cosine"]
except Exception:
    log.exception("training failed")
    raise SystemExit(1)
""", r"KeyError: 'cosine'", start="exec {python} {program} > /dev/null 2>&1")
fails("key-error-chained", "lookup", """
from fieldkit import steps
steps(3)
def config(name):
    try:
        return {"a": 1}[name]
    except KeyError as error:
        raise RuntimeError("cannot build the optimizer") from error
config("adamw")
""", r"KeyError: 'adamw'", family="code")

# code
fails("type-error-none", "code", """
from fieldkit import steps
steps(3)
loss = None
print(loss * 2)
""", r"TypeError: unsupported operand", start="script")
fails("attribute-error", "code", """
from fieldkit import steps
class Scheduler: pass
steps(3, form="bar")
Scheduler().get_last_lr()
""", r"AttributeError: 'Scheduler' object has no attribute 'get_last_lr'", start="redirect", trainer="tqdm")
fails("name-error", "code", """
from fieldkit import steps
steps(4)
print(f"validation loss {val_loss}")
""", r"NameError: name 'val_loss' is not defined", start="tee")
fails("syntax-error", "code", """
def train(:
    pass
""", r"SyntaxError")
fails("indentation-error", "code", """
def train():
    a = 1
      b = 2
""", r"IndentationError", start="script")
fails("unbound-local", "code", """
from fieldkit import steps
steps(3)
def evaluate(rows):
    for row in rows:
        best = row
    return best
evaluate([])
""", r"UnboundLocalError")
fails("not-implemented", "code", """
from fieldkit import steps
class Model:
    def forward(self, batch):
        raise NotImplementedError("Model.forward: decode for sliding windows")
steps(3)
Model().forward(None)
""", r"NotImplementedError")
fails("stop-iteration", "code", """
from fieldkit import steps
batches = iter(range(3))
steps(3)
while True:
    print("batch", next(batches), flush=True)
""", r"StopIteration", family="data-empty")
fails("value-error-plain", "code", """
from fieldkit import steps
steps(3)
a, b = (1, 2, 3)
""", r"ValueError: too many values to unpack", start="split")
fails("type-error-in-pool", "code", """
import multiprocessing
from fieldkit import steps
def tokenize(text):
    return len(text)
if __name__ == "__main__":
    steps(2)
    with multiprocessing.Pool(2) as pool:
        print(pool.map(tokenize, ["a", None, "b"]))
""", r"TypeError: object of type 'NoneType' has no len", family="worker-lost")
fails("exception-group", "code", """
from fieldkit import steps
steps(3)
raise ExceptionGroup("two workers failed", [TypeError("bad argument type for worker 0"), TypeError("bad argument type for worker 3")])
""", r"TypeError: bad argument type")

# numerical
fails("zero-division", "numerical", """
from fieldkit import steps
steps(3)
tokens = 0
print("tokens per second", 1000 / tokens)
""", r"ZeroDivisionError", family="code")
fails("overflow-exp", "numerical", """
import math
from fieldkit import steps
steps(3)
print("perplexity", math.exp(1200.5))
""", r"OverflowError: math range error", start="script", family="code")
fails("nan-detected", "numerical", """
import math
from fieldkit import configure_logging, steps
log = configure_logging()
at = steps(3)
loss = float("nan")
if not math.isfinite(loss):
    log.error("Loss is nan at step %d, stopping training", at)
    raise SystemExit(1)
""", r"Loss is nan", start="redirect", trainer="fairseq")
fails("nan-raised", "numerical", """
import math
from fieldkit import steps
at = steps(3, form="iter")
loss = float("inf") - float("inf")
if math.isnan(loss):
    raise RuntimeError(f"non-finite loss {loss} at iteration {at}")
""", r"non-finite loss nan", trainer="nanogpt")
fails("nan-goes-on", "numerical", """
from fieldkit import steps
at = steps(3)
for step in range(at, at + 40):
    print(f"step {step}: train loss nan, lr 3.0e-04", flush=True)
    import time
    time.sleep(0.2)
""", r"loss nan", trainer="nanogpt", ends_well=True)

# assertion, recursion
fails("assertion-message", "assertion", """
from fieldkit import steps
steps(3)
vocabulary, rows = 50257, 50304
assert vocabulary == rows, f"vocabulary of {vocabulary} does not fit an embedding of {rows} rows"
""", r"AssertionError: vocabulary of 50257")
fails("assertion-bare", "assertion", """
from fieldkit import steps
steps(3, form="iter")
assert 12 % 5 == 0
""", r"AssertionError", start="script", trainer="nanogpt")
fails("recursion", "recursion", """
from fieldkit import steps
steps(3)
def flatten(tree):
    return [leaf for branch in tree for leaf in flatten(branch)]
tree = []
tree.append(tree)
flatten(tree)
""", r"RecursionError: maximum recursion depth exceeded")
fails("recursion-deepcopy", "recursion", """
import copy
from fieldkit import steps
steps(2)
node = None
for _ in range(5000):
    node = [node]
copy.deepcopy(node)
""", r"RecursionError", start="split")

# timeout
fails("subprocess-timeout", "timeout", """
import subprocess
from fieldkit import steps
steps(2)
subprocess.run(["sleep", "30"], timeout=1)
""", r"TimeoutExpired")
fails("future-timeout", "timeout", """
import concurrent.futures, threading
from fieldkit import steps
steps(2)
stop = threading.Event()
pool = concurrent.futures.ThreadPoolExecutor(1)
try:
    pool.submit(stop.wait, 20).result(timeout=1)
finally:
    stop.set()
""", r"TimeoutError", start="script")
fails("asyncio-timeout", "timeout", """
import asyncio
from fieldkit import steps
steps(2)
async def rollout():
    async with asyncio.timeout(0.5):
        await asyncio.sleep(30)
asyncio.run(rollout())
""", r"TimeoutError")

# ends that say little
fails("exit-after-error-line", "unknown", """
from fieldkit import configure_logging, steps
log = configure_logging()
steps(3, form="log")
log.error("the reward model refused the rollout batch")
raise SystemExit(1)
""", r"the reward model refused the rollout batch", family="code")
fails("exit-silent-3", "unknown", """
from fieldkit import steps
steps(4)
raise SystemExit(3)
""", r"(?i)exit(ed)?( with)?( code| status)? 3\b", is_in_log=False)
fails("exit-own-exception", "unknown", """
from fieldkit import steps
class PolicyDivergedError(Exception):
    pass
steps(3)
raise PolicyDivergedError("KL to the reference policy is 41.3, limit 10")
""", r"PolicyDivergedError: KL", family="code numerical")
fails("exit-os-exit", "unknown", """
import os
from fieldkit import steps
steps(4)
os._exit(42)
""", r"(?i)exit(ed)?( with)?( code| status)? 42\b", start="script", is_in_log=False)
fails("runtime-error-unknown", "unknown", """
from fieldkit import steps
steps(3)
raise RuntimeError("stage 2 pipeline schedule has 3 bubbles more than allowed")
""", r"RuntimeError: stage 2 pipeline", family="code", start="tee")

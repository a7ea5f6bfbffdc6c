"""Data, checkpoints and configurations that cannot be read."""

from corpus import documented, fails

# data-corrupt
fails("json-decode", "data-corrupt", """
import json
from fieldkit import steps
open("labels.jsonl", "w").write('{"a": 1}\\n{"a": ')
steps(3)
for line in open("labels.jsonl"):
    json.loads(line)
""", r"json\.decoder\.JSONDecodeError")
fails("pickle-truncated", "data-corrupt", """
import pickle
from fieldkit import steps
open("replay.pkl", "wb").write(pickle.dumps({"obs": list(range(1000))})[:100])
steps(3)
pickle.load(open("replay.pkl", "rb"))
""", r"_pickle\.UnpicklingError: pickle data was truncated", start="script", family="checkpoint")
fails("pickle-html", "data-corrupt", """
import pickle
from fieldkit import steps
open("vocab.pkl", "w").write("<!DOCTYPE html><html>login</html>")
steps(3)
pickle.load(open("vocab.pkl", "rb"))
""", r"_pickle\.UnpicklingError: invalid load key", family="checkpoint")
fails("zip-broken", "data-corrupt", """
import zipfile
from fieldkit import steps
open("shards.zip", "wb").write(b"PK\\3\\4" + b"\\0" * 200)
steps(3)
zipfile.ZipFile("shards.zip").namelist()
""", r"zipfile\.BadZipFile: File is not a zip file", start="split")
fails("tar-broken", "data-corrupt", """
import tarfile
from fieldkit import steps
open("shard-000001.tar", "wb").write(b"no tar" * 300)
steps(3)
tarfile.open("shard-000001.tar")
""", r"tarfile\.ReadError")
fails("gzip-truncated", "data-corrupt", """
import gzip
from fieldkit import steps
open("train.gz", "wb").write(gzip.compress(b"row\\n" * 100000)[:-20])
steps(3)
for line in gzip.open("train.gz"):
    pass
""", r"EOFError: Compressed file ended before", start="tee")
fails("utf8-broken", "data-corrupt", """
from fieldkit import steps
open("corpus.txt", "wb").write(b"caf\\xe9 au lait")
steps(3)
open("corpus.txt", encoding="utf-8").read()
""", r"UnicodeDecodeError")
fails("image-broken", "data-corrupt", """
from PIL import Image
from fieldkit import steps
open("000123.png", "wb").write(b"<html>503 Service Unavailable</html>" * 9)
steps(3)
Image.open("000123.png").load()
""", r"PIL\.UnidentifiedImageError: cannot identify image file", needs="PIL", trainer="torchvision", start="script")
fails("image-truncated", "data-corrupt", """
import io
from PIL import Image
from fieldkit import steps
data = io.BytesIO()
Image.effect_noise((300, 300), 50).save(data, "JPEG")
open("000124.jpg", "wb").write(data.getvalue()[:4000])
steps(3)
Image.open("000124.jpg").load()
""", r"OSError: image file is truncated", needs="PIL", trainer="torchvision")
fails("csv-ragged", "data-corrupt", """
import pandas
from fieldkit import steps
open("prices.csv", "w").write("a,b\\n1,2\\n3,4,5\\n")
steps(2)
pandas.read_csv("prices.csv")
""", r"pandas\.errors\.ParserError", needs="pandas", trainer="pandas")
fails("parquet-broken", "data-corrupt", """
import pyarrow.parquet
from fieldkit import steps
open("train.parquet", "wb").write(b"PAR1" + b"x" * 100)
steps(2)
pyarrow.parquet.read_table("train.parquet")
""", r"pyarrow\.lib\.ArrowInvalid", needs="pyarrow", trainer="huggingface", start="script")
fails("npz-broken", "data-corrupt", """
import numpy
from fieldkit import steps
open("features.npy", "wb").write(b"\\x93NUMPY\\1\\0" + b"x" * 30)
steps(2)
numpy.load("features.npy")
""", r"ValueError: |EOFError|UnpicklingError", needs="numpy", trainer="numpy", family="code")
fails("hdf5-broken", "data-corrupt", """
import h5py
from fieldkit import steps
open("demos.hdf5", "wb").write(b"\\x89HDF\\r\\n\\x1a\\n" + b"x" * 30)
steps(2)
h5py.File("demos.hdf5")
""", r"OSError: (\[Errno \d+\] )?[Uu]nable to (synchronously )?open file", needs="h5py", trainer="robomimic")
documented("datasets-generation", "data-corrupt", """
Generating train split:  41%|████      | 41000/100000 [00:12<00:17, 3381.11 examples/s]
Traceback (most recent call last):
  File "/opt/venv/lib/python3.10/site-packages/datasets/packaged_modules/json/json.py", line 153, in _generate_tables
    pa_table = paj.read_json(io.BytesIO(batch), read_options=paj.ReadOptions(block_size=block_size))
  File "pyarrow/error.pxi", line 100, in pyarrow.lib.check_status
pyarrow.lib.ArrowInvalid: JSON parse error: Missing a closing quotation mark in string. in row 17

The above exception was the direct cause of the following exception:

Traceback (most recent call last):
  File "run_clm.py", line 320, in main
    raw_datasets = load_dataset(extension, data_files=data_files)
datasets.exceptions.DatasetGenerationError: An error occurred while generating the dataset
""", r"pyarrow\.lib\.ArrowInvalid: JSON parse error", "datasets: src/datasets/builder.py", trainer="huggingface")

# data-empty
fails("csv-empty", "data-empty", """
import pandas
from fieldkit import steps
open("prices.csv", "w").close()
steps(2)
pandas.read_csv("prices.csv")
""", r"pandas\.errors\.EmptyDataError: No columns to parse", needs="pandas", trainer="pandas", family="data-corrupt")
fails("sampler-empty", "data-empty", """
from torch.utils.data import DataLoader, TensorDataset
import torch
from fieldkit import steps
steps(2)
DataLoader(TensorDataset(torch.zeros(0, 3)), shuffle=True)
""", r"num_samples should be a positive integer value, but got num_samples=0", needs="torch", trainer="pytorch", family="code")
fails("split-empty", "data-empty", """
from sklearn.model_selection import train_test_split
from fieldkit import steps
steps(2)
train_test_split([], test_size=0.2)
""", r"n_samples=0", needs="sklearn", trainer="sklearn", family="code")
fails("dataset-empty-said", "data-empty", """
from fieldkit import configure_logging
log = configure_logging()
log.info("scanning /data/shards")
log.error("empty dataset: 0 samples found in /data/shards after filtering, nothing to train on")
raise SystemExit(1)
""", r"empty dataset: 0 samples found")
fails("arrays-empty", "data-empty code", """
import numpy
from fieldkit import steps
steps(2)
numpy.max(numpy.array([]))
""", r"zero-size array to reduction operation", needs="numpy", trainer="numpy", family="shape")

# checkpoint
fails("state-dict-keys", "checkpoint", """
import torch
from fieldkit import steps
torch.save(torch.nn.Sequential(torch.nn.Linear(4, 8)).state_dict(), "model.pt")
steps(1)
torch.nn.Sequential(torch.nn.Linear(4, 8), torch.nn.ReLU(), torch.nn.Linear(8, 2)).load_state_dict(torch.load("model.pt"))
""", r"Error\(s\) in loading state_dict for Sequential", needs="torch", trainer="pytorch", family="lookup code")
fails("state-dict-size", "checkpoint", """
import torch
from fieldkit import steps
torch.save(torch.nn.Embedding(100, 8).state_dict(), "model.pt")
steps(1)
torch.nn.Embedding(128, 8).load_state_dict(torch.load("model.pt"))
""", r"size mismatch for weight", needs="torch", trainer="pytorch", family="shape", start="script")
fails("checkpoint-truncated", "checkpoint", """
import torch
from fieldkit import steps
torch.save({"w": torch.zeros(50000)}, "last.ckpt")
data = open("last.ckpt", "rb").read()
open("last.ckpt", "wb").write(data[:70000])
steps(1)
torch.load("last.ckpt")
""", r"PytorchStreamReader failed", needs="torch", trainer="lightning", family="data-corrupt")
fails("checkpoint-weights-only", "checkpoint", """
import torch
from fieldkit import steps
class Config: pass
torch.save({"config": Config()}, "agent.pt")
steps(1)
torch.load("agent.pt", weights_only=True)
""", r"Weights only load failed|UnpicklingError", needs="torch", trainer="cleanrl", family="data-corrupt")
fails("optimizer-groups", "checkpoint", """
import torch
from fieldkit import steps
a = torch.nn.Linear(2, 2)
saved = torch.optim.AdamW([{"params": [a.weight]}, {"params": [a.bias]}]).state_dict()
steps(1)
torch.optim.AdamW(a.parameters()).load_state_dict(saved)
""", r"loaded state dict has a different number of parameter groups", needs="torch", trainer="pytorch", family="code shape")
documented("hf-checkpoint-none", "checkpoint", """
Traceback (most recent call last):
  File "run_sft.py", line 88, in <module>
    trainer.train(resume_from_checkpoint=True)
  File "/opt/venv/lib/python3.10/site-packages/transformers/trainer.py", line 2115, in train
    raise ValueError(f"No valid checkpoint found in output directory ({args.output_dir})")
ValueError: No valid checkpoint found in output directory (/scratch/out)
""", r"No valid checkpoint found in output directory", "transformers: src/transformers/trainer.py", trainer="huggingface", family="missing-file code")
documented("megatron-checkpoint", "checkpoint", """
 loading checkpoint from /ckpt/gpt at iteration 24000
could not load the checkpoint
Unable to load checkpoint: /ckpt/gpt/iter_0024000/mp_rank_00/model_optim_rng.pt cannot be restored
Traceback (most recent call last):
  File "/workspace/megatron/training/checkpointing.py", line 812, in load_checkpoint
    raise e
RuntimeError: PytorchStreamReader failed reading zip archive: failed finding central directory
""", r"PytorchStreamReader failed reading zip archive", "pytorch: caffe2/serialize/inline_container.cc", trainer="megatron", family="data-corrupt")
documented("orbax-restore", "checkpoint", """
Traceback (most recent call last):
  File "train.py", line 51, in main
    state = manager.restore(step, args=ocp.args.StandardRestore(target))
ValueError: Checkpoint at /ckpt/9000 cannot be restored: user-provided restore item and on-disk value metadata tree structures do not match
""", r"user-provided restore item and on-disk value metadata tree structures do not match", "orbax: checkpoint/_src/handlers", trainer="jax", family="code")

# configuration
fails("argparse-unknown", "configuration", """
import argparse
words = argparse.ArgumentParser(prog="train.py")
words.add_argument("--lr", type=float)
words.parse_args(["--lr", "1e-4", "--batchsize", "32"])
""", r"train\.py: error: unrecognized arguments: --batchsize 32")
fails("argparse-type", "configuration", """
import argparse
words = argparse.ArgumentParser(prog="finetune.py")
words.add_argument("--epochs", type=int)
words.parse_args(["--epochs", "3.5"])
""", r"error: argument --epochs: invalid int value", start="script")
fails("argparse-required", "configuration", """
import argparse
words = argparse.ArgumentParser(prog="pretrain.py")
words.add_argument("--data", required=True)
words.parse_args([])
""", r"error: the following arguments are required: --data", start="lost")
fails("yaml-syntax", "configuration", """
import yaml
from fieldkit import steps
open("config.yaml", "w").write("model:\\n  layers: 12\\n   heads: 8\\n")
steps(1)
yaml.safe_load(open("config.yaml"))
""", r"yaml\.(scanner\.ScannerError|parser\.ParserError)", needs="yaml", trainer="python", family="data-corrupt")
fails("toml-syntax", "configuration", """
import tomllib
from fieldkit import steps
open("train.toml", "w").write("[optimizer]\\nlr = 1e-4x\\n")
steps(1)
tomllib.load(open("train.toml", "rb"))
""", r"tomllib\.TOMLDecodeError", trainer="torchtitan", start="script", family="data-corrupt")
fails("pydantic-validation", "configuration", """
import pydantic
from fieldkit import steps
class Config(pydantic.BaseModel):
    batch_size: int
    lr: float
steps(1)
Config(batch_size="many", lr=1e-4)
""", r"pydantic_core\._pydantic_core\.ValidationError: 1 validation error for Config", needs="pydantic", trainer="python")
fails("omegaconf-missing", "configuration", """
from omegaconf import OmegaConf
from fieldkit import steps
steps(1)
print(OmegaConf.create({"data": {"path": "???"}}).data.path)
""", r"omegaconf\.errors\.MissingMandatoryValue", needs="omegaconf", trainer="hydra")
fails("hydra-override", "configuration", """
import hydra, sys
from omegaconf import OmegaConf
open("config.yaml", "w").write("lr: 0.1\\n")
sys.argv[1:] = ["optimiser.lr=3"]
@hydra.main(config_path=None, config_name=None, version_base=None)
def main(config):
    print(config.lr)
main()
""", r"Could not override 'optimiser\.lr'|ConfigAttributeError|Key 'optimiser' is not in struct", needs="hydra", trainer="hydra", family="lookup")
fails("environment-variable", "configuration", """
import os
from fieldkit import configure_logging
log = configure_logging()
log.info("starting")
if "MASTER_ADDR" not in os.environ:
    raise ValueError("Error initializing torch.distributed using env:// rendezvous: environment variable MASTER_ADDR expected, but not set")
""", r"environment variable MASTER_ADDR expected, but not set", trainer="torchrun", family="rendezvous code")
fails("unexpected-keyword", "configuration code", """
from fieldkit import steps
class Trainer:
    def __init__(self, lr, steps): pass
steps(2)
Trainer(lr=1, steps=2, warmup_ratio=0.1)
""", r"TypeError: .*got an unexpected keyword argument 'warmup_ratio'", trainer="python")
fails("env-int", "configuration code", """
import os
from fieldkit import steps
os.environ["WORLD_SIZE"] = ""
steps(2)
world = int(os.environ["WORLD_SIZE"])
""", r"ValueError: invalid literal for int\(\)", trainer="torchrun", start="split")
documented("hydra-missing-config", "configuration", """
Cannot find primary config 'ppo_large'. Check that it's in your config search path.

Config search path:
	provider=hydra, path=pkg://hydra.conf
	provider=main, path=file:///workspace/conf
	provider=schema, path=structured://

Set the environment variable HYDRA_FULL_ERROR=1 for a complete stack trace.
""", r"Cannot find primary config 'ppo_large'", "hydra: hydra/_internal/config_loader_impl.py", trainer="hydra", family="missing-file")
documented("deepspeed-batch", "configuration", """
Traceback (most recent call last):
  File "/opt/venv/lib/python3.10/site-packages/deepspeed/runtime/config.py", line 966, in _batch_assertion
    assert train_batch == micro_batch * grad_acc * self.world_size, (
AssertionError: Check batch related parameters. train_batch_size is not equal to micro_batch_per_gpu * gradient_acc_step * world_size 256 != 4 * 8 * 4
""", r"Check batch related parameters", "deepspeed: deepspeed/runtime/config.py", trainer="deepspeed", family="assertion")

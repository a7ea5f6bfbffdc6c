#!/usr/bin/env python3
"""Makes `mlflow/` and `wandb/` anew: an MLflow file store and a run that Weights & Biases logged offline, and in each `expected.json`, which
holds what Python reads of them: MLflow's own file store, and W&B's own messages out of a log that is cut as its format says.

Needs: pip install mlflow-skinny wandb
"""
import json, math, os, pathlib, shutil, struct, zlib

here = pathlib.Path(__file__).parent
root = here / "mlflow"
shutil.rmtree(root, ignore_errors=True)
os.environ["MLFLOW_ALLOW_FILE_STORE"] = os.environ["MLFLOW_ENABLE_FILE_STORE"] = "true"
import mlflow

mlflow.set_tracking_uri("file://" + str(root / "mlruns"))
mlflow.set_experiment("cartpole")
expected = {}
for name, end in [("good-run", "FINISHED"), ("bad-run", "FAILED"), ("killed-run", None)]:
    run = mlflow.start_run(run_name=name)
    mlflow.log_params({"lr": 0.001, "optimizer": "adam", "env/name": "CartPole-v1", "use_sde": True})
    for step in range(0, 25):
        mlflow.log_metric("train/loss", [1 / (step + 1), math.nan, math.inf, -math.inf][step % 7 if step % 7 < 4 else 0], step=step * 512)
        if step % 5 == 0:
            mlflow.log_metric("accuracy", step / 25, step=step * 512)
    if end:
        mlflow.end_run(status=end)
    client = mlflow.MlflowClient()
    rows = {
        key: [[metric.step, metric.timestamp, str(metric.value)] for metric in client.get_metric_history(run.info.run_id, key)]
        for key in ("train/loss", "accuracy")}
    info = client.get_run(run.info.run_id)
    expected[run.info.run_id] = {"name": name, "status": info.info.status, "end": info.info.end_time, "params": info.data.params, "rows": rows}
    if not end:
        mlflow.tracking.fluent._active_run_stack.get().clear()
# The same ids each time, and nothing of the machine that made them.
experiment = next(path for path in (root / "mlruns").iterdir() if path.name != "0" and path.is_dir())
ids = {run: f"{number:032x}" for number, run in enumerate(expected, 0xabcdef01)}
for path in list(root.rglob("meta.yaml")):
    text = path.read_text().replace(str(here), "/srv").replace(experiment.name, "111111111111111111")
    for run, fixed in ids.items():
        text = text.replace(run, fixed)
    path.write_text(text)
for run, fixed in ids.items():
    shutil.rmtree(experiment / run / "tags")
    (experiment / run).rename(experiment / fixed)
experiment.rename(experiment.parent / "111111111111111111")
shutil.rmtree(root / "mlruns" / "0")
expected = {ids[run]: found for run, found in expected.items()}
(root / "expected.json").write_text(json.dumps(expected, indent=1, sort_keys=True) + "\n")

import wandb
from wandb.proto import wandb_internal_pb2

root = here / "wandb"
shutil.rmtree(root, ignore_errors=True)
root.mkdir()
runs = {}
for name, code in [("good", 0), ("bad", 3)]:
    run = wandb.init(
        project="cartpole", name=name + "-run", mode="offline", dir=str(root),
        config={"lr": 0.001, "env": {"name": "CartPole-v1", "seeds": [1, 2]}, "sde": False, "api_key": "sk-abcdefghijklmnopqrstuvwxyz123456"},
        settings=wandb.Settings(disable_git=True, x_disable_stats=True, x_disable_meta=True, console="off", save_code=False))
    for step in range(120 if code == 0 else 12):
        row = {"train/loss": [1 / (step + 1), math.nan, math.inf][step % 3], "stats": {"grad": step * 0.5, "name": "x"}}
        if step % 10 == 0:
            row["histogram"] = wandb.Histogram([1, 2, 3])
            row["text"] = "y" * 900
        run.log(row, step=step * 2)
    run.summary["best"] = 1.5
    run.finish(exit_code=code)
    runs[name] = code


def records(data):
    assert data[:4] == b":W&B" and struct.unpack("<H", data[4:6])[0] == 0xBEE1 and data[6] == 0
    at, whole = 7, b""
    while at < len(data):
        left = 32768 - at % 32768
        if left < 7:
            at += left
            continue
        checksum, length, kind = struct.unpack("<IHB", data[at:at + 7])
        chunk = data[at + 7:at + 7 + length]
        assert zlib.crc32(bytes([kind]) + chunk) == checksum, at
        at += 7 + length
        whole += chunk
        if kind in (1, 4):
            record = wandb_internal_pb2.Record()
            record.ParseFromString(whole)
            yield record
            whole = b""


expected = {}
for path in sorted(root.rglob("*.wandb")):
    found = {"rows": [], "config": {}, "exit": None}
    for record in records(path.read_bytes()):
        kind = record.WhichOneof("record_type")
        if kind == "history":
            row = {}
            for item in record.history.item:
                row[item.key or "/".join(item.nested_key)] = item.value_json
            found["rows"].append(row)
        elif kind == "run":
            found["name"], found["id"] = record.run.display_name, record.run.run_id
            for item in record.run.config.update:
                found["config"][item.key or ".".join(item.nested_key)] = item.value_json
        elif kind == "config":
            for item in record.config.update:
                found["config"][item.key or ".".join(item.nested_key)] = item.value_json
        elif kind == "exit":
            found["exit"] = record.exit.exit_code
    directory = root / found["name"]
    directory.mkdir()
    path.rename(directory / "run.wandb")
    expected[found["name"]] = found
for path in root.iterdir():
    if path.name not in expected:
        shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()
(root / "expected.json").write_text(json.dumps(expected, indent=1, sort_keys=True) + "\n")

#!/usr/bin/env python3
"""Makes `trackio/` anew: the database of a project that Trackio logged to, and `expected.json`, which holds what Python's sqlite3 reads of it.

Needs: pip install trackio
"""
import json, math, os, pathlib, shutil, sqlite3

here = pathlib.Path(__file__).parent
root = here / "trackio"
shutil.rmtree(root, ignore_errors=True)
root.mkdir()
os.environ["TRACKIO_DIR"] = str(root)
import trackio

for name, seed in [("lively-fox", 1), ("calm-owl", 2)]:
    trackio.init(project="cartpole", name=name, config={
        "lr": 0.001 * seed, "env": {"name": "CartPole-v1", "seeds": [1, 2]}, "sde": False, "api_key": "sk-abcdefghijklmnopqrstuvwxyz123456"})
    for step in range(60):
        row = {"train/loss": [1 / (step + 1), math.nan, math.inf, -math.inf][step % 4], "stats": {"grad": step * 0.5, "name": "x"}}
        if step % 30 == 0:
            row["histogram"] = trackio.Histogram([1, 2, 3])
            row["text"] = "y" * 9000
        trackio.log(row, step=step * 2)
    trackio.finish()

database = sqlite3.connect(f"file:{root / 'cartpole.db'}?mode=ro", uri=True)
rows = [
    [row, run, time, step, {key: str(value) for key, value in json.loads(metrics).items() if key != "text" and not isinstance(value, (dict, list))}]
    for row, run, time, step, metrics in database.execute("select id, run_name, timestamp, step, metrics from metrics order by id")]
configs = {run: json.loads(config) for run, config in database.execute("select run_name, config from configs")}
database.close()
for path in root.iterdir():
    if path.name != "cartpole.db":
        shutil.rmtree(path) if path.is_dir() else path.unlink()
(root / "expected.json").write_text(json.dumps({"rows": rows, "configs": configs}) + "\n")

#!/usr/bin/env python3
"""Makes `parameters/` anew: files in which programs keep what a run was started with, and `expected.json`, which holds their scalars as Python
reads them, by flat names.

Lightning's and Hugging Face's are written by the libraries; RL Zoo's by the same calls as its `ExperimentManager._save_config`; RLlib's from
the configuration in `rllib-cartpole-ppo/result.json`, as Tune's JSON logger dumps it.

Needs: pip install lightning torch transformers accelerate pyyaml
"""
import json, pathlib, shutil
from collections import OrderedDict
import yaml
from lightning.pytorch.core.saving import save_hparams_to_yaml
from transformers import TrainingArguments

here = pathlib.Path(__file__).parent
root = here / "parameters"
shutil.rmtree(root, ignore_errors=True)
(root / "lightning").mkdir(parents=True)
(root / "zoo").mkdir()
(root / "rllib").mkdir()
(root / "transformers").mkdir()

hparams = {
    "lr": 1e-05, "batch_size": 32, "amsgrad": False, "name": "it's: a # test", "note": "two words " * 20, "seed": None, "version": "1.0",
    "optimizer": {"name": "adam", "betas": [0.9, 0.999], "schedule": {"warmup": 100, "kind": "cosine"}}, "layers": (64, 64),
    "path": pathlib.PurePosixPath("/data/set"), "empty": {}, "escaped": "tab\tand \u00e9", "quoted key: yes": 3, "huge": float("inf"),
}
save_hparams_to_yaml(str(root / "lightning" / "hparams.yaml"), hparams)

saved = OrderedDict([("batch_size", 256), ("clip_range", "lin_0.2"), ("ent_coef", 0.0), ("env_wrapper", ["a.B"]), ("normalize", True),
                     ("policy", "MlpPolicy"), ("policy_kwargs", "dict(net_arch=[64, 64])"), ("learning_rate", 0.0003), ("n_timesteps", 100000.0)])
arguments = OrderedDict([("algo", "ppo"), ("conf_file", None), ("device", "auto"), ("env_kwargs", {}), ("gym_packages", []), ("n_timesteps", -1),
                         ("no_optim_plots", False), ("seed", 3)])
(root / "zoo" / "config.yml").write_text(yaml.dump(saved))
(root / "zoo" / "args.yml").write_text(yaml.dump(arguments))

config = json.loads((here / "rllib-cartpole-ppo" / "result.json").read_text().splitlines()[0])["config"]
(root / "rllib" / "params.json").write_text(json.dumps(config, indent=2, sort_keys=True))

training = TrainingArguments(output_dir="/srv/out", learning_rate=3e-4, max_steps=100, report_to=[], use_cpu=True, logging_dir="/srv/out/runs", run_name="tiny")
(root / "transformers" / "training_args.json").write_text(training.to_json_string())


def flat(value, name=""):
    if isinstance(value, dict):
        for key, member in value.items():
            yield from flat(member, f"{name}.{key}" if name else str(key))
    elif isinstance(value, (bool, int, float, str)):
        yield name, value


class Loader(yaml.SafeLoader):
    pass


Loader.add_constructor("tag:yaml.org,2002:python/object/apply:collections.OrderedDict", lambda loader, node: dict(loader.construct_sequence(node, deep=True)[0]))
Loader.add_multi_constructor("tag:yaml.org,2002:python/", lambda loader, suffix, node: None)
expected = {}
for path in sorted(root.rglob("*")):
    if path.suffix in (".yaml", ".yml"):
        found = yaml.load(path.read_text(), Loader)
    elif path.suffix == ".json":
        found = json.loads(path.read_text())
    else:
        continue
    expected[str(path.relative_to(root))] = {name: str(value) if value in (float("inf"),) else value for name, value in flat(found)}
(root / "expected.json").write_text(json.dumps(expected, indent=1, sort_keys=True) + "\n")

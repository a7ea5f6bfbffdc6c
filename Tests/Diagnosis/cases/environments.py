"""Environments and replay buffers of reinforcement learning."""

from corpus import documented, fails

fails("gym-version", "environment", """
import gymnasium
from fieldkit import steps
steps(2)
gymnasium.make("CartPole-v9")
""", r"gymnasium\.error\.VersionNotFound", needs="gymnasium", trainer="cleanrl")
fails("gym-name", "environment", """
import gymnasium
from fieldkit import steps
steps(2)
gymnasium.make("Hexapod-v1")
""", r"gymnasium\.error\.NameNotFound", needs="gymnasium", trainer="cleanrl", start="script")
fails("gym-reset-needed", "environment", """
import gymnasium
from fieldkit import steps
env = gymnasium.make("CartPole-v1")
steps(2)
env.step(0)
""", r"gymnasium\.error\.ResetNeeded", needs="gymnasium", trainer="cleanrl")
fails("gym-dependency", "environment missing-module", """
import gymnasium
from fieldkit import steps
steps(2)
gymnasium.make("LunarLander-v2")
""", r"gymnasium\.error\.DependencyNotInstalled|No module named 'Box2D'|VersionNotFound|Deprecated", needs="gymnasium", trainer="stable-baselines3", start="split")
fails("gym-action", "environment assertion", """
import gymnasium
from fieldkit import steps
env = gymnasium.make("CartPole-v1")
env.reset(seed=1)
steps(2)
env.step(7)
""", r"AssertionError: 7 .*invalid", needs="gymnasium", trainer="cleanrl")
fails("sb3-check-env", "environment assertion", """
import gymnasium, numpy
from stable_baselines3.common.env_checker import check_env
class Market(gymnasium.Env):
    observation_space = gymnasium.spaces.Box(0, 1, (3,), numpy.float32)
    action_space = gymnasium.spaces.Discrete(2)
    def reset(self, seed=None, options=None):
        return numpy.zeros(4, numpy.float32), {}
    def step(self, action):
        return numpy.zeros(4, numpy.float32), 0.0, False, False, {}
check_env(Market())
""", r"AssertionError: |shape", needs="torch stable_baselines3", trainer="stable-baselines3", family="shape")
fails("sb3-nan", "numerical", """
import gymnasium, numpy, torch
from stable_baselines3 import PPO
class Market(gymnasium.Env):
    observation_space = gymnasium.spaces.Box(-1, 1, (3,), numpy.float32)
    action_space = gymnasium.spaces.Box(-1, 1, (1,), numpy.float32)
    at = 0
    def reset(self, seed=None, options=None):
        return numpy.zeros(3, numpy.float32), {}
    def step(self, action):
        self.at += 1
        return numpy.full(3, numpy.nan if self.at > 200 else 0.1, numpy.float32), 1.0, self.at % 50 == 0, False, {}
torch.set_num_threads(1)
PPO("MlpPolicy", Market(), n_steps=128, verbose=1).learn(5000)
""", r"found invalid values", needs="torch stable_baselines3", trainer="stable-baselines3", family="code")
fails("sb3-load-spaces", "environment checkpoint", """
import gymnasium, torch
from stable_baselines3 import PPO
torch.set_num_threads(1)
PPO("MlpPolicy", "CartPole-v1", n_steps=64).save("agent")
PPO.load("agent", env=gymnasium.make("MountainCar-v0"))
""", r"Observation spaces do not match", needs="torch stable_baselines3", trainer="stable-baselines3", family="shape code")
fails("sb3-buffer-empty", "replay-buffer", """
import gymnasium
from stable_baselines3.common.buffers import ReplayBuffer
from fieldkit import steps
space = gymnasium.make("CartPole-v1")
buffer = ReplayBuffer(100, space.observation_space, space.action_space)
steps(1)
buffer.sample(32)
""", r"ValueError: high <= 0", needs="torch stable_baselines3", trainer="stable-baselines3", family="code")
fails("deque-sample", "replay-buffer", """
import collections, random
from fieldkit import steps
class ReplayBuffer:
    def __init__(self):
        self.rows = collections.deque(maxlen=1000)
    def add(self, row):
        self.rows.append(row)
    def sample(self, count):
        return random.sample(self.rows, count)
buffer = ReplayBuffer()
for row in range(20):
    buffer.add(row)
steps(3)
buffer.sample(64)
""", r"Sample larger than population or is negative", trainer="dqn", family="code")
fails("buffer-said", "replay-buffer", """
from fieldkit import configure_logging, steps
log = configure_logging()
steps(2, form="log")
log.error("ReplayBuffer.sample: not enough transitions: 31 stored, batch of 256 requested")
raise SystemExit(1)
""", r"not enough transitions", trainer="dqn")
fails("mujoco-unstable", "environment", """
import mujoco, sys
from fieldkit import steps
model = mujoco.MjModel.from_xml_string('<mujoco><worldbody><body><freejoint/><geom size="0.1" mass="1"/></body></worldbody></mujoco>')
data = mujoco.MjData(model)
steps(2)
data.qvel[0] = float("nan")
mujoco.mj_step(model, data)
if data.warning[int(mujoco.mjtWarning.mjWARN_BADQVEL)].number or data.warning[int(mujoco.mjtWarning.mjWARN_BADQACC)].number:
    print("WARNING: Nan, Inf or huge value in QVEL at DOF 0. The simulation is unstable. Time = 0.0000.", flush=True)
    raise RuntimeError("physics state is invalid: simulation is unstable")
""", r"(?i)simulation is unstable", needs="mujoco", trainer="cleanrl", family="numerical", marked="text", source="mujoco: src/engine/engine_support.c")
documented("dm-control-physics", "environment", """
Traceback (most recent call last):
  File "/opt/venv/lib/python3.10/site-packages/dm_control/mujoco/engine.py", line 350, in check_invalid_state
    raise _control.PhysicsError(
dm_control.rl.control.PhysicsError: Physics state is invalid. Warning(s) raised: mjWARN_BADQACC
""", r"PhysicsError: Physics state is invalid", "dm_control: dm_control/rl/control.py", trainer="dreamer", family="numerical")
documented("rllib-env-worker", "environment", """
ERROR actor_manager.py:517 -- Ray error, taking actor 3 out of service. The actor died because of an error raised in its creation task, ray::RolloutWorker.__init__() (pid=22817, ip=10.0.0.5, actor_id=1c, repr=<RolloutWorker object>)
gymnasium.error.NameNotFound: Environment `TradingEnv` doesn't exist.
Traceback (most recent call last):
  File "train.py", line 44, in <module>
    algo = config.build()
ray.exceptions.RayActorError: The actor died because of an error raised in its creation task, ray::RolloutWorker.__init__() (pid=22817, ip=10.0.0.5)
""", r"gymnasium\.error\.NameNotFound: Environment `TradingEnv`", "ray: rllib/utils/actor_manager.py", trainer="rllib", family="worker-lost")

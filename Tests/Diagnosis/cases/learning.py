"""What libraries for learning refuse: shapes, devices, gradients, values that are none, graphs that do not compile."""

from corpus import documented, fails

# shape
fails("torch-matmul", "shape", """
import torch
from fieldkit import steps
steps(1)
torch.nn.Linear(128, 10)(torch.zeros(32, 256))
""", r"mat1 and mat2 shapes cannot be multiplied \(32x256 and 128x10\)", needs="torch", trainer="pytorch")
fails("torch-cat", "shape", """
import torch
from fieldkit import steps
steps(1)
torch.cat([torch.zeros(2, 3), torch.zeros(3, 4)])
""", r"Sizes of tensors must match except in dimension 0", needs="torch", trainer="pytorch", start="script")
fails("torch-broadcast", "shape", """
import torch
from fieldkit import steps
steps(1, form="iter")
torch.zeros(4, 3) + torch.zeros(4, 5)
""", r"The size of tensor a \(3\) must match the size of tensor b \(5\)", needs="torch", trainer="nanogpt")
fails("torch-stack-batch", "shape", """
import torch
from torch.utils.data import DataLoader
from fieldkit import steps
steps(1)
for batch in DataLoader([torch.zeros(3), torch.zeros(4)], batch_size=2):
    pass
""", r"stack expects each tensor to be equal size", needs="torch", trainer="pytorch", start="tee")
fails("torch-cross-entropy", "shape", """
import torch
from fieldkit import steps
steps(1)
torch.nn.functional.cross_entropy(torch.zeros(8, 10), torch.zeros(7, dtype=torch.long))
""", r"Expected input batch_size \(8\) to match target batch_size \(7\)", needs="torch", trainer="pytorch", family="code")
fails("numpy-broadcast", "shape", """
import numpy
from fieldkit import steps
steps(2)
numpy.zeros((3, 4)) + numpy.zeros((3, 5))
""", r"operands could not be broadcast together", needs="numpy", trainer="numpy", family="code")
fails("numpy-inhomogeneous", "shape", """
import numpy
from fieldkit import steps
steps(2)
numpy.array([[1, 2], [3]], dtype=float)
""", r"inhomogeneous shape", needs="numpy", trainer="numpy", family="code", start="script")
fails("sklearn-features", "shape", """
import numpy
from sklearn.linear_model import LogisticRegression
from fieldkit import steps
model = LogisticRegression().fit(numpy.arange(8).reshape(4, 2), [0, 1, 0, 1])
steps(1)
model.predict(numpy.zeros((1, 3)))
""", r"X has 3 features, but LogisticRegression is expecting 2 features", needs="sklearn", trainer="sklearn", family="code")
fails("sklearn-lengths", "shape", """
from sklearn.linear_model import LinearRegression
from fieldkit import steps
steps(1)
LinearRegression().fit([[1], [2], [3]], [1, 2])
""", r"inconsistent numbers of samples", needs="sklearn", trainer="sklearn", family="code", start="split")
fails("xgboost-feature-shape", "shape", """
import numpy, xgboost
from fieldkit import steps
data = xgboost.DMatrix(numpy.random.rand(50, 4), label=numpy.random.rand(50))
booster = xgboost.train({}, data, 5, evals=[(data, "train")])
steps(1)
booster.predict(xgboost.DMatrix(numpy.random.rand(5, 6)))
""", r"Feature shape mismatch, expected: 4, got 6|Number of columns does not match|columns", needs="xgboost", trainer="xgboost", family="code")
fails("catboost-lengths", "shape", """
from catboost import CatBoostRegressor
from fieldkit import steps
steps(1)
CatBoostRegressor(iterations=3).fit([[1, 2], [3, 4]], [1, 2, 3])
""", r"Length of label=3 and length of data=2 is different", needs="catboost", trainer="catboost", family="code", start="tee")
fails("lightgbm-features", "shape", """
import lightgbm, numpy
from fieldkit import steps
model = lightgbm.train({"verbosity": 1}, lightgbm.Dataset(numpy.random.rand(60, 4), numpy.random.rand(60)), 5)
steps(1)
model.predict(numpy.random.rand(3, 7))
""", r"The number of features in data \(7\) is not the same as it was in training data \(4\)", needs="lightgbm", trainer="lightgbm", family="code")
fails("jax-matmul", "shape", """
import jax.numpy
from fieldkit import steps
steps(1)
jax.numpy.dot(jax.numpy.zeros((3, 4)), jax.numpy.zeros((5, 6)))
""", r"dot_general requires contracting dimensions to have the same shape", needs="jax", trainer="jax", family="code")
fails("keras-input", "shape", """
import os
os.environ["KERAS_BACKEND"] = "jax"
import keras, numpy
from fieldkit import steps
model = keras.Sequential([keras.Input((8,)), keras.layers.Dense(4)])
steps(1)
model(numpy.zeros((2, 9)))
""", r"incompatible with the layer|is incompatible with layer|expected shape", needs="keras jax", trainer="keras", family="code", start="script")

# placement
fails("torch-dtype", "placement", """
import torch
from fieldkit import steps
steps(1)
torch.nn.Linear(4, 4)(torch.zeros(2, 4, dtype=torch.float64))
""", r"mat1 and mat2 must have the same dtype|expected (m1 and m2|scalar type)", needs="torch", trainer="pytorch", family="shape")
fails("torch-label-dtype", "placement", """
import torch
from fieldkit import steps
steps(1)
torch.nn.functional.nll_loss(torch.zeros(4, 3), torch.zeros(4))
""", r"expected (scalar type Long but found|target dtype to be Long or Byte, but got) Float", needs="torch", trainer="pytorch", start="script")
fails("torch-meta-device", "placement", """
import torch
from fieldkit import steps
steps(1)
torch.zeros(3, device="meta") + torch.zeros(3)
torch.nn.Linear(3, 3, device="meta")(torch.zeros(1, 3))
""", r"Expected all tensors to be on the same device|is on (cpu|meta)|Tensor on device", needs="torch", trainer="pytorch")
documented("torch-two-devices", "placement", """
Traceback (most recent call last):
  File "ppo.py", line 203, in <module>
    advantages = returns - values
RuntimeError: Expected all tensors to be on the same device, but found at least two devices, cuda:0 and cpu!
""", r"Expected all tensors to be on the same device", "pytorch: aten/src/ATen/TensorIterator.cpp", trainer="cleanrl")

# autograd
fails("no-grad", "autograd", """
import torch
from fieldkit import steps
steps(1)
torch.zeros(3).sum().backward()
""", r"element 0 of tensors does not require grad", needs="torch", trainer="pytorch")
fails("backward-twice", "autograd", """
import torch
from fieldkit import steps
steps(1, form="iter")
loss = (torch.ones(3, requires_grad=True) ** 2).sum()
loss.backward()
loss.backward()
""", r"Trying to backward through the graph a second time", needs="torch", trainer="nanogpt", start="script")
fails("inplace", "autograd", """
import torch
from fieldkit import steps
steps(1)
x = torch.ones(3, requires_grad=True)
y = torch.sigmoid(x * 1)
y += 1
y.sum().backward()
""", r"has been modified by an inplace operation", needs="torch", trainer="cleanrl", start="split")
fails("leaf-inplace", "autograd", """
import torch
from fieldkit import steps
steps(1)
x = torch.ones(3, requires_grad=True)
x += 1
""", r"a leaf Variable that requires grad is being used in an in-place operation", needs="torch", trainer="pytorch")

# numerical
fails("sklearn-nan", "numerical", """
import numpy
from sklearn.linear_model import Ridge
from fieldkit import steps
steps(1)
Ridge().fit(numpy.array([[1.0], [numpy.nan]]), [1, 2])
""", r"Input X contains NaN", needs="sklearn", trainer="sklearn", family="code")
fails("sklearn-infinite", "numerical", """
import numpy
from sklearn.ensemble import RandomForestClassifier
from fieldkit import steps
steps(1)
RandomForestClassifier().fit(numpy.array([[1.0], [numpy.inf]]), [0, 1])
""", r"Input X contains infinity or a value too large", needs="sklearn", trainer="sklearn", family="code", start="script")
fails("numpy-floating-point", "numerical", """
import numpy
from fieldkit import steps
numpy.seterr(all="raise")
steps(2)
numpy.log(numpy.array([1.0, 0.0]))
""", r"FloatingPointError: divide by zero", needs="numpy", trainer="numpy")
fails("linalg-singular", "numerical", """
import numpy
from fieldkit import steps
steps(2)
numpy.linalg.inv(numpy.zeros((3, 3)))
""", r"numpy\.linalg\.LinAlgError: Singular matrix", needs="numpy", trainer="numpy", start="split")
fails("distribution-nan", "numerical", """
import torch
from fieldkit import steps
steps(1)
torch.distributions.Normal(torch.tensor([float("nan")]), torch.ones(1))
""", r"but found invalid values", needs="torch", trainer="stable-baselines3", family="code")
fails("anomaly-nan", "numerical", """
import torch
from fieldkit import steps
steps(1)
with torch.autograd.detect_anomaly():
    x = torch.zeros(1, requires_grad=True)
    (torch.sqrt(x) * 0).backward()
""", r"returned nan values in its 0th output", needs="torch", trainer="pytorch", family="autograd")
fails("multinomial-nan", "numerical", """
import torch
from fieldkit import steps
steps(1, form="iter")
torch.multinomial(torch.tensor([float("nan"), 1.0]), 1)
""", r"probability tensor contains either `inf`, `nan` or element < 0", needs="torch", trainer="nanogpt")
fails("terminate-on-nan", "numerical", """
import torch, pytorch_lightning
from torch.utils.data import DataLoader
class Model(pytorch_lightning.LightningModule):
    def __init__(self):
        super().__init__()
        self.layer = torch.nn.Linear(2, 1)
    def training_step(self, batch, index):
        return self.layer(batch).mean() * float("nan")
    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), 0.1)
pytorch_lightning.Trainer(max_epochs=3, detect_anomaly=True, logger=False, enable_checkpointing=False).fit(Model(), DataLoader(torch.zeros(8, 2)))
""", r"returned nan values|is not a finite|nan", needs="torch pytorch_lightning", trainer="lightning", family="autograd")
fails("catboost-nan-label", "numerical data-corrupt", """
from catboost import CatBoostRegressor
from fieldkit import steps
steps(1)
CatBoostRegressor(iterations=3).fit([[1], [2], [3]], [1.0, float("nan"), 2.0])
""", r"does not allow nan values in target data|Target contains nan", needs="catboost", trainer="catboost", family="code")
fails("xgboost-label-nan", "numerical", """
import numpy, xgboost
from fieldkit import steps
steps(1)
data = xgboost.DMatrix(numpy.random.rand(10, 2), label=[float("nan")] * 10)
xgboost.train({}, data, 3)
""", r"Label contains NaN, infinity or a value too large", needs="xgboost", trainer="xgboost", family="data-corrupt", start="script")
documented("deepspeed-loss-scale", "numerical", """
[2026-11-20 11:04:51,102] [INFO] [loss_scaler.py:190:update_scale] [deepspeed] OVERFLOW! Rank 0 Skipping step. Attempted loss scale: 1, but hysteresis is 2. Reducing hysteresis to 1
Traceback (most recent call last):
  File "/opt/venv/lib/python3.10/site-packages/deepspeed/runtime/fp16/loss_scaler.py", line 175, in update_scale
    raise Exception(
Exception: Current loss scale already at minimum - cannot decrease scale anymore. Exiting run.
""", r"Current loss scale already at minimum", "deepspeed: deepspeed/runtime/fp16/loss_scaler.py", trainer="deepspeed")
documented("megatron-nan", "numerical", """
 iteration      120/  500000 | consumed samples:        61440 | elapsed time per iteration (ms): 4120.2 | learning rate: 1.200E-05 | global batch size:   512 | lm loss: NAN | loss scale: 1.0 | number of skipped iterations:   0 | number of nan iterations:   1 |
Traceback (most recent call last):
  File "/workspace/megatron/core/rerun_state_machine.py", line 460, in validate_result
RuntimeError: found NaN in local forward loss calculation. Device: 0, node: node12
""", r"found NaN in local forward loss calculation", "megatron-lm: megatron/training/training.py", trainer="megatron")

# lookup, code of libraries
fails("hf-config-key", "lookup dependency-conflict", """
from transformers import AutoConfig
from fieldkit import steps
import json
open("config.json", "w").write(json.dumps({"model_type": "llama9"}))
steps(1)
AutoConfig.from_pretrained(".")
""", r"KeyError: 'llama9'|does not recognize this architecture", needs="transformers", trainer="huggingface", family="code configuration dependency-conflict")
fails("torch-index", "lookup", """
import torch
from fieldkit import steps
steps(1)
torch.nn.Embedding(100, 8)(torch.tensor([5, 120]))
""", r"IndexError: index out of range in self", needs="torch", trainer="pytorch", start="script")
fails("sklearn-not-fitted", "code", """
from sklearn.linear_model import LinearRegression
from fieldkit import steps
steps(1)
LinearRegression().predict([[1]])
""", r"NotFittedError: This LinearRegression instance is not fitted yet", needs="sklearn", trainer="sklearn")
fails("xgboost-objective", "configuration", """
import numpy, xgboost
from fieldkit import steps
steps(1)
xgboost.train({"objective": "reg:squared"}, xgboost.DMatrix(numpy.random.rand(9, 2), label=numpy.random.rand(9)), 3)
""", r"Unknown objective function: `reg:squared`", needs="xgboost", trainer="xgboost", family="code")
fails("lightgbm-objective", "configuration", """
import lightgbm, numpy
from fieldkit import steps
steps(1)
lightgbm.train({"objective": "binari"}, lightgbm.Dataset(numpy.random.rand(60, 4), numpy.random.rand(60)), 5)
""", r"Unknown objective type name: binari", needs="lightgbm", trainer="lightgbm", family="code", start="script")
fails("lightgbm-label", "code configuration data-corrupt", """
import lightgbm, numpy
from fieldkit import steps
steps(1)
lightgbm.train({"objective": "multiclass", "num_class": 2}, lightgbm.Dataset(numpy.random.rand(60, 4), numpy.full(60, 5)), 5)
""", r"Label must be in \[0, 2\)", needs="lightgbm", trainer="lightgbm", family="assertion")

# dataloader workers
fails("loader-worker-exception", "lookup", """
import torch
from torch.utils.data import DataLoader, Dataset
from fieldkit import steps
class Rows(Dataset):
    def __len__(self):
        return 100
    def __getitem__(self, index):
        return {"x": torch.zeros(2)}["y" if index == 40 else "x"]
if __name__ == "__main__":
    steps(1)
    for batch in DataLoader(Rows(), batch_size=4, num_workers=1):
        pass
""", r"KeyError: 'y'", needs="torch", trainer="pytorch", family="dataloader-worker")
fails("loader-worker-killed", "dataloader-worker", """
import os, signal, time, torch
from torch.utils.data import DataLoader, Dataset
from fieldkit import steps
class Rows(Dataset):
    def __len__(self):
        return 100
    def __getitem__(self, index):
        if index == 40:
            os.kill(os.getpid(), signal.SIGKILL)
        return torch.zeros(2)
if __name__ == "__main__":
    steps(1)
    for batch in DataLoader(Rows(), batch_size=4, num_workers=1):
        time.sleep(0.1)
""", r"DataLoader worker \(pid.*\) (is killed by signal|exited unexpectedly)", needs="torch", trainer="pytorch", family="killed", start="script")

# compilation
fails("gxx-extension", "compilation", """
import subprocess
from fieldkit import steps
open("op.cpp", "w").write("#include <torch/extension_missing.h>\\nint main() {}\\n")
steps(2)
done = subprocess.run(["g++", "-c", "op.cpp"], capture_output=True, text=True)
if done.returncode:
    raise RuntimeError("Error building extension 'fused_op': " + done.stderr)
""", r"Error building extension 'fused_op'", trainer="pytorch", family="missing-file")
fails("jax-tracer", "compilation code", """
import jax
from fieldkit import steps
@jax.jit
def clip(x):
    return x if x > 0 else -x
steps(1)
clip(1.0)
""", r"TracerBoolConversionError|ConcretizationTypeError", needs="jax", trainer="jax")
documented("triton-compile", "compilation", """
Traceback (most recent call last):
  File "/opt/venv/lib/python3.10/site-packages/triton/compiler/compiler.py", line 279, in compile
    module = src.make_ir(options, codegen_fns, module_map, context)
triton.compiler.errors.CompilationError: at 14:22:
    acc = tl.zeros((BLOCK_M, BLOCK_N), dtype=tl.float32)
    for k in range(0, K, BLOCK_K):
        a = tl.load(a_ptrs + k)
                      ^
AssertionError('Mismatched type for acc between then block and else block')
""", r"triton\.compiler\.errors\.CompilationError", "triton: python/triton/compiler/errors.py", family="assertion")
documented("inductor-compile", "compilation", """
torch._dynamo.exc.BackendCompilerFailed: backend='inductor' raised:
CalledProcessError: Command '['/usr/bin/gcc', '/tmp/tmpz2/main.c', '-O3', '-shared', '-fPIC', '-o', '/tmp/tmpz2/cuda_utils.so', '-lcuda']' returned non-zero exit status 1.

Set TORCH_LOGS="+dynamo" and TORCHDYNAMO_VERBOSE=1 for more information
""", r"BackendCompilerFailed: backend='inductor' raised", "pytorch: torch/_dynamo/exc.py", trainer="nanogpt")
documented("ninja-extension", "compilation", """
[1/2] /usr/local/cuda/bin/nvcc -DTORCH_EXTENSION_NAME=cpu_adam -c cpu_adam.cu -o cpu_adam.cuda.o
FAILED: cpu_adam.cuda.o
nvcc fatal   : Unsupported gpu architecture 'compute_120'
ninja: build stopped: subcommand failed.
Traceback (most recent call last):
  File "/opt/venv/lib/python3.10/site-packages/torch/utils/cpp_extension.py", line 2112, in _run_ninja_build
    raise RuntimeError(message) from e
RuntimeError: Error building extension 'cpu_adam'
""", r"nvcc fatal   : Unsupported gpu architecture|Error building extension 'cpu_adam'", "pytorch: torch/utils/cpp_extension.py", trainer="deepspeed")

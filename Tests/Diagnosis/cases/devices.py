"""Accelerators and their libraries: the documented messages, because no such device is here. What runs without one is real."""

from corpus import documented, fails

TRACE = """Traceback (most recent call last):
  File "train.py", line 144, in <module>
    loss = model(batch).loss"""

# device-memory
documented("cuda-oom", "device-memory", TRACE + """
torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 2.25 GiB. GPU 0 has a total capacity of 79.10 GiB of which 1.07 GiB is free. Including non-PyTorch memory, this process has 78.02 GiB memory in use. Of the allocated memory 74.11 GiB is allocated by PyTorch, and 2.62 GiB is reserved by PyTorch but unallocated.
""", r"CUDA out of memory", "pytorch: c10/cuda/CUDACachingAllocator.cpp", start="script")
documented("cuda-oom-old", "device-memory", TRACE + """
RuntimeError: CUDA out of memory. Tried to allocate 512.00 MiB (GPU 3; 23.70 GiB total capacity; 21.50 GiB already allocated; 310.56 MiB free; 21.90 GiB reserved in total by PyTorch)
""", r"CUDA out of memory", "pytorch 1.13: c10/cuda/CUDACachingAllocator.cpp", trainer="stable-baselines3")
documented("cublas-alloc", "device-memory", TRACE + """
RuntimeError: CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`
""", r"CUBLAS_STATUS_ALLOC_FAILED", "pytorch: aten/src/ATen/cuda/CublasHandlePool.cpp", family="device-library")
documented("hip-oom", "device-memory", TRACE + """
torch.OutOfMemoryError: HIP out of memory. Tried to allocate 1024.00 MiB. GPU 0 has a total capacity of 63.98 GiB of which 412.00 MiB is free.
""", r"HIP out of memory", "pytorch: c10/hip/HIPCachingAllocator.cpp", trainer="nanogpt")
documented("xla-resource-exhausted", "device-memory", """
Traceback (most recent call last):
  File "train.py", line 60, in main
    state = train_step(state, batch)
jaxlib.xla_extension.XlaRuntimeError: RESOURCE_EXHAUSTED: Out of memory while trying to allocate 17179869184 bytes.
""", r"RESOURCE_EXHAUSTED: Out of memory", "jax: docs/gpu_memory_allocation", trainer="jax")
documented("tf-oom", "device-memory", """
tensorflow.python.framework.errors_impl.ResourceExhaustedError: {{function_node __wrapped__Conv2D}} OOM when allocating tensor with shape[256,512,56,56] and type float on /job:localhost/replica:0/task:0/device:GPU:0 by allocator GPU_0_bfc [Op:Conv2D]
""", r"OOM when allocating tensor with shape", "tensorflow: tensorflow/core/framework/op_kernel.cc", trainer="keras")
documented("vllm-kv-cache", "device-memory", """
ValueError: No available memory for the cache blocks. Try increasing `gpu_memory_utilization` when initializing the engine.
""", r"No available memory for the cache blocks", "vllm: vllm/worker/worker.py", trainer="trl", family="code")

# illegal access, asserts, libraries
documented("illegal-access", "illegal-access", TRACE + """
torch.AcceleratorError: CUDA error: an illegal memory access was encountered
CUDA kernel errors might be asynchronously reported at some other API call, so the stacktrace below might be incorrect.
For debugging consider passing CUDA_LAUNCH_BLOCKING=1
Compile with `TORCH_USE_CUDA_DSA` to enable device-side assertions.
""", r"an illegal memory access was encountered", "pytorch: c10/cuda/CUDAException.cpp")
documented("misaligned", "illegal-access", TRACE + """
RuntimeError: CUDA error: misaligned address
CUDA kernel errors might be asynchronously reported at some other API call, so the stacktrace below might be incorrect.
""", r"CUDA error: misaligned address", "cuda: cudaErrorMisalignedAddress", trainer="deepspeed")
documented("device-assert", "device-assert", """
/pytorch/aten/src/ATen/native/cuda/Loss.cu:250: nll_loss_forward_reduce_cuda_kernel_2d: block: [0,0,0], thread: [4,0,0] Assertion `t >= 0 && t < n_classes` failed.
""" + TRACE + """
RuntimeError: CUDA error: device-side assert triggered
CUDA kernel errors might be asynchronously reported at some other API call, so the stacktrace below might be incorrect.
""", r"device-side assert triggered|Assertion `t >= 0 && t < n_classes` failed", "pytorch: aten/src/ATen/native/cuda/Loss.cu", family="assertion")
documented("device-assert-index", "device-assert", """
../aten/src/ATen/native/cuda/Indexing.cu:1236: indexSelectSmallIndex: block: [5,0,0], thread: [33,0,0] Assertion `srcIndex < srcSelectDimSize` failed.
""" + TRACE + """
RuntimeError: CUDA error: device-side assert triggered
""", r"device-side assert triggered|srcIndex < srcSelectDimSize", "pytorch: aten/src/ATen/native/cuda/Indexing.cu", trainer="huggingface", family="assertion lookup", start="split")
documented("cublas-execution", "device-library", TRACE + """
RuntimeError: CUDA error: CUBLAS_STATUS_EXECUTION_FAILED when calling `cublasSgemm( handle, opa, opb, m, n, k, &alpha, a, lda, b, ldb, &beta, c, ldc)`
""", r"CUBLAS_STATUS_EXECUTION_FAILED", "pytorch: aten/src/ATen/cuda/CUDABlas.cpp")
documented("cudnn-internal", "device-library", TRACE + """
RuntimeError: cuDNN error: CUDNN_STATUS_INTERNAL_ERROR
You can try to repro this exception using the following code snippet.
""", r"CUDNN_STATUS_INTERNAL_ERROR", "pytorch: aten/src/ATen/native/cudnn/Conv_v7.cpp", trainer="keras")

# no device, wrong driver
documented("no-gpus", "device-unavailable", TRACE + """
RuntimeError: No CUDA GPUs are available
""", r"No CUDA GPUs are available", "pytorch: c10/cuda/CUDAFunctions.cpp", trainer="cleanrl")
documented("not-compiled", "device-unavailable", """
Traceback (most recent call last):
  File "train.py", line 20, in <module>
    model.to("cuda")
AssertionError: Torch not compiled with CUDA enabled
""", r"Torch not compiled with CUDA enabled", "pytorch: torch/cuda/__init__.py", family="assertion")
documented("devices-busy", "device-unavailable", TRACE + """
RuntimeError: CUDA error: all CUDA-capable devices are busy or unavailable
""", r"all CUDA-capable devices are busy or unavailable", "cuda: cudaErrorDevicesUnavailable", trainer="isaac")
fails("torch-no-driver", "device-unavailable driver", """
import torch
from fieldkit import steps
steps(1)
torch.zeros(1).cuda()
""", r"Found no NVIDIA driver on your system|not compiled with CUDA|No CUDA", needs="torch", trainer="pytorch", family="assertion")
fails("torch-no-xpu", "device-unavailable", """
import torch
from fieldkit import steps
steps(1)
torch.zeros(1, device="cuda:3")
""", r"Found no NVIDIA driver on your system|not compiled with CUDA|No CUDA", needs="torch", trainer="pytorch", family="driver assertion", start="script")
fails("lightning-no-gpu", "device-unavailable", """
import pytorch_lightning
pytorch_lightning.Trainer(accelerator="gpu", devices=2)
""", r"MisconfigurationException: (`CUDAAccelerator` can not run|No supported gpu backend found)", needs="torch pytorch_lightning", trainer="lightning", family="configuration", start="split")
documented("driver-mismatch", "driver", """
NVIDIA-SMI has failed because it couldn't communicate with the NVIDIA driver.
Failed to initialize NVML: Driver/library version mismatch
NVML library version: 550.54
""", r"Driver/library version mismatch", "nvidia: NVML_ERROR_LIB_RM_VERSION_MISMATCH", end="exit 18")
documented("driver-insufficient", "driver", TRACE + """
RuntimeError: CUDA driver version is insufficient for CUDA runtime version
""", r"CUDA driver version is insufficient for CUDA runtime version", "cuda: cudaErrorInsufficientDriver")
documented("no-kernel-image", "driver", TRACE + """
RuntimeError: CUDA error: no kernel image is available for execution on the device
CUDA kernel errors might be asynchronously reported at some other API call, so the stacktrace below might be incorrect.
""", r"no kernel image is available for execution on the device", "cuda: cudaErrorNoKernelImageForDevice", trainer="trl")

# faults, in the kernel's log that is followed as a file
XID = """{python} -u {program} > logs/train.log 2>&1 & p=$!; sleep 3
echo "$(date '+%b %e %H:%M:%S') node7 kernel: NVRM: Xid (PCI:0000:3b:00): %s" >> logs/kern.log
wait $p"""
UNSPECIFIED = """
import sys
from fieldkit import steps
steps(5)
sys.stderr.write('''Traceback (most recent call last):
  File "train.py", line 144, in <module>
    loss.backward()
RuntimeError: CUDA error: %s
''')
raise SystemExit(1)
"""
fails("xid-79", "device-fault", UNSPECIFIED % "unspecified launch failure", r"Xid .*79|fallen off the bus", marked="text", trainer="pytorch",
      source="nvidia: Xid catalogue, 79", start=XID.replace("%s", "79, pid=4127, name=python, GPU has fallen off the bus."))
fails("xid-48", "device-fault", UNSPECIFIED % "uncorrectable ECC error encountered", r"Xid .*48|uncorrectable ECC error", marked="text", trainer="megatron",
      source="nvidia: Xid catalogue, 48", start=XID.replace("%s", "48, pid=4127, name=python, An uncorrectable double bit error (DBE) has been detected on GPU."))
documented("ecc-traceback", "device-fault", TRACE + """
RuntimeError: CUDA error: uncorrectable ECC error encountered
CUDA kernel errors might be asynchronously reported at some other API call, so the stacktrace below might be incorrect.
""", r"uncorrectable ECC error encountered", "cuda: cudaErrorECCUncorrectable", trainer="megatron")

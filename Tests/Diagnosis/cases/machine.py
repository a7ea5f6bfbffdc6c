"""What a machine gives out: memory, disks, descriptors, processes, permission, and files that are not there."""

from corpus import documented, fails

ULIMIT = "ulimit -v 600000; exec {python} -u {program} > logs/train.log 2>&1"
TMPFS = "mkdir -p out; mount -t tmpfs -o size=1M,mode=777 tmpfs out; exec {python} -u {program} > logs/train.log 2>&1"
OTHER = "exec setpriv --reuid=64011 --regid=64011 --clear-groups {python} -u {program} > logs/train.log 2>&1"
CGROUP = """g=/sys/fs/cgroup/memory/training-$(cat /proc/sys/kernel/random/uuid); mkdir $g; echo 64M > $g/memory.limit_in_bytes
( echo 0 > $g/cgroup.procs; exec {python} -u {program} > logs/train.log 2>&1 )
code=$?; rmdir $g; exit $code"""

# host-memory
fails("memory-error-bytes", "host-memory", """
from fieldkit import steps
steps(3)
buffer = [bytearray(64 << 20) for _ in range(40)]
""", r"MemoryError", start=ULIMIT)
fails("memory-error-numpy", "host-memory", """
import numpy
from fieldkit import steps
steps(3)
observations = numpy.zeros((1_000_000_000, 84, 84, 4), dtype=numpy.float32)
""", r"Unable to allocate .* for an array with shape", needs="numpy", trainer="dqn", start="script")
fails("memory-fork", "host-memory", """
import errno, os
from fieldkit import steps
steps(3)
def fork_worker():
    raise OSError(errno.ENOMEM, os.strerror(errno.ENOMEM))
fork_worker()
""", r"OSError: \[Errno 12\] Cannot allocate memory", marked="text", source="fork(2)")
fails("bad-alloc", "host-memory", """
cat > reader.cc <<'END'
#include <cstdio>
#include <vector>
int main() {
  for (int step = 0; step < 20; ++step) { std::printf("step %d loss %.3f\\n", step, 2.0 / (step + 1)); std::fflush(stdout); }
  std::vector<char> rows(1ull << 40);
  return rows[5];
}
END
g++ -O0 -o reader reader.cc && sleep 2 && ulimit -v 4000000 && ./reader
""", r"std::bad_alloc", start="shell", trainer="c++", language="sh", family="aborted")
documented("default-cpu-allocator", "host-memory", """
Traceback (most recent call last):
  File "train.py", line 88, in <module>
    features = torch.empty(args.rows, args.width)
RuntimeError: [enforce fail at alloc_cpu.cpp:121] err == 0. DefaultCPUAllocator: can't allocate memory: you tried to allocate 409600000000 bytes. Error code 12 (Cannot allocate memory)
""", r"DefaultCPUAllocator: can't allocate memory", "pytorch: c10/core/impl/alloc_cpu.cpp")

# the kernel's and a group's limit
fails("cgroup-oom-real", "host-memory-cgroup", """
from fieldkit import steps
steps(4)
rows = []
while True:
    rows.append(bytearray(b"x") * (4 << 20))
""", r"(?i)memory cgroup out of memory|oom[_ ]kill", is_in_log=False, start=CGROUP, needs_cgroup=True, alone=True,
      family="host-memory-kernel host-memory killed")
fails("kernel-oom-kern-log", "host-memory-kernel", """
from fieldkit import steps
steps(60)
""", r"Out of memory: Killed process", family="host-memory-cgroup killed host-memory", marked="text",
      source="linux: mm/oom_kill.c, __oom_kill_process", start="""{python} -u {program} > logs/train.log 2>&1 & p=$!; sleep 4; kill -9 $p
echo "$(date '+%b %e %H:%M:%S') node7 kernel: python3 invoked oom-killer: gfp_mask=0x140cca(GFP_HIGHUSER_MOVABLE|__GFP_COMP), order=0, oom_score_adj=0" >> logs/kern.log
echo "$(date '+%b %e %H:%M:%S') node7 kernel: Out of memory: Killed process $p (python3) total-vm:132183452kB, anon-rss:126101220kB, file-rss:0kB, shmem-rss:0kB, UID:1000 pgtables:250212kB oom_score_adj:0" >> logs/kern.log
wait $p""")
documented("slurm-oom-step", "host-memory-cgroup", """
slurmstepd: error: Detected 1 oom_kill event in StepId=81233.0. Some of the step tasks have been OOM Killed.
srun: error: node014: task 3: Out Of Memory
srun: Terminating StepId=81233.0
""", r"Detected 1 oom_kill event|Out Of Memory", "slurm: src/plugins/task/cgroup/task_cgroup_memory.c", trainer="slurm",
           end="exit 137", family="host-memory-kernel host-memory child-failed",
           start="exec {python} -u {program} > logs/slurm-81233.out 2>&1")
documented("slurm-memory-limit", "host-memory-cgroup", """
slurmstepd: error: Job 77120 exceeded memory limit (68412312 > 67108864), being killed
slurmstepd: error: Exceeded job memory limit
slurmstepd: error: *** JOB 77120 ON node003 CANCELLED AT 2026-11-20T11:03:52 ***
""", r"Exceeded job memory limit|exceeded memory limit", "slurm: src/plugins/jobacct_gather", trainer="slurm", end="signal SIGTERM",
           family="host-memory cancelled terminated", start="exec {python} -u {program} > logs/slurm-77120.out 2>&1")
documented("kubernetes-oomkilled", "host-memory-cgroup", """
2026-11-20T11:04:10Z INFO launcher: pod trainer-worker-2 phase=Failed
    State:          Terminated
      Reason:       OOMKilled
      Exit Code:    137
""", r"OOMKilled", "kubernetes: docs/tasks/configure-pod-container/assign-memory-resource", trainer="kubernetes", end="exit 1",
           family="host-memory-kernel host-memory killed")
documented("ray-memory-monitor", "host-memory-kernel", """
ray.exceptions.OutOfMemoryError: Task was killed due to the node running low on memory.
Memory on the node (IP: 10.0.0.12, ID: 3b1f) where the task (actor ID: 7a2c, name=RolloutWorker.__init__, pid=4127, memory used=22.41GB) was running was 60.81GB / 64.00GB (0.950156), which exceeds the memory usage threshold of 0.95. Ray killed this worker (ID: 91ab) because it was the most recently scheduled task; to see more information about memory usage on this node, use `ray logs raylet.out -ip 10.0.0.12`.
""", r"Task was killed due to the node running low on memory|OutOfMemoryError", "ray: src/ray/raylet/node_manager.cc", trainer="rllib",
           family="host-memory worker-lost")

# shared memory
fails("shm-too-small-real", "shared-memory", """
import torch
from torch.utils.data import DataLoader, Dataset
from fieldkit import steps
class Frames(Dataset):
    def __len__(self):
        return 64
    def __getitem__(self, index):
        return torch.zeros(3, 512, 512)
if __name__ == "__main__":
    steps(2)
    for batch in DataLoader(Frames(), batch_size=8, num_workers=1):
        print(batch.shape, flush=True)
""", r"insufficient shared memory \(shm\)|Bus error|No space left on device|unable to (write|allocate|resize|open) ", needs="torch", trainer="pytorch",
      family="dataloader-worker bus-error disk-full",
      start="mount -t tmpfs -o size=4M tmpfs /dev/shm; exec {python} -u {program} > logs/train.log 2>&1")
documented("shm-bus-error", "shared-memory", """
ERROR: Unexpected bus error encountered in worker. This might be caused by insufficient shared memory (shm).
Traceback (most recent call last):
  File "/opt/conda/lib/python3.10/site-packages/torch/utils/data/dataloader.py", line 1133, in _try_get_data
    data = self._data_queue.get(timeout=timeout)
  File "/opt/conda/lib/python3.10/multiprocessing/queues.py", line 122, in get
    return _ForkingPickler.loads(res)
RuntimeError: DataLoader worker (pid 2917) is killed by signal: Bus error. It is possible that dataloader's workers are out of shared memory. Please try to raise your shared memory limit.
""", r"insufficient shared memory \(shm\)", "pytorch: torch/csrc/DataLoader.cpp", family="dataloader-worker bus-error")

# disks
fails("disk-full-checkpoint", "disk-full", """
from fieldkit import steps
steps(3)
with open("out/checkpoint-100.bin", "wb") as out:
    out.write(b"\\0" * (2 << 20))
""", r"OSError: \[Errno 28\] No space left on device", start=TMPFS)
fails("disk-full-torch-save", "disk-full", """
import torch
from fieldkit import steps
steps(2)
torch.save({"weights": torch.zeros(1_000_000)}, "out/model.pt")
""", r"No space left on device|PytorchStreamWriter failed|file write failed|unexpected pos", start=TMPFS, needs="torch", trainer="pytorch", family="checkpoint")
fails("disk-full-logged", "disk-full", """
import shutil
from fieldkit import configure_logging, steps
log = configure_logging(filename="logs/train.log")
steps(3, form="log")
open("weights.bin", "wb").write(b"\\0" * (3 << 20))
try:
    shutil.copy("weights.bin", "out/weights.bin")
except OSError as error:
    log.error("could not save checkpoint: %s", error)
    raise SystemExit(74)
""", r"No space left on device", start=TMPFS.replace("> logs/train.log", "> /dev/null"))
fails("disk-full-of-log", "disk-full", """
import sys
from fieldkit import steps
steps(3)
while True:
    print("sample", "x" * 4000, flush=True)
""", r"(?i)no space left on device|disk.*full|filled", family="unknown", is_in_log=False, start="""mount -t tmpfs -o size=256k,mode=777 tmpfs logs
exec {python} -u {program} > logs/train.log 2> logs/stderr.log""")
documented("disk-quota", "disk-full", """
Traceback (most recent call last):
  File "run_clm.py", line 641, in main
    trainer.save_model()
OSError: [Errno 122] Disk quota exceeded: '/scratch/u117/out/checkpoint-5000/optimizer.pt'
""", r"Disk quota exceeded", "errno(3), EDQUOT", trainer="huggingface")
fails("read-only", "read-only-file-system", """
from fieldkit import steps
steps(3)
open("out/metrics.csv", "w").write("step,loss\\n")
""", r"OSError: \[Errno 30\] Read-only file system",
      start="mkdir -p out; mount -t tmpfs -o ro tmpfs out; exec {python} -u {program} > logs/train.log 2>&1")
fails("read-only-shell", "read-only-file-system", """
set -e
echo "step 1 loss 2.31"
sleep 3
mkdir -p out/checkpoint-1
""", r"Read-only file system", language="sh", trainer="shell",
      start="mkdir -p out; mount -t tmpfs -o ro tmpfs out; exec bash {program} > logs/train.log 2>&1")
fails("io-error-read", "storage-error", """
import os
from fieldkit import steps
os.symlink("/proc/self/mem", "shard-000012.tar")
steps(3)
open("shard-000012.tar", "rb").read(512)
""", r"OSError: \[Errno 5\] Input/output error")
documented("stale-handle", "storage-error", """
Traceback (most recent call last):
  File "train.py", line 210, in load_shard
    with open(path, "rb") as shard:
OSError: [Errno 116] Stale file handle: '/mnt/nfs/data/train-00041-of-00512.parquet'
""", r"Stale file handle", "errno(3), ESTALE")
documented("transport-endpoint", "storage-error", """
Traceback (most recent call last):
  File "train.py", line 57, in <module>
    names = os.listdir(args.data)
OSError: [Errno 107] Transport endpoint is not connected: '/gpfs/fuse/datasets'
""", r"Transport endpoint is not connected", "errno(3), ENOTCONN")

# descriptors and processes
fails("too-many-files", "too-many-files", """
from fieldkit import steps
steps(3)
open("shard", "w").close()
shards = [open("shard") for _ in range(200)]
""", r"OSError: \[Errno 24\] Too many open files", start="ulimit -n 64; exec {python} -u {program} > logs/train.log 2>&1")
fails("too-many-sockets", "too-many-files", """
import socket
from fieldkit import steps
steps(3)
workers = []
try:
    while True:
        workers.append(socket.socketpair())
except OSError as error:
    print(f"[ERROR] vector env: cannot start worker {len(workers)}: {error}", flush=True)
    raise SystemExit(1)
""", r"Too many open files", start="ulimit -n 80; exec {python} -u {program} > logs/train.log 2>&1")
fails("thread-limit", "process-limit", """
import threading
from fieldkit import steps
steps(3)
stop = threading.Event()
workers = [threading.Thread(target=stop.wait, args=(5,), daemon=True) for _ in range(64)]
for worker in workers:
    worker.start()
""", r"RuntimeError: can't start new thread",
      start="exec setpriv --reuid=64012 --regid=64012 --clear-groups bash -c 'ulimit -u 6; exec {python} -u {program} > logs/train.log 2>&1'")
fails("fork-limit", "process-limit", """
import multiprocessing, time
from fieldkit import steps
if __name__ == "__main__":
    steps(3)
    context = multiprocessing.get_context("fork")
    workers = [context.Process(target=time.sleep, args=(3,), daemon=True) for _ in range(32)]
    for worker in workers:
        worker.start()
""", r"BlockingIOError: \[Errno 11\] Resource temporarily unavailable",
      start="exec setpriv --reuid=64013 --regid=64013 --clear-groups bash -c 'ulimit -u 6; exec {python} -u {program} > logs/train.log 2>&1'")

# permission and files
fails("permission-write", "permission", """
import os
from fieldkit import steps
steps(3)
open("/etc/trainer.lock", "w")
""", r"PermissionError: \[Errno 13\] Permission denied", start=OTHER)
fails("permission-exec", "permission", """
set -e
echo "step 1 loss 2.31"
echo 'echo hi' > preprocess.sh
chmod 644 preprocess.sh
sleep 3
./preprocess.sh
""", r"preprocess\.sh: Permission denied", start="shell", language="sh", trainer="shell")
fails("permission-numa", "permission", """
import os
from fieldkit import steps
steps(3)
os.nice(-10)
""", r"PermissionError: \[Errno 1\] Operation not permitted", start=OTHER.replace("64011", "64014"))
fails("file-missing", "missing-file", """
from fieldkit import steps
steps(3)
open("data/train.bin", "rb")
""", r"FileNotFoundError: \[Errno 2\] No such file or directory: 'data/train.bin'", start="script", trainer="nanogpt")
fails("file-missing-script", "missing-file", "", r"can't open file .*train_ppo\.py",
      start="echo 'launching' > logs/train.log; exec {python} train_ppo.py >> logs/train.log 2>&1")
fails("file-missing-logged", "missing-file", """
from fieldkit import configure_logging, steps
log = configure_logging(filename="logs/train.log")
steps(2, form="log")
try:
    open("/data/tokenizer.model")
except FileNotFoundError:
    log.critical("tokenizer is missing", exc_info=True)
    raise SystemExit(1)
""", r"FileNotFoundError: \[Errno 2\]", start="exec {python} {program} > /dev/null 2>&1")
fails("command-missing", "missing-file", """
set -e
echo "step 1 loss 2.31"
sleep 3
accelerate_launch train.py
""", r"accelerate_launch: command not found", start="shell", language="sh", trainer="shell", family="missing-module configuration")
fails("file-missing-pandas", "missing-file", """
import pandas
from fieldkit import steps
steps(2)
pandas.read_parquet("prices-2026.parquet")
""", r"FileNotFoundError", needs="pandas pyarrow", trainer="pandas", start="split")

# libraries
fails("shared-object-missing", "shared-library", """
import ctypes
from fieldkit import steps
steps(3)
ctypes.CDLL("libnvrtc-builtins.so.12.9")
""", r"OSError: libnvrtc-builtins\.so\.12\.9: cannot open shared object file", family="missing-file")
fails("undefined-symbol", "shared-library", """
import ctypes
from fieldkit import steps
import subprocess
open("op.c", "w").write("extern int at_lookup(int); int run(int x) { return at_lookup(x); }")
subprocess.run(["gcc", "-shared", "-fPIC", "-Wl,-z,now", "-o", "fused_op.so", "op.c"], check=True)
steps(3)
ctypes.CDLL("./fused_op.so")
""", r"undefined symbol: at_lookup", start="script")
fails("program-library-missing", "shared-library", """
echo 'int solve(void) { return 7; }' > solve.c
echo 'int solve(void); int main(void) { return solve() - 7; }' > main.c
gcc -shared -fPIC -o libsolve.so solve.c && gcc -o main main.c -L. -lsolve && rm libsolve.so
echo "step 1 loss 2.31"; sleep 3
./main
""", r"libsolve\.so: cannot open shared object file", start="shell", language="sh", trainer="c", family="missing-file")
documented("glibc-version", "shared-library", """
Traceback (most recent call last):
  File "train.py", line 4, in <module>
    import flash_attn_2_cuda as flash_attn_cuda
ImportError: /lib/x86_64-linux-gnu/libc.so.6: version `GLIBC_2.32' not found (required by /opt/venv/lib/python3.10/site-packages/flash_attn_2_cuda.cpython-310-x86_64-linux-gnu.so)
""", r"version `GLIBC_2\.32' not found", "glibc: elf/dl-version.c", family="missing-module")
documented("libcudnn-missing", "shared-library", """
Traceback (most recent call last):
  File "train.py", line 2, in <module>
    import torch
  File "/opt/venv/lib/python3.10/site-packages/torch/__init__.py", line 229, in <module>
    from torch._C import *  # noqa: F403
ImportError: libcudnn.so.8: cannot open shared object file: No such file or directory
""", r"libcudnn\.so\.8: cannot open shared object file", "glibc: elf/dl-load.c", family="missing-module missing-file")

# versions that do not fit
fails("removed-attribute", "dependency-conflict", """
import numpy
from fieldkit import steps
steps(2)
mask = numpy.zeros(4, dtype=numpy.bool)
""", r"AttributeError: module 'numpy' has no attribute 'bool'", needs="numpy", trainer="numpy", family="code")
fails("version-conflict", "dependency-conflict", """
from importlib.metadata import version
from fieldkit import steps
steps(2)
import pkg_resources
pkg_resources.require("numpy>=99")
""", r"VersionConflict", needs="numpy pkg_resources", trainer="python", family="missing-module")
documented("numpy-abi", "dependency-conflict", """
A module that was compiled using NumPy 1.x cannot be run in
NumPy 2.1.2 as it may crash. To support both 1.x and 2.x
versions of NumPy, modules must be compiled with NumPy 2.0.
Some module may need to rebuild instead e.g. with 'pybind11>=2.12'.

Traceback (most recent call last):  File "train.py", line 3, in <module>
    import cv2
AttributeError: _ARRAY_API not found
Traceback (most recent call last):
  File "train.py", line 3, in <module>
    import cv2
ImportError: numpy.core.multiarray failed to import
""", r"compiled using NumPy 1\.x cannot be run", "numpy: numpy/core/_multiarray_umath.py", family="missing-module")
documented("numpy-dtype-size", "dependency-conflict", """
Traceback (most recent call last):
  File "train.py", line 5, in <module>
    import pandas as pd
  File "pandas/_libs/interval.pyx", line 1, in init pandas._libs.interval
ValueError: numpy.dtype size changed, may indicate binary incompatibility. Expected 96 from C header, got 88 from PyObject
""", r"numpy\.dtype size changed", "cython: Cython/Utility/ImportExport.c", trainer="pandas", family="code shared-library")

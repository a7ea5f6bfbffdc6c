"""Several processes: which of them failed first, and what followed from it."""

from corpus import documented, fails

RUN = "exec {python} -m torch.distributed.run --standalone --nproc-per-node 2 {program} > logs/train.log 2>&1"
FILES = "{python} -m torch.distributed.run --standalone --nproc-per-node 2 --log-dir logs/ranks --redirects 3 {program} > logs/launcher.log 2>&1"

# the root is one rank's, the rest follows
fails("torchrun-key-error", "lookup", """
import os, time
from fieldkit import steps
rank = int(os.environ["RANK"])
steps(2)
if rank == 1:
    {"images": 1}["labels"]
time.sleep(20)
""", r"KeyError: 'labels'", start=RUN, needs="torch", trainer="torchrun", family="child-failed")
fails("torchrun-exit-code", "child-failed unknown", """
import os, time
from fieldkit import steps
steps(2)
if os.environ["RANK"] == "0":
    os._exit(17)
time.sleep(20)
""", r"ChildFailedError|exitcode +: 17|exitcode: 17", start=RUN, needs="torch", trainer="torchrun")
fails("torchrun-killed-rank", "killed child-failed", """
import os, signal, time
from fieldkit import steps
steps(2)
if os.environ["RANK"] == "1":
    os.kill(os.getpid(), signal.SIGKILL)
time.sleep(20)
""", r"Signal 9 \(SIGKILL\) received by PID|exitcode: -9", start=RUN, needs="torch", trainer="torchrun")
fails("torchrun-log-per-rank", "assertion", """
import os, time
from fieldkit import steps
steps(2)
assert os.environ["RANK"] != "1", "rank 1 got 31 batches, the others 32"
time.sleep(20)
""", r"AssertionError: rank 1 got 31 batches", start=FILES, needs="torch", trainer="torchrun", family="child-failed")
fails("ddp-shape-then-gloo", "shape", """
import os, torch
import torch.distributed as dist
from fieldkit import steps
dist.init_process_group("gloo")
steps(2)
if dist.get_rank() == 0:
    torch.zeros(4, 3) @ torch.zeros(4, 3)
dist.all_reduce(torch.zeros(3))
""", r"mat1 and mat2 shapes cannot be multiplied", start=RUN, needs="torch", trainer="torchrun", family="collective-error child-failed")
fails("launcher-of-my-own", "missing-file", """
import subprocess, sys
program = '''
import os, time
rank = int(os.environ["RANK"])
for step in range(8):
    print(f"[rank{rank}]: step {step} loss 1.0", flush=True)
    time.sleep(0.3)
if rank == 2:
    open("/data/shard-2.bin")
time.sleep(30)
'''
ranks = [subprocess.Popen([sys.executable, "-u", "-c", program], env={**__import__("os").environ, "RANK": str(rank)}) for rank in range(3)]
while all(rank.poll() is None for rank in ranks):
    __import__("time").sleep(0.2)
failed = next(index for index, rank in enumerate(ranks) if rank.poll() is not None)
print(f"[launcher] rank {failed} exited with code {ranks[failed].returncode}, terminating the others", flush=True)
for rank in ranks:
    rank.terminate()
raise SystemExit(1)
""", r"FileNotFoundError: \[Errno 2\] .*'/data/shard-2\.bin'", trainer="launcher", family="child-failed terminated")

# rendezvous and ports
fails("store-timeout", "rendezvous", """
import datetime, torch.distributed as dist
from fieldkit import free_port, steps
steps(1)
dist.TCPStore("127.0.0.1", free_port(), 2, is_master=False, timeout=datetime.timedelta(seconds=2))
""", r"DistNetworkError|DistStoreError|timed out", needs="torch", trainer="pytorch", family="network timeout")
fails("port-taken", "address-in-use", """
import socket
from fieldkit import steps
taken = socket.create_server(("127.0.0.1", 0))
steps(3)
socket.create_server(taken.getsockname())
""", r"OSError: \[Errno 98\] Address already in use")
fails("port-taken-torch", "address-in-use", """
import socket, torch.distributed as dist
from fieldkit import steps
taken = socket.create_server(("0.0.0.0", 0))
steps(1)
dist.init_process_group("gloo", init_method=f"tcp://127.0.0.1:{taken.getsockname()[1]}", rank=0, world_size=2)
""", r"EADDRINUSE|address already in use", needs="torch", trainer="pytorch", family="rendezvous network", start="script")
fails("port-taken-http", "address-in-use", """
import http.server, socket
from fieldkit import steps
taken = socket.create_server(("127.0.0.1", 0))
steps(2)
try:
    http.server.HTTPServer(taken.getsockname(), http.server.SimpleHTTPRequestHandler)
except OSError as error:
    print(f"ERROR: cannot serve metrics: {error}", flush=True)
    raise SystemExit(1)
""", r"Address already in use", start="tee")
documented("rendezvous-timeout", "rendezvous", """
Traceback (most recent call last):
  File "/opt/venv/bin/torchrun", line 8, in <module>
    sys.exit(main())
torch.distributed.elastic.rendezvous.api.RendezvousTimeoutError
""", r"RendezvousTimeoutError", "pytorch: torch/distributed/elastic/rendezvous/api.py", trainer="torchrun", family="timeout")

# collectives: what is known where the root is on another host
documented("nccl-watchdog", "collective-timeout", """
[rank3]:[E1120 11:04:51.120 ProcessGroupNCCL.cpp:616] [Rank 3] Watchdog caught collective operation timeout: WorkNCCL(SeqNum=1811, OpType=ALLREDUCE, NumelIn=131072, NumelOut=131072, Timeout(ms)=600000) ran for 600041 milliseconds before timing out.
[rank3]:[E1120 11:04:51.121 ProcessGroupNCCL.cpp:670] [Rank 3] To avoid data inconsistency, we are taking the entire process down.
terminate called after throwing an instance of 'c10::DistBackendError'
  what():  [PG 0 Rank 3] Process group watchdog thread terminated with exception: [Rank 3] Watchdog caught collective operation timeout
""", r"Watchdog caught collective operation timeout", "pytorch: torch/csrc/distributed/c10d/ProcessGroupNCCL.cpp", trainer="torchrun",
           end="signal SIGABRT", family="aborted timeout")
documented("gloo-timed-out", "collective-timeout", """
Traceback (most recent call last):
  File "train.py", line 71, in <module>
    dist.barrier()
RuntimeError: [../third_party/gloo/gloo/transport/tcp/unbound_buffer.cc:81] Timed out waiting 1800000ms for recv operation to complete
""", r"Timed out waiting 1800000ms for recv operation", "gloo: gloo/transport/tcp/unbound_buffer.cc", trainer="torchrun", family="timeout")
documented("nccl-system-error", "collective-error", """
Traceback (most recent call last):
  File "train.py", line 33, in <module>
    dist.init_process_group("nccl")
torch.distributed.DistBackendError: NCCL error in: ../torch/csrc/distributed/c10d/ProcessGroupNCCL.cpp:1970, unhandled system error (run with NCCL_DEBUG=INFO for details), NCCL version 2.20.5
ncclSystemError: System call (e.g. socket, malloc) or external library call failed or device error.
Last error:
socketStartConnect: Connect to 10.0.0.7<43527> failed : Software caused connection abort
""", r"ncclSystemError", "pytorch: torch/csrc/distributed/c10d/NCCLUtils.hpp", trainer="torchrun", family="network")
documented("nccl-remote-error", "collective-error", """
[rank0]: torch.distributed.DistBackendError: NCCL error in: ../torch/csrc/distributed/c10d/NCCLUtils.hpp:275, remote process exited or there was a network error, NCCL version 2.21.5
[rank0]: ncclRemoteError: A call failed possibly due to a network error or a remote process exiting prematurely.
[rank0]: Last error:
[rank0]: NET/IB : Got completion from peer 10.0.0.9<38212> with status=12 opcode=0 len=0 vendor err 129
""", r"ncclRemoteError", "nccl: src/misc/socket.cc", trainer="megatron", family="network")
documented("gloo-closed-by-peer", "collective-error", """
Traceback (most recent call last):
  File "train.py", line 90, in <module>
    dist.all_reduce(grads)
RuntimeError: [../third_party/gloo/gloo/transport/tcp/pair.cc:534] Connection closed by peer [10.0.0.7]:41233
""", r"Connection closed by peer", "gloo: gloo/transport/tcp/pair.cc", trainer="torchrun", family="network")
documented("rank-oom-then-nccl", "device-memory", """
[rank5]: Traceback (most recent call last):
[rank5]:   File "/workspace/train.py", line 210, in <module>
[rank5]:     loss.backward()
[rank5]: torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 1.17 GiB. GPU 5 has a total capacity of 79.10 GiB of which 880.00 MiB is free.
[rank0]:[E1120 11:14:51.120 ProcessGroupNCCL.cpp:616] [Rank 0] Watchdog caught collective operation timeout: WorkNCCL(SeqNum=1811, OpType=ALLREDUCE, NumelIn=131072, NumelOut=131072, Timeout(ms)=600000) ran for 600041 milliseconds before timing out.
W1120 11:14:52.004 api.py:897] Sending process 4121 closing signal SIGTERM
E1120 11:14:52.310 api.py:869] failed (exitcode: 1) local_rank: 5 (pid: 4126) of binary: /opt/venv/bin/python
Traceback (most recent call last):
  File "/opt/venv/bin/torchrun", line 8, in <module>
    sys.exit(main())
torch.distributed.elastic.multiprocessing.errors.ChildFailedError:
============================================================
train.py FAILED
------------------------------------------------------------
Root Cause (first observed failure):
[0]:
  rank      : 5 (local_rank: 5)
  exitcode  : 1 (pid: 4126)
============================================================
""", r"CUDA out of memory", "pytorch: torch/distributed/elastic/multiprocessing/errors/__init__.py", trainer="torchrun", family="collective-timeout child-failed")
documented("srun-task-exited", "child-failed", """
srun: error: node014: task 3: Exited with exit code 2
srun: Terminating StepId=90317.0
slurmstepd: error: *** STEP 90317.0 ON node012 CANCELLED AT 2026-11-20T11:04:51 ***
srun: error: node012: tasks 0-2: Terminated
""", r"task 3: Exited with exit code 2", "slurm: src/srun/libsrun/launch.c", trainer="slurm", end="exit 2", family="cancelled terminated unknown",
           start="exec {python} -u {program} > logs/slurm-90317.out 2>&1")
documented("mpirun-exited", "child-failed", """
--------------------------------------------------------------------------
mpirun detected that one or more processes exited with non-zero status, thus causing
the job to be terminated. The first process to do so was:

  Process name: [[52011,1],1]
  Exit code:    9
--------------------------------------------------------------------------
""", r"mpirun detected that one or more processes exited with non-zero status", "openmpi: orte/tools/orterun", trainer="horovod", end="exit 9", family="unknown")

# workers
fails("broken-process-pool", "worker-lost killed", """
import concurrent.futures, os, signal
from fieldkit import steps
def rollout(seed):
    os.kill(os.getpid(), signal.SIGKILL)
if __name__ == "__main__":
    steps(3)
    with concurrent.futures.ProcessPoolExecutor(2) as pool:
        list(pool.map(rollout, range(4)))
""", r"BrokenProcessPool", trainer="python")
fails("pool-worker-value", "numerical", """
import concurrent.futures
from fieldkit import steps
def score(seed):
    return 1 / (seed - 3)
if __name__ == "__main__":
    steps(3)
    with concurrent.futures.ProcessPoolExecutor(2) as pool:
        list(pool.map(score, range(8)))
""", r"ZeroDivisionError: division by zero", trainer="python", family="worker-lost code", start="script")
fails("subproc-env-eof", "worker-lost", """
import multiprocessing, os
from fieldkit import steps
def worker(pipe):
    pipe.recv()
    os._exit(1)
if __name__ == "__main__":
    here, there = multiprocessing.Pipe()
    process = multiprocessing.Process(target=worker, args=(there,))
    process.start()
    there.close()
    steps(3)
    here.send(("step", 1))
    here.recv()
""", r"EOFError|ConnectionResetError", trainer="stable-baselines3", family="data-corrupt network")
documented("ray-actor-died", "worker-lost", """
Traceback (most recent call last):
  File "train.py", line 51, in <module>
    ray.get(workers)
ray.exceptions.ActorDiedError: The actor died unexpectedly before finishing this task.
	class_name: RolloutWorker
	actor_id: 4b17
The actor is dead because its worker process has died. Worker exit type: SYSTEM_ERROR Worker exit detail: Worker unexpectedly exits with a connection error code 2. End of file.
""", r"ActorDiedError: The actor died unexpectedly", "ray: python/ray/exceptions.py", trainer="rllib")
documented("ray-worker-crashed", "worker-lost", """
(raylet) A worker died or was killed while executing a task by an unexpected system error. To troubleshoot the problem, check the logs for the dead worker.
ray.exceptions.WorkerCrashedError: The worker died unexpectedly while executing this task. Check python-core-worker-*.log files for more information.
""", r"WorkerCrashedError", "ray: python/ray/exceptions.py", trainer="rllib", start="split")
documented("ray-task-error", "lookup", """
Traceback (most recent call last):
  File "train.py", line 51, in <module>
    ray.get(futures)
ray.exceptions.RayTaskError(KeyError): ray::collect() (pid=4127, ip=10.0.0.5)
  File "rollout.py", line 18, in collect
    reward = info["episode"]["r"]
KeyError: 'episode'
""", r"KeyError: 'episode'", "ray: python/ray/exceptions.py", trainer="rllib", family="worker-lost")

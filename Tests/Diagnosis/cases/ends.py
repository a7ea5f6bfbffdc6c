"""How a process ends without a word of its own: signals, schedulers, people. Real processes, wherever no scheduler is needed."""

from corpus import documented, fails

STEPS = """
from fieldkit import steps
steps(%s)
"""


def by_signal(name):
    """A shell's line: the training is ended from outside by the signal, and the shell waits for it."""
    return "{python} -u {program} > logs/train.log 2>&1 & p=$!; sleep 4; kill -" + name + " $p; wait $p"


# signals
fails("sigkill-outside", "killed", STEPS % 60, r"(?i)SIGKILL|signal 9|killed", start=by_signal("KILL"), family="host-memory-kernel", is_in_log=False)
fails("sigkill-script", "killed", """
import os, signal
from fieldkit import steps
steps(4)
os.kill(os.getpid(), signal.SIGKILL)
""", r"(?i)SIGKILL|signal 9|killed", start="script", family="host-memory-kernel", is_in_log=False)
fails("sigkill-logger", "killed", """
from fieldkit import configure_logging, steps
configure_logging(filename="logs/train.log")
steps(60, form="log")
""", r"(?i)SIGKILL|signal 9|killed", start="{python} {program} & p=$!; sleep 4; kill -9 $p; wait $p", is_in_log=False)
fails("sigterm-outside", "terminated", STEPS % 60, r"(?i)SIGTERM|signal 15|terminated", start=by_signal("TERM"), is_in_log=False)
fails("sigterm-handled", "terminated", """
import signal, sys
from fieldkit import configure_logging, steps
log = configure_logging()
def stop(number, frame):
    log.warning("received signal %d (SIGTERM), shutting down", number)
    sys.exit(143)
signal.signal(signal.SIGTERM, stop)
steps(60, form="log")
""", r"(?i)SIGTERM", start=by_signal("TERM"))
fails("sigint-keyboard", "cancelled", """
import os, signal, threading
from fieldkit import steps
threading.Timer(4, lambda: os.kill(os.getpid(), signal.SIGINT)).start()
steps(30)
""", r"KeyboardInterrupt", start="script")
fails("segfault-ctypes", "segmentation-fault", """
import ctypes
from fieldkit import steps
steps(4)
ctypes.string_at(0)
""", r"(?i)segmentation fault|SIGSEGV|signal 11", start="redirect", is_in_log=False)
fails("segfault-faulthandler", "segmentation-fault", """
import ctypes, faulthandler
from fieldkit import steps
faulthandler.enable()
steps(3)
ctypes.string_at(0)
""", r"Fatal Python error: Segmentation fault", start="split")
fails("segfault-script", "segmentation-fault", """
cat > kernel.c <<'END'
#include <stdio.h>
#include <unistd.h>
int main(void) { for (int i = 0; i < 12; i++) { printf("step %d loss %.3f\\n", i, 2.0 / (i + 1)); fflush(stdout); usleep(250000); } int *p = 0; return *p; }
END
gcc -O0 -o kernel kernel.c && ./kernel
exit $?
""", r"Segmentation fault", start="shell", language="sh", trainer="c")
fails("bus-error", "bus-error", """
import mmap
from fieldkit import steps
open("features.bin", "wb").write(b"x" * 8192)
file = open("features.bin", "r+b")
rows = mmap.mmap(file.fileno(), 8192)
steps(3)
file.truncate(0)
rows[5000]
""", r"(?i)bus error|SIGBUS|signal 7", start="script")
fails("illegal-instruction", "illegal-instruction", """
cat > avx.c <<'END'
#include <stdio.h>
#include <unistd.h>
int main(void) { for (int i = 0; i < 12; i++) { printf("step %d loss %.3f\\n", i, 2.0 / (i + 1)); fflush(stdout); usleep(250000); } __builtin_trap(); }
END
gcc -O0 -o avx avx.c && ./avx
exit $?
""", r"(?i)illegal instruction|SIGILL|signal 4", start="shell", language="sh", trainer="c")
fails("floating-point-signal", "arithmetic-signal", """
cat > schedule.c <<'END'
#include <stdio.h>
#include <unistd.h>
int main(int argc, char **argv) { for (int i = 0; i < 12; i++) { printf("step %d loss %.3f\\n", i, 2.0 / (i + 1)); fflush(stdout); usleep(250000); } return 7 / (argc - 1); }
END
gcc -O0 -o schedule schedule.c && ./schedule
exit $?
""", r"(?i)floating point exception|SIGFPE|signal 8", start="shell", language="sh", trainer="c")
fails("terminate-called", "aborted", """
cat > engine.cc <<'END'
#include <cstdio>
#include <stdexcept>
#include <unistd.h>
int main() {
  for (int i = 0; i < 12; i++) { std::printf("iteration %d, loss = %.3f\\n", i, 2.0 / (i + 1)); std::fflush(stdout); usleep(250000); }
  throw std::runtime_error("optimizer state of layer 3 is inconsistent");
}
END
g++ -O0 -o engine engine.cc && ./engine
exit $?
""", r"terminate called after throwing an instance of 'std::runtime_error'|optimizer state of layer 3", start="shell", language="sh", trainer="c++")
fails("double-free", "aborted", """
import ctypes
from fieldkit import steps
steps(3)
libc = ctypes.CDLL(None)
libc.malloc.restype = ctypes.c_void_p
block = libc.malloc(5000)
libc.free(ctypes.c_void_p(block))
libc.free(ctypes.c_void_p(block))
other = [libc.malloc(5000) for _ in range(3)]
libc.free(ctypes.c_void_p(other[0])), libc.free(ctypes.c_void_p(other[0])), libc.free(ctypes.c_void_p(other[0]))
libc.abort()
""", r"(?i)free\(\): |double free|corrupt|SIGABRT|aborted", start="script")
fails("abort-glog", "aborted", """
import os, sys
from fieldkit import steps
steps(3)
sys.stderr.write("F1120 11:04:51.331120 4127 solver.cpp:218] Check failed: count > 0 (0 vs. 0) blob has no elements\\n")
sys.stderr.flush()
os.abort()
""", r"Check failed: count > 0", trainer="caffe", family="assertion", marked="text", source="glog: src/logging.cc")
fails("fatal-python", "aborted", """
import faulthandler
from fieldkit import steps
steps(3)
faulthandler.enable()
faulthandler._sigabrt()
""", r"Fatal Python error: Aborted", start="split")

# schedulers
SLURM = "exec {python} -u {program} > logs/slurm-90312.out 2>&1"
documented("slurm-time-limit", "time-limit", """
slurmstepd: error: *** JOB 90312 ON node014 CANCELLED AT 2026-11-20T11:04:51 DUE TO TIME LIMIT ***
""", r"DUE TO TIME LIMIT", "slurm: src/slurmd/slurmstepd/req.c", trainer="slurm", end="signal SIGTERM", start=SLURM, family="cancelled terminated")
documented("slurm-step-time-limit", "time-limit", """
srun: Job step aborted: Waiting up to 32 seconds for job step to finish.
slurmstepd: error: *** STEP 90313.0 ON node014 CANCELLED AT 2026-11-20T11:04:51 DUE TO TIME LIMIT ***
""", r"DUE TO TIME LIMIT", "slurm: src/slurmd/slurmstepd/req.c", trainer="slurm", end="signal SIGKILL", start=SLURM, family="cancelled killed")
documented("pbs-walltime", "time-limit", """
=>> PBS: job killed: walltime 86453 exceeded limit 86400
""", r"walltime 86453 exceeded limit 86400", "openpbs: src/resmom/mom_main.c", trainer="slurm", end="signal SIGTERM", start=SLURM, family="terminated")
documented("slurm-preempted", "preempted", """
slurmstepd: error: *** JOB 90314 ON node003 CANCELLED AT 2026-11-20T11:04:51 DUE TO PREEMPTION ***
""", r"DUE TO PREEMPTION", "slurm: src/slurmd/slurmstepd/req.c", trainer="slurm", end="signal SIGTERM", start=SLURM, family="cancelled terminated")
documented("spot-notice", "preempted", """
2026-11-20 11:04:49,120 - spot-watcher - WARNING - EC2 spot instance interruption notice: action=terminate time=2026-11-20T11:06:49Z
""", r"spot instance interruption notice", "aws: EC2 user guide, spot instance interruption notices", end="signal SIGTERM", family="terminated")
documented("slurm-cancelled", "cancelled", """
slurmstepd: error: *** JOB 90315 ON node003 CANCELLED AT 2026-11-20T11:04:51 ***
""", r"CANCELLED AT 2026", "slurm: src/slurmd/slurmstepd/req.c", trainer="slurm", end="signal SIGTERM", start=SLURM, family="terminated")
documented("slurm-node-failure", "node-failure", """
srun: error: Node failure on node014
slurmstepd: error: *** JOB 90316 ON node003 CANCELLED AT 2026-11-20T11:04:51 DUE TO NODE FAILURE, SEE SLURMCTLD LOG FOR DETAILS ***
""", r"DUE TO NODE FAILURE", "slurm: src/slurmd/slurmstepd/req.c", trainer="slurm", end="signal SIGTERM", start=SLURM, family="cancelled terminated")

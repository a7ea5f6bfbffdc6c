#define _GNU_SOURCE
#include "CLinux.h"
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

// Faults are this process's own, and job control must stop it together with the child: the terminal sends to both.
static const int own[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGSYS, SIGABRT, SIGTSTP, SIGTTIN, SIGTTOU};
static sigset_t awaited;

static void detach(int keep) {
  // The child's reader must see the end of a pipe that the child closes.
  int nothing = open("/dev/null", O_RDWR | O_CLOEXEC);
  if (nothing >= 0) dup2(nothing, 0), dup2(nothing, 1);
  if (keep > 3) close_range(3, keep - 1, 0);
  close_range(keep >= 3 ? keep + 1 : 3, ~0u, 0);
}

int sbx_wrap_start(char *const argv[], int keep, int *pid) {
  sigset_t blocked, before;
  int failed[2], code = 0;
  if (pipe2(failed, O_CLOEXEC) != 0) return errno;
  sigfillset(&blocked);
  for (unsigned i = 0; i < sizeof own / sizeof *own; i++) sigdelset(&blocked, own[i]);
  awaited = blocked;
  // A broken pipe is an error code here; it must not be taken for a signal that another process sent.
  sigdelset(&awaited, SIGPIPE);
  sigprocmask(SIG_BLOCK, &blocked, &before);
  // Ignored, as it may be inherited, the child would be reaped by the kernel, and its status lost.
  struct sigaction by_default = {.sa_handler = SIG_DFL}, child_before;
  sigaction(SIGCHLD, &by_default, &child_before);
  int child = fork();
  if (child == 0) {
    sigaction(SIGCHLD, &child_before, NULL);
    sigprocmask(SIG_SETMASK, &before, NULL);
    execvp(argv[0], argv);
    code = errno;
    if (write(failed[1], &code, sizeof code) < 0) _exit(126);
    _exit(127);
  }
  if (child < 0) code = errno;
  close(failed[1]);
  // Ends without a byte where the program was started: both ends are closed on exec.
  while (child > 0 && read(failed[0], &code, sizeof code) < 0 && errno == EINTR) {}
  close(failed[0]);
  if (code != 0) {
    if (child > 0) waitpid(child, NULL, 0);
    return code;
  }
  detach(keep);
  *pid = child;
  return 0;
}

int sbx_wrap_wait(int pid, int *status) {
  for (;;) {
    int got = waitpid(pid, status, WNOHANG);
    if (got == pid) return 0;
    if (got < 0 && errno != EINTR) return -1;
    siginfo_t info;
    int number = sigwaitinfo(&awaited, &info);
    // What the terminal sends, the child gets itself; of SIGCHLD the loop asks.
    if (number <= 0 || number == SIGCHLD || info.si_code == SI_KERNEL) continue;
    kill(pid, number);
  }
}

void sbx_wrap_end(int status) {
  if (!WIFSIGNALED(status)) _exit(WEXITSTATUS(status));
  int number = WTERMSIG(status);
  struct rlimit none = {0, 0};
  setrlimit(RLIMIT_CORE, &none);
  signal(number, SIG_DFL);
  sigset_t one;
  sigemptyset(&one);
  sigaddset(&one, number);
  raise(number);
  sigprocmask(SIG_UNBLOCK, &one, NULL);
  // Process 1 of a container is not ended by a signal of its own.
  _exit(128 + number);
}

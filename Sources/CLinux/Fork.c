#define _GNU_SOURCE
#include "CLinux.h"
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

static void default_signals(void) {
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, NULL);
  for (int number = 1; number < 32; number++) signal(number, SIG_DFL);
}

// Ends with the process that made it. Where that one is gone already, the signal would never come.
static void end_with(int parent) {
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (getppid() != parent) _exit(127);
}

int sbx_fork(int output) {
  int parent = getpid(), pid = fork();
  if (pid != 0) return pid;
  setpgid(0, 0);
  end_with(parent);
  default_signals();
  signal(SIGPIPE, SIG_IGN);
  int nothing = open("/dev/null", O_RDONLY);
  if (dup2(output, 1) < 0 || dup2(nothing, 0) < 0) _exit(127);
  close_range(3, ~0u, 0);
  return 0;
}

void sbx_exit_now(int status) { _exit(status); }

int sbx_run(const char *path, char *const argv[], char *const envp[], int *output) {
  int said[2], failed[2];
  if (pipe2(said, O_CLOEXEC) != 0) return -1;
  if (pipe2(failed, O_CLOEXEC) != 0) {
    int saved = errno;
    close(said[0]), close(said[1]);
    errno = saved;
    return -1;
  }
  int parent = getpid(), pid = fork(), code = pid < 0 ? errno : 0;
  if (pid == 0) {
    end_with(parent);
    default_signals();
    if (dup2(said[1], 1) >= 0 && dup2(said[1], 2) >= 0) execve(path, argv, envp);
    code = errno;
    if (write(failed[1], &code, sizeof code) < 0) _exit(126);
    _exit(127);
  }
  close(said[1]), close(failed[1]);
  // Ends without a byte where the program was started: both ends are closed on exec.
  while (pid > 0 && read(failed[0], &code, sizeof code) < 0 && errno == EINTR) {}
  close(failed[0]);
  if (code == 0) {
    *output = said[0];
    return pid;
  }
  close(said[0]);
  if (pid > 0) waitpid(pid, NULL, 0);
  errno = code;
  return -1;
}

int sbx_wait(int pid) {
  int status = 0;
  while (waitpid(pid, &status, 0) < 0)
    if (errno != EINTR) return -1;
  return WIFSIGNALED(status) ? 256 + WTERMSIG(status) : WEXITSTATUS(status);
}

int sbx_poll_both(int first, int second) {
  struct pollfd both[2] = {{.fd = first, .events = POLLIN}, {.fd = second, .events = POLLIN}};
  while (poll(both, 2, -1) < 0)
    if (errno != EINTR) return -1;
  return (both[0].revents ? 1 : 0) | (both[1].revents ? 2 : 0);
}

int sbx_set_blocking(int fd) { return fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) & ~O_NONBLOCK); }

int sbx_is_locked(int fd, long offset) {
  struct flock range = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = offset, .l_len = 1};
  if (fcntl(fd, F_GETLK, &range) != 0) return -1;
  return range.l_type != F_UNLCK;
}

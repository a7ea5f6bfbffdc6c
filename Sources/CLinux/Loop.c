#define _GNU_SOURCE
#include "CLinux.h"
#include <errno.h>
#include <malloc.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <spawn.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <fcntl.h>
#include <link.h>
#include <sys/mman.h>
#include <unistd.h>

int sbx_epoll_create(void) { return epoll_create1(EPOLL_CLOEXEC); }

int sbx_epoll_control(int epoll, int op, int fd, uint32_t events, uint64_t token) {
  struct epoll_event e = {.events = events, .data = {.u64 = token}};
  return epoll_ctl(epoll, op, fd, &e);
}

int sbx_epoll_wait(int epoll, uint64_t *tokens, uint32_t *events, int count, int timeout_ms) {
  struct epoll_event got[256];
  int n = epoll_wait(epoll, got, count < 256 ? count : 256, timeout_ms);
  if (n < 0) return errno == EINTR ? 0 : -1;
  for (int i = 0; i < n; i++) {
    tokens[i] = got[i].data.u64;
    events[i] = got[i].events;
  }
  return n;
}

int sbx_eventfd(void) { return eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC); }
int sbx_eventfd_signal(int fd) { return eventfd_write(fd, 1); }
int sbx_eventfd_clear(int fd) {
  eventfd_t value;
  return eventfd_read(fd, &value);
}

int sbx_poll_write(int fd, int timeout_ms) {
  struct pollfd p = {.fd = fd, .events = POLLOUT};
  int n = poll(&p, 1, timeout_ms);
  return n < 0 && errno == EINTR ? 0 : n;
}

int sbx_poll_read(int fd, int timeout_ms) {
  struct pollfd p = {.fd = fd, .events = POLLIN};
  int n = poll(&p, 1, timeout_ms);
  return n < 0 && errno == EINTR ? 0 : n;
}

void sbx_ignore_sigpipe(void) { signal(SIGPIPE, SIG_IGN); }

int sbx_signalfd(const int *signals, int count) {
  sigset_t set;
  sigemptyset(&set);
  for (int i = 0; i < count; i++) sigaddset(&set, signals[i]);
  if ((errno = pthread_sigmask(SIG_BLOCK, &set, NULL)) != 0) return -1;
  return signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
}

int sbx_signalfd_next(int fd) {
  struct signalfd_siginfo info;
  return read(fd, &info, sizeof info) == sizeof info ? (int)info.ssi_signo : 0;
}

int sbx_spawn(const char *path, char *const argv[], char *const envp[], int in, int out, int err, int *pid) {
  posix_spawn_file_actions_t actions;
  posix_spawnattr_t attributes;
  sigset_t none, all;
  pid_t child = -1;
  sigemptyset(&none);
  sigfillset(&all);
  posix_spawn_file_actions_init(&actions);
  posix_spawnattr_init(&attributes);
  // Above 2 first: one of the three may itself be 0, 1 or 2 and would be overwritten.
  int safe[3] = {fcntl(in, F_DUPFD_CLOEXEC, 3), fcntl(out, F_DUPFD_CLOEXEC, 3), fcntl(err, F_DUPFD_CLOEXEC, 3)};
  for (int i = 0; i < 3; i++) posix_spawn_file_actions_adddup2(&actions, safe[i], i);
  posix_spawn_file_actions_addclosefrom_np(&actions, 3);
  posix_spawnattr_setsigmask(&attributes, &none);
  posix_spawnattr_setsigdefault(&attributes, &all);
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
  int failure = safe[0] < 0 || safe[1] < 0 || safe[2] < 0 ? EMFILE
                                                          : posix_spawn(&child, path, &actions, &attributes, argv, envp);
  for (int i = 0; i < 3; i++)
    if (safe[i] >= 0) close(safe[i]);
  posix_spawn_file_actions_destroy(&actions);
  posix_spawnattr_destroy(&attributes);
  *pid = child;
  errno = failure;
  return failure == 0 ? 0 : -1;
}

int sbx_pidfd_open(int pid) { return (int)syscall(SYS_pidfd_open, pid, 0); }

// <linux/pidfd.h> of Linux 6.15: headers that Signalbox is built with are older. Later kernels append members, which the size in the
// request keeps out.
struct pidfd_exit_info {
  uint64_t mask, cgroup;
  uint32_t pid, tgid, ppid, ids[8];
  int32_t exit_code;
};
_Static_assert(sizeof(struct pidfd_exit_info) == 64, "PIDFD_INFO_SIZE_VER0");
#define SBX_PIDFD_GET_INFO _IOWR(0xFF, 11, struct pidfd_exit_info)
#define SBX_PIDFD_INFO_EXIT (1UL << 3)

int sbx_pidfd_exit(int pidfd, int *status) {
  struct pidfd_exit_info info = {.mask = SBX_PIDFD_INFO_EXIT};
  if (ioctl(pidfd, SBX_PIDFD_GET_INFO, &info) != 0) return -1;
  if (!(info.mask & SBX_PIDFD_INFO_EXIT)) return 0;
  *status = info.exit_code;
  return 1;
}

int sbx_reap(int pid) {
  int status = 0;
  if (waitpid(pid, &status, WNOHANG) != pid) return -1;
  return WIFSIGNALED(status) ? 256 + WTERMSIG(status) : WEXITSTATUS(status);
}

int sbx_pipe(int ends[2]) { return pipe2(ends, O_CLOEXEC); }
int sbx_set_nonblocking(int fd) { return fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK); }
int sbx_kill(int pid, int number) { return kill(pid, number); }
long sbx_write(int fd, const void *bytes, unsigned long count) { return write(fd, bytes, count); }

int sbx_thread_start(void *(*body)(void *), void *argument, const char *name, uint64_t *id) {
  pthread_t thread;
  if ((errno = pthread_create(&thread, NULL, body, argument)) != 0) return -1;
  pthread_setname_np(thread, name);
  *id = (uint64_t)thread;
  return 0;
}

int sbx_thread_join(uint64_t id) { return pthread_join((pthread_t)id, NULL); }

void sbx_trim_memory(void) { malloc_trim(0); }

static int release_read_only(struct dl_phdr_info *object, size_t size, void *argument) {
  (void)size;
  (void)argument;
  const uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
  for (int i = 0; i < object->dlpi_phnum; i++) {
    const ElfW(Phdr) *part = &object->dlpi_phdr[i];
    if (part->p_type != PT_LOAD || (part->p_flags & PF_W)) continue;
    uintptr_t start = (object->dlpi_addr + part->p_vaddr + page - 1) & ~(page - 1);
    uintptr_t end = (object->dlpi_addr + part->p_vaddr + part->p_memsz) & ~(page - 1);
    if (start < end) madvise((void *)start, end - start, MADV_DONTNEED);
  }
  return 0;
}

void sbx_release_code(void) { dl_iterate_phdr(release_read_only, NULL); }

#pragma once
// For event loops: epoll, wake-ups, signals, sockets, children, threads.
#include <stdint.h>

// epoll(7): struct epoll_event is packed and carries a union; tokens are plain numbers here.
int sbx_epoll_create(void);
// op: EPOLL_CTL_ADD 1, DEL 2, MOD 3; events: EPOLLIN 1, EPOLLOUT 4.
int sbx_epoll_control(int epoll, int op, int fd, uint32_t events, uint64_t token);
// Waits and fills tokens and events, at most `count` (up to 256); EINTR counts as none.
int sbx_epoll_wait(int epoll, uint64_t *tokens, uint32_t *events, int count, int timeout_ms);
// eventfd(2), non-blocking; signal adds one, clear takes all.
int sbx_eventfd(void);
int sbx_eventfd_signal(int fd);
int sbx_eventfd_clear(int fd);
// poll(2) on one descriptor for reading; EINTR counts as a time-out.
int sbx_poll_read(int fd, int timeout_ms);
int sbx_poll_write(int fd, int timeout_ms);
void sbx_ignore_sigpipe(void);
// Blocks the signals in this thread (and those it starts later) and gives a signalfd(2) for them.
int sbx_signalfd(const int *signals, int count);
// One pending signal, 0 where there is none.
int sbx_signalfd_next(int fd);
// TCP on a numeric address ("127.0.0.1", "::1"); port 0: the kernel's choice. -1 and errno on failure.
int sbx_tcp_listen(const char *host, uint16_t port, int backlog, int shared);
int sbx_tcp_connect(const char *host, uint16_t port);
// accept4(2); the peer's numeric address (64 bytes are enough) and port.
int sbx_tcp_accept(int fd, char *host, int capacity, uint16_t *port);
int sbx_local_address(int fd, char *host, int capacity, uint16_t *port);
// TCP_NODELAY, keepalive, TCP_USER_TIMEOUT.
int sbx_tcp_tune(int fd, unsigned user_timeout_ms);
int sbx_socket_error(int fd);
int sbx_shutdown_writing(int fd);
// getaddrinfo(3): the index-th numeric address of a name; the number of addresses, or the negated EAI code.
int sbx_resolve(const char *name, int index, char *host, int capacity);
int sbx_unix_listen(const char *path, int backlog);
int sbx_unix_connect(const char *path);
int sbx_unix_accept(int fd);
// SO_PEERCRED of unix(7): who connected, as the kernel knew it then.
int sbx_unix_peer(int fd, int *pid, uint32_t *uid);
// posix_spawn(3) with only descriptors 0-2, default signals and an empty mask; argv and envp end with NULL.
int sbx_spawn(const char *path, char *const argv[], char *const envp[], int in, int out, int err, int *pid);
// A descriptor that becomes readable when the child has ended.
int sbx_pidfd_open(int pid);
// PIDFD_GET_INFO of Linux 6.15: 1 and the wait(2) status of a process that has ended and was reaped, whoever its parent is; 0 while it
// runs or is a zombie; -1 and errno where this kernel does not say.
int sbx_pidfd_exit(int pidfd, int *status);
// Ended child: exit status 0...255, or 256 + signal; -1 while it runs.
int sbx_reap(int pid);
int sbx_pipe(int ends[2]);
int sbx_set_nonblocking(int fd);
int sbx_kill(int pid, int signal);
// write(2) without SIGPIPE being the caller's concern; -1 and errno on failure.
long sbx_write(int fd, const void *bytes, unsigned long count);
// fork(2): 0 in the copy, which leads a process group of its own, is killed when its maker ends, reads nothing, writes to `output` as
// its descriptor 1 and has no other descriptor but 2. For processes of one thread only.
int sbx_fork(int output);
// _exit(2): without what the original has to do at its end.
void sbx_exit_now(int status);
// Starts a program that is killed when this process ends; what it writes to 1 and 2 comes from `output`. Its id, or -1 and errno.
int sbx_run(const char *path, char *const argv[], char *const envp[], int *output);
// Waits until the child has ended; as sbx_reap.
int sbx_wait(int pid);
// Waits until one of two descriptors can be read; 1 for the first, 2 for the second, 3 for both.
int sbx_poll_both(int first, int second);
int sbx_set_blocking(int fd);
// Whether another process holds a POSIX lock on this byte; nothing is locked by asking. -1 and errno on failure.
int sbx_is_locked(int fd, long offset);
// 16 KiB or more; name at most 15 bytes.
int sbx_thread_start(void *(*body)(void *), void *argument, const char *name, uint64_t *id);
int sbx_thread_join(uint64_t id);
// Gives freed memory back to the kernel: glibc keeps it otherwise.
void sbx_trim_memory(void);
// Takes the pages of read-only parts of program and libraries out of this process; they stay in the page cache, and come back, by a
// minor fault, where they are used. Segments that may be written to are left alone: what was written there would be lost.
void sbx_release_code(void);
// What passes a program through: signals that another process sends to this one go on to the child, its end becomes this one's.
// For a process of one thread. wrap_start blocks all signals but those of faults and of job control, and starts argv as execvp(3) does,
// with the signals as they were before; 0, or the errno of exec. Afterwards this process holds no descriptor of its maker but 2 and `keep`.
int sbx_wrap_start(char *const argv[], int keep, int *pid);
// Passes signals on until the child has ended and is reaped; its wait(2) status, or -1 and errno.
int sbx_wrap_wait(int pid, int *status);
// Ends this process as the status says: with the same code, or by the same signal without a core dump of its own.
void sbx_wrap_end(int status);

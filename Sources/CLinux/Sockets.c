#define _GNU_SOURCE
#include "CLinux.h"
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static int close_failed(int fd) {
  int saved = errno;
  close(fd);
  errno = saved;
  return -1;
}

static struct addrinfo *numeric(const char *host, uint16_t port) {
  struct addrinfo hints = {.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV, .ai_socktype = SOCK_STREAM}, *found = NULL;
  char service[8];
  snprintf(service, sizeof service, "%u", port);
  if (getaddrinfo(host, service, &hints, &found) == 0) return found;
  errno = EINVAL;
  return NULL;
}

static int stream_socket(int family) { return socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0); }

int sbx_tcp_listen(const char *host, uint16_t port, int backlog, int shared) {
  struct addrinfo *a = numeric(host, port);
  if (!a) return -1;
  int on = 1, fd = stream_socket(a->ai_family);
  if (fd >= 0) {
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (shared) setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof on);
    if (bind(fd, a->ai_addr, a->ai_addrlen) != 0 || listen(fd, backlog) != 0) fd = close_failed(fd);
  }
  freeaddrinfo(a);
  return fd;
}

int sbx_tcp_connect(const char *host, uint16_t port) {
  struct addrinfo *a = numeric(host, port);
  if (!a) return -1;
  int fd = stream_socket(a->ai_family);
  if (fd >= 0 && connect(fd, a->ai_addr, a->ai_addrlen) != 0 && errno != EINPROGRESS) fd = close_failed(fd);
  freeaddrinfo(a);
  return fd;
}

static int name_of(const struct sockaddr_storage *a, socklen_t length, char *host, int capacity, uint16_t *port) {
  *port = ntohs(a->ss_family == AF_INET6 ? ((const struct sockaddr_in6 *)a)->sin6_port
                                         : ((const struct sockaddr_in *)a)->sin_port);
  return getnameinfo((const struct sockaddr *)a, length, host, (socklen_t)capacity, NULL, 0, NI_NUMERICHOST);
}

int sbx_tcp_accept(int fd, char *host, int capacity, uint16_t *port) {
  struct sockaddr_storage a;
  socklen_t length = sizeof a;
  int got = accept4(fd, (struct sockaddr *)&a, &length, SOCK_NONBLOCK | SOCK_CLOEXEC);
  if (got >= 0 && name_of(&a, length, host, capacity, port) != 0) host[0] = 0;
  return got;
}

int sbx_local_address(int fd, char *host, int capacity, uint16_t *port) {
  struct sockaddr_storage a;
  socklen_t length = sizeof a;
  if (getsockname(fd, (struct sockaddr *)&a, &length) != 0) return -1;
  return name_of(&a, length, host, capacity, port) == 0 ? 0 : -1;
}

int sbx_tcp_tune(int fd, unsigned user_timeout_ms) {
  int on = 1, idle = 60, interval = 10, count = 3;
  setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
  setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &idle, sizeof idle);
  setsockopt(fd, IPPROTO_TCP, TCP_KEEPINTVL, &interval, sizeof interval);
  setsockopt(fd, IPPROTO_TCP, TCP_KEEPCNT, &count, sizeof count);
  setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &user_timeout_ms, sizeof user_timeout_ms);
  return setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
}

int sbx_socket_error(int fd) {
  int failure = 0;
  socklen_t length = sizeof failure;
  return getsockopt(fd, SOL_SOCKET, SO_ERROR, &failure, &length) == 0 ? failure : errno;
}

int sbx_shutdown_writing(int fd) { return shutdown(fd, SHUT_WR); }

int sbx_resolve(const char *name, int index, char *host, int capacity) {
  struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_ADDRCONFIG}, *found = NULL;
  int failure = getaddrinfo(name, NULL, &hints, &found), count = 0;
  // EAI codes are negative in glibc.
  if (failure != 0) return failure;
  for (struct addrinfo *a = found; a; a = a->ai_next, count++)
    if (count == index && getnameinfo(a->ai_addr, a->ai_addrlen, host, (socklen_t)capacity, NULL, 0, NI_NUMERICHOST) != 0)
      host[0] = 0;
  freeaddrinfo(found);
  return count;
}

static int unix_address(const char *path, struct sockaddr_un *a) {
  if (strlen(path) >= sizeof a->sun_path) {
    errno = ENAMETOOLONG;
    return -1;
  }
  memset(a, 0, sizeof *a);
  a->sun_family = AF_UNIX;
  strcpy(a->sun_path, path);
  return 0;
}

int sbx_unix_listen(const char *path, int backlog) {
  struct sockaddr_un a;
  if (unix_address(path, &a) != 0) return -1;
  int fd = stream_socket(AF_UNIX);
  if (fd >= 0 && (bind(fd, (struct sockaddr *)&a, sizeof a) != 0 || listen(fd, backlog) != 0)) return close_failed(fd);
  return fd;
}

int sbx_unix_connect(const char *path) {
  struct sockaddr_un a;
  if (unix_address(path, &a) != 0) return -1;
  int fd = stream_socket(AF_UNIX);
  if (fd >= 0 && connect(fd, (struct sockaddr *)&a, sizeof a) != 0 && errno != EINPROGRESS) return close_failed(fd);
  return fd;
}

int sbx_unix_accept(int fd) { return accept4(fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC); }

int sbx_unix_peer(int fd, int *pid, uint32_t *uid) {
  struct ucred peer;
  socklen_t size = sizeof peer;
  if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0) return -1;
  *pid = peer.pid;
  *uid = peer.uid;
  return 0;
}

#pragma once
// What Swift's Glibc module lacks, and what is a macro, a packed struct or a variadic function in C. No logic.
// _GNU_SOURCE must not be set here: Swift's own view of glibc's headers would differ from this one.
#include "library.h"
#include "scan.h"
#include <stdint.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/signalfd.h>
#include <sys/timerfd.h>
#include "CLinuxLoop.h"

struct sbx_status {
  uint64_t device, inode, size, blocks;
  int64_t modified_ns, birth_ns; // birth 0: the file system does not tell
  uint32_t mode, kind, links, uid, gid;
};

// statvfs(3) in bytes.
struct sbx_filesystem {
  uint64_t total, free, available, inodes, inodes_free;
};

int sbx_errno(void);
int sbx_open(const char *path, int flags, unsigned mode);
// statx(2); kind: 1 file, 2 directory, 3 link, 4 socket, 0 other.
int sbx_statx(int directory, const char *path, int flags, struct sbx_status *out);
// 0 or -1 with errno.
int sbx_statvfs(const char *path, struct sbx_filesystem *out);

#define _GNU_SOURCE
#include "CLinux.h"
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

int sbx_errno(void) { return errno; }

int sbx_open(const char *path, int flags, unsigned mode) { return open(path, flags, mode); }

// Any user may set a file's times to what 64 bits of nanoseconds do not hold. Half of their range, up to the year 2116, so that the
// difference of two times is a number too.
static int64_t nanoseconds(struct statx_timestamp t) {
  if (t.tv_sec >= INT64_MAX / 2 / 1000000000LL) return INT64_MAX / 2;
  if (t.tv_sec <= INT64_MIN / 2 / 1000000000LL) return INT64_MIN / 2;
  return t.tv_sec * 1000000000LL + t.tv_nsec;
}

int sbx_statx(int directory, const char *path, int flags, struct sbx_status *out) {
  struct statx s;
  if (statx(directory, path, flags, STATX_BASIC_STATS | STATX_BTIME, &s) != 0) return -1;
  out->device = ((uint64_t)s.stx_dev_major << 32) | s.stx_dev_minor;
  out->inode = s.stx_ino;
  out->size = s.stx_size;
  out->blocks = s.stx_blocks;
  out->modified_ns = nanoseconds(s.stx_mtime);
  out->birth_ns = (s.stx_mask & STATX_BTIME) ? nanoseconds(s.stx_btime) : 0;
  out->mode = s.stx_mode & 07777;
  out->kind = S_ISREG(s.stx_mode) ? 1 : S_ISDIR(s.stx_mode) ? 2 : S_ISLNK(s.stx_mode) ? 3 : S_ISSOCK(s.stx_mode) ? 4 : 0;
  out->links = s.stx_nlink;
  out->uid = s.stx_uid;
  out->gid = s.stx_gid;
  return 0;
}

int sbx_statvfs(const char *path, struct sbx_filesystem *out) {
  struct statvfs s;
  int result;
  do result = statvfs(path, &s);
  while (result != 0 && errno == EINTR);
  if (result != 0) return -1;
  out->total = (uint64_t)s.f_blocks * s.f_frsize;
  out->free = (uint64_t)s.f_bfree * s.f_frsize;
  out->available = (uint64_t)s.f_bavail * s.f_frsize;
  out->inodes = s.f_files;
  out->inodes_free = s.f_ffree;
  return 0;
}

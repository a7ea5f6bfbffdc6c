#define _GNU_SOURCE
#include "CSQLite.h"
#include "library.h"
#include <dlfcn.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

enum { ROW = 100, DONE = 101, NULL_TYPE = 5, READ_ONLY_URI = 0x1 | 0x40 };

int sbx_sqlite_load(const char *path, struct sbx_sqlite *out, char *reason, size_t size) {
  memset(out, 0, sizeof *out);
  void *l = sbx_library_open(path, reason, size);
  if (!l) return -1;
  out->library = l;
  int missing = 0;
  // POSIX lets a void pointer of dlsym be a function's; ISO C does not, hence the copies through memory.
#define RESOLVE(field, name) \
  do { \
    void *p = dlsym(l, name); \
    missing |= !p; \
    memcpy(&out->field, &p, sizeof p); \
  } while (0)
  RESOLVE(open, "sqlite3_open_v2");
  RESOLVE(close, "sqlite3_close_v2");
  RESOLVE(busy_timeout, "sqlite3_busy_timeout");
  RESOLVE(prepare, "sqlite3_prepare_v2");
  RESOLVE(step, "sqlite3_step");
  RESOLVE(column_type, "sqlite3_column_type");
  RESOLVE(column_double, "sqlite3_column_double");
  RESOLVE(finalize, "sqlite3_finalize");
  RESOLVE(message, "sqlite3_errmsg");
#undef RESOLVE
  if (missing) snprintf(reason, size, "%s lacks a function", path);
  return missing ? -1 : 0;
}

int sbx_sqlite_open(struct sbx_sqlite *sqlite, const char *uri) {
  if (sqlite->database) sqlite->close(sqlite->database);
  sqlite->database = NULL;
  return sqlite->open(uri, &sqlite->database, READ_ONLY_URI, NULL);
}

int sbx_sqlite_number(struct sbx_sqlite *sqlite, const char *sql, double *value) {
  void *statement = NULL;
  *value = NAN;
  int code = sqlite->prepare(sqlite->database, sql, -1, &statement, NULL);
  if (code == 0) {
    code = sqlite->step(statement);
    if (code == ROW && sqlite->column_type(statement, 0) != NULL_TYPE) *value = sqlite->column_double(statement, 0);
    if (code == ROW || code == DONE) code = 0;
  }
  sqlite->finalize(statement);
  return code;
}

void sbx_sqlite_close(struct sbx_sqlite *sqlite) {
  if (sqlite->database) sqlite->close(sqlite->database);
  if (sqlite->library) dlclose(sqlite->library);
  memset(sqlite, 0, sizeof *sqlite);
}

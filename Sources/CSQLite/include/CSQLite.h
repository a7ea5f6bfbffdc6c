// SQLite's library, opened at run time: the agent does not depend on it. Source: sqlite.org/c3ref.
#pragma once
#include <stddef.h>
#include <stdint.h>

struct sbx_sqlite {
  void *library;
  void *database;
  int (*open)(const char *, void **, int, const char *);
  int (*close)(void *);
  int (*busy_timeout)(void *, int);
  int (*prepare)(void *, const char *, int, void **, const char **);
  int (*step)(void *);
  int (*column_type)(void *, int);
  double (*column_double)(void *, int);
  int (*finalize)(void *);
  const char *(*message)(void *);
};

// 0, or -1 with a reason: no library, or one without these functions.
int sbx_sqlite_load(const char *path, struct sbx_sqlite *out, char *reason, size_t size);
// SQLITE_OK or SQLite's code. The name is a URI.
int sbx_sqlite_open(struct sbx_sqlite *sqlite, const char *uri);
// SQLITE_OK and the first column of the first row, NaN for NULL or no row; or SQLite's code.
int sbx_sqlite_number(struct sbx_sqlite *sqlite, const char *sql, double *value);
void sbx_sqlite_close(struct sbx_sqlite *sqlite);

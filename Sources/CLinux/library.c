#include "library.h"
#include <dlfcn.h>
#include <stdio.h>

void *sbx_library_open(const char *path, char *reason, size_t size) {
  void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
  if (library) return library;
  const char *words = dlerror();
  snprintf(reason, size, "%s", words ? words : "unknown reason");
  return NULL;
}

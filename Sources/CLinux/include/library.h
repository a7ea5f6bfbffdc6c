#pragma once
#include <stddef.h>

// dlopen(3) with all symbols bound at once; NULL, and why as a text in `reason`, where there is no such library.
void *sbx_library_open(const char *path, char *reason, size_t size);

#pragma once
#include <zlib.h>

// A macro of zlib as a function: gzip's framing (16 + 15 bits of window) with the usual memory.
static inline int sbx_gzip_init(z_stream *stream, int level) {
  return deflateInit2(stream, level, Z_DEFLATED, 16 + 15, 8, Z_DEFAULT_STRATEGY);
}

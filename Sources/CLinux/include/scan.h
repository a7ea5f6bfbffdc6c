#pragma once
#include <stddef.h>
#include <stdint.h>

// One look at every byte of a log, 16 or 32 at a time; Swift's SIMD types have no "which bytes are set" instruction (pmovmskb).
// For each 64 bytes writes four words to `out`, bit n for byte n: newline; NUL, carriage return or not ASCII;
// '=', or ':' that is not "://…"; the start of a pair of bytes with which a secret of a known shape gives itself away.
// `out` has room for (count + 63) / 64 * 4 words.
void sbx_scan_lines(const uint8_t *bytes, size_t count, uint64_t *out);

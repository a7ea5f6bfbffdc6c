#pragma once
#include <stddef.h>
#include <stdint.h>

// One look at every byte of a log, 16 or 32 at a time; Swift's SIMD types have no "which bytes are set" instruction (pmovmskb).
// For each 64 bytes writes four words to `out`, bit n for byte n: newline; NUL, carriage return, escape or not ASCII;
// '=', or ':' that is not "://…"; a hint that a secret may be here: '@', "%3", "sw", "by", "au" and "qu" in any case (password, IDENTIFIED
// BY, AUTH, requirepass), the bytes ef bc (the wide colon), the 16th byte of a run of letters, digits, '_' and '-', and a '-' between a blank or '-' and a letter.
// `out` has room for (count + 63) / 64 * 4 words.
void sbx_scan_lines(const uint8_t *bytes, size_t count, uint64_t *out);

// Places at multiples of `stride` whose four bytes are, by a hash of 16 bits, among those of `bits` (65 536 bits). Writes at most `max`
// places; returns how many there are, or max + 1 where there are more.
size_t sbx_sieve(const uint8_t *text, size_t count, size_t stride, const uint64_t *bits, uint32_t *out, size_t max);
// Hash of four bytes, as they lie in memory.
uint32_t sbx_sieve_hash(uint32_t word);

#include "scan.h"
#include <string.h>

size_t sbx_sieve(const uint8_t *text, size_t count, size_t stride, const uint64_t *bits, uint32_t *out, size_t max) {
  size_t found = 0;
  for (size_t at = 0; at + 4 <= count; at += stride) {
    uint32_t word;
    memcpy(&word, text + at, 4);
    uint32_t hash = sbx_sieve_hash(word);
    if (bits[hash >> 6] >> (hash & 63) & 1) {
      if (found == max) return max + 1;
      out[found++] = (uint32_t)at;
    }
  }
  return found;
}

// Letters of either case are the same; a few signs that differ in the same bit are taken for each other, which costs a second look.
uint32_t sbx_sieve_hash(uint32_t word) { return ((word | 0x20202020u) * 0x9E3779B1u) >> 16; }

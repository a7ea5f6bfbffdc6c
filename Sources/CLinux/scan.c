#include "scan.h"
#include <string.h>
#if defined(__SSE2__)
#include <immintrin.h>
#endif

// Two bytes with which the secrets that have a shape give themselves away: eyJ, AKIA/ASIA, AIza, gh?_, github_pat_, glpat-, sk-, hf_,
// xox?-, -----BEGIN, Bearer, Basic, --password, sk_live_, pypi-.
static const char pairs[][2] = {{'y', 'J'}, {'I', 'A'}, {'I', 'z'}, {'g', 'h'}, {'b', '_'}, {'t', '-'}, {'k', '-'}, {'f', '_'},
                                {'x', 'o'}, {'-', 'B'}, {'B', 'e'}, {'B', 'a'}, {'-', '-'}, {'k', '_'}, {'i', '-'}};
#define PAIRS (sizeof pairs / sizeof pairs[0])

#if defined(__SSE2__)
// The same with 32 bytes at once, where the processor has it.
__attribute__((target("avx2"))) static void wide_block(const uint8_t *p, uint64_t *out) {
  uint64_t newline = 0, odd = 0, separator = 0, shape = 0;
  for (int part = 0; part < 2; part++) {
    __m256i here = _mm256_loadu_si256((const __m256i *)(p + 32 * part));
    __m256i next = _mm256_loadu_si256((const __m256i *)(p + 32 * part + 1));
#define IS(v, c) _mm256_cmpeq_epi8(v, _mm256_set1_epi8(c))
    __m256i strange = _mm256_or_si256(_mm256_or_si256(here, IS(here, 0x1b)), _mm256_or_si256(IS(here, 0), IS(here, '\r')));
    __m256i between = _mm256_or_si256(IS(here, '='), _mm256_andnot_si256(IS(next, '/'), IS(here, ':')));
    __m256i shaped = IS(here, '@');
#pragma clang loop unroll(full)
    for (unsigned i = 0; i < PAIRS; i++)
      shaped = _mm256_or_si256(shaped, _mm256_and_si256(IS(here, pairs[i][0]), IS(next, pairs[i][1])));
    int shift = 32 * part;
    newline |= (uint64_t)(uint32_t)_mm256_movemask_epi8(IS(here, '\n')) << shift;
    odd |= (uint64_t)(uint32_t)_mm256_movemask_epi8(strange) << shift;
    separator |= (uint64_t)(uint32_t)_mm256_movemask_epi8(between) << shift;
    shape |= (uint64_t)(uint32_t)_mm256_movemask_epi8(shaped) << shift;
#undef IS
  }
  out[0] = newline;
  out[1] = odd;
  out[2] = separator;
  out[3] = shape;
}

// As many whole blocks as there are with a byte behind them; returns how many bytes they have.
__attribute__((target("avx2"))) static size_t wide_blocks(const uint8_t *bytes, size_t count, uint64_t *out) {
  size_t at = 0;
  for (; at + 65 <= count; at += 64, out += 4) wide_block(bytes + at, out);
  return at;
}

static void block(const uint8_t *p, uint64_t *out) {
  uint64_t newline = 0, odd = 0, separator = 0, shape = 0;
  for (int part = 0; part < 4; part++) {
    __m128i here = _mm_loadu_si128((const __m128i *)(p + 16 * part));
    __m128i next = _mm_loadu_si128((const __m128i *)(p + 16 * part + 1));
#define IS(v, c) _mm_cmpeq_epi8(v, _mm_set1_epi8(c))
    __m128i strange = _mm_or_si128(_mm_or_si128(here, IS(here, 0x1b)), _mm_or_si128(IS(here, 0), IS(here, '\r')));
    __m128i between = _mm_or_si128(IS(here, '='), _mm_andnot_si128(IS(next, '/'), IS(here, ':')));
    __m128i shaped = IS(here, '@');
#pragma clang loop unroll(full)
    for (unsigned i = 0; i < PAIRS; i++) shaped = _mm_or_si128(shaped, _mm_and_si128(IS(here, pairs[i][0]), IS(next, pairs[i][1])));
    int shift = 16 * part;
    newline |= (uint64_t)(uint32_t)_mm_movemask_epi8(IS(here, '\n')) << shift;
    odd |= (uint64_t)(uint32_t)_mm_movemask_epi8(strange) << shift;
    separator |= (uint64_t)(uint32_t)_mm_movemask_epi8(between) << shift;
    shape |= (uint64_t)(uint32_t)_mm_movemask_epi8(shaped) << shift;
#undef IS
  }
  out[0] = newline;
  out[1] = odd;
  out[2] = separator;
  out[3] = shape;
}
#else
static void block(const uint8_t *p, uint64_t *out) {
  out[0] = out[1] = out[2] = out[3] = 0;
  for (int i = 0; i < 64; i++) {
    uint64_t bit = 1ull << i;
    if (p[i] == '\n') out[0] |= bit;
    if (p[i] >= 0x80 || p[i] == 0 || p[i] == '\r' || p[i] == 0x1b) out[1] |= bit;
    if (p[i] == '=' || (p[i] == ':' && p[i + 1] != '/')) out[2] |= bit;
    if (p[i] == '@') out[3] |= bit;
    for (unsigned j = 0; j < PAIRS; j++)
      if (p[i] == pairs[j][0] && p[i + 1] == pairs[j][1]) out[3] |= bit;
  }
}
#endif

void sbx_scan_lines(const uint8_t *bytes, size_t count, uint64_t *out) {
  size_t at = 0;
#if defined(__SSE2__)
  if (__builtin_cpu_supports("avx2")) {
    at = wide_blocks(bytes, count, out);
    out += at / 64 * 4;
  }
#endif
  for (; at + 65 <= count; at += 64, out += 4) block(bytes + at, out);
  for (; at < count; at += 64, out += 4) {
    // The last bytes, padded so that nothing behind them is read; the padding is no finding of its own.
    uint8_t last[65] = {0};
    size_t left = count - at;
    memcpy(last, bytes + at, left < 65 ? left : 65);
    block(last, out);
    if (left < 64)
      for (int kind = 0; kind < 4; kind++) out[kind] &= (1ull << left) - 1;
  }
}

#include "scan.h"
#include <string.h>
#if defined(__SSE2__)
#include <immintrin.h>
#endif

// Classes of bytes, as bits. A byte's class is what its low half and its high half have in common, so that two table look-ups of 16
// entries, which AVX2 does for 32 bytes at once, give it.
enum { FIRST_HALF = 1, SECOND_HALF = 2, DIGIT = 4, UNDERSCORE = 8, DASH = 16 };
enum { LETTER = FIRST_HALF | SECOND_HALF, TOKEN = LETTER | DIGIT | UNDERSCORE | DASH };
#define LOW_BYTES                                                                                                      \
  SECOND_HALF | DIGIT, LETTER | DIGIT, LETTER | DIGIT, LETTER | DIGIT, LETTER | DIGIT, LETTER | DIGIT,         \
   LETTER | DIGIT, LETTER | DIGIT, LETTER | DIGIT, LETTER | DIGIT, LETTER, FIRST_HALF, FIRST_HALF,                     \
   FIRST_HALF | DASH, FIRST_HALF, FIRST_HALF | UNDERSCORE
// A…O and a…o, the first half, begin with 4 and 6, the second one with 5 and 7.
#define HIGH_BYTES 0, 0, DASH, DIGIT, FIRST_HALF, SECOND_HALF | UNDERSCORE, FIRST_HALF, SECOND_HALF, 0, 0, 0, 0, 0, 0, 0, 0

// What was found in 64 bytes.
struct found {
  uint64_t newline, odd, separator, sign, token, letter, dash, blank;
};

// Runs of token bytes and options go on across blocks: what the block before ended with.
struct before {
  uint64_t token[4], dash, blank, run;
};

// Every bit moved up by `count`, with the highest ones of the block before.
static inline uint64_t moved(uint64_t bits, uint64_t previous, int count) { return bits << count | previous >> (64 - count); }

static void put(const struct found *f, struct before *b, uint64_t nextLetter, uint64_t *out) {
  // Where a run of token bytes has 16 of them: every secret with a shape is as long.
  uint64_t run = f->token;
  for (int stage = 0; stage < 4; stage++) {
    uint64_t here = run;
    run &= moved(run, b->token[stage], 1 << stage);
    b->token[stage] = here;
  }
  uint64_t first = run & ~moved(run, b->run, 1);
  // A dash before a letter and behind a blank or a dash: -p, --password, -----BEGIN.
  uint64_t option = f->dash & (f->letter >> 1 | nextLetter << 63) & (moved(f->blank, b->blank, 1) | moved(f->dash, b->dash, 1));
  b->run = run;
  b->dash = f->dash;
  b->blank = f->blank;
  out[0] = f->newline;
  out[1] = f->odd;
  out[2] = f->separator;
  out[3] = f->sign | first | option;
}

static uint8_t class_of(uint8_t byte) {
  static const uint8_t low[16] = {LOW_BYTES}, high[16] = {HIGH_BYTES};
  return low[byte & 15] & high[byte >> 4];
}

#if defined(__SSE2__)
__attribute__((target("avx2"))) static void wide_block(const uint8_t *p, struct found *f) {
  memset(f, 0, sizeof *f);
  const __m128i low16 = _mm_setr_epi8(LOW_BYTES), high16 = _mm_setr_epi8(HIGH_BYTES);
  const __m256i low = _mm256_broadcastsi128_si256(low16), high = _mm256_broadcastsi128_si256(high16);
  const __m256i half = _mm256_set1_epi8(15);
  for (int part = 0; part < 2; part++) {
    __m256i here = _mm256_loadu_si256((const __m256i *)(p + 32 * part));
    __m256i next = _mm256_loadu_si256((const __m256i *)(p + 32 * part + 1));
#define IS(v, c) _mm256_cmpeq_epi8(v, _mm256_set1_epi8((char)(c)))
#define BITS(v) ((uint64_t)(uint32_t)_mm256_movemask_epi8(v) << (32 * part))
    __m256i class = _mm256_and_si256(_mm256_shuffle_epi8(low, _mm256_and_si256(here, half)),
                                     _mm256_shuffle_epi8(high, _mm256_and_si256(_mm256_srli_epi16(here, 4), half)));
    __m256i strange = _mm256_or_si256(_mm256_or_si256(here, IS(here, 0x1b)), _mm256_or_si256(IS(here, 0), IS(here, '\r')));
    __m256i between = _mm256_or_si256(IS(here, '='), _mm256_andnot_si256(IS(next, '/'), IS(here, ':')));
    __m256i lower = _mm256_or_si256(here, _mm256_set1_epi8(0x20)), lowerNext = _mm256_or_si256(next, _mm256_set1_epi8(0x20));
    __m256i sign = _mm256_or_si256(IS(here, '@'), _mm256_and_si256(IS(here, '%'), IS(next, '3')));
    sign = _mm256_or_si256(sign, _mm256_and_si256(IS(lower, 's'), IS(lowerNext, 'w')));
    sign = _mm256_or_si256(sign, _mm256_and_si256(IS(lower, 'b'), IS(lowerNext, 'y')));
    sign = _mm256_or_si256(sign, _mm256_and_si256(_mm256_or_si256(IS(lower, 'a'), IS(lower, 'q')), IS(lowerNext, 'u')));
    sign = _mm256_or_si256(sign, _mm256_and_si256(IS(here, 0xef), IS(next, 0xbc)));
    f->newline |= BITS(IS(here, '\n'));
    f->odd |= BITS(strange);
    f->separator |= BITS(between);
    f->sign |= BITS(sign);
    f->token |= BITS(_mm256_cmpgt_epi8(_mm256_and_si256(class, _mm256_set1_epi8(TOKEN)), _mm256_setzero_si256()));
    f->letter |= BITS(_mm256_cmpgt_epi8(_mm256_and_si256(class, _mm256_set1_epi8(LETTER)), _mm256_setzero_si256()));
    f->dash |= BITS(IS(here, '-'));
    f->blank |= BITS(IS(here, ' '));
#undef BITS
#undef IS
  }
}

// As many whole blocks as there are with a byte behind them; returns how many bytes they have.
__attribute__((target("avx2"))) static size_t wide_blocks(const uint8_t *bytes, size_t count, struct before *b, uint64_t *out) {
  size_t at = 0;
  struct found f;
  for (; at + 65 <= count; at += 64, out += 4) {
    wide_block(bytes + at, &f);
    put(&f, b, (class_of(bytes[at + 64]) & LETTER) != 0, out);
  }
  return at;
}
#endif

// The same byte by byte: the last bytes, and machines without AVX2.
static void block(const uint8_t *p, struct found *f) {
  memset(f, 0, sizeof *f);
  for (int i = 0; i < 64; i++) {
    uint64_t bit = 1ull << i;
    uint8_t class = class_of(p[i]), lower = p[i] | 0x20, lowerNext = p[i + 1] | 0x20;
    if (p[i] == '\n') f->newline |= bit;
    if (p[i] >= 0x80 || p[i] == 0 || p[i] == '\r' || p[i] == 0x1b) f->odd |= bit;
    if (p[i] == '=' || (p[i] == ':' && p[i + 1] != '/')) f->separator |= bit;
    if (p[i] == '@' || (p[i] == '%' && p[i + 1] == '3') || (lower == 's' && lowerNext == 'w') || (lower == 'b' && lowerNext == 'y') ||
        ((lower == 'a' || lower == 'q') && lowerNext == 'u') ||
        (p[i] == 0xef && p[i + 1] == 0xbc))
      f->sign |= bit;
    if (class & TOKEN) f->token |= bit;
    if (class & LETTER) f->letter |= bit;
    if (class & DASH) f->dash |= bit;
    if (p[i] == ' ') f->blank |= bit;
  }
}

void sbx_scan_lines(const uint8_t *bytes, size_t count, uint64_t *out) {
  size_t at = 0;
  struct before b;
  struct found f;
  memset(&b, 0, sizeof b);
#if defined(__SSE2__)
  if (__builtin_cpu_supports("avx2")) {
    at = wide_blocks(bytes, count, &b, out);
    out += at / 64 * 4;
  }
#endif
  for (; at + 65 <= count; at += 64, out += 4) {
    block(bytes + at, &f);
    put(&f, &b, (class_of(bytes[at + 64]) & LETTER) != 0, out);
  }
  for (; at < count; at += 64, out += 4) {
    // The last bytes, padded so that nothing behind them is read; the padding is no finding of its own.
    uint8_t last[65] = {0};
    size_t left = count - at;
    memcpy(last, bytes + at, left < 65 ? left : 65);
    block(last, &f);
    put(&f, &b, (class_of(last[64]) & LETTER) != 0, out);
    if (left < 64)
      for (int kind = 0; kind < 4; kind++) out[kind] &= (1ull << left) - 1;
  }
}

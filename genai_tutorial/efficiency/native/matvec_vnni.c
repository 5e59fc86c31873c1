/* The same product in integers, for x86 CPUs with AVX-512 VNNI ("vector neural network
 * instructions"): vpdpbusd multiplies four pairs of bytes in each of 16 lanes and adds
 * all four products to the lane. The words are in the order of matvec_lanes.c.
 *
 * The inputs become integers too. Eight bits, as in llama.cpp, would be too few: single
 * inputs are so large that most others round to zero. So each input gets 16 bits, split
 * into two bytes: 256 * high + low, and both are multiplied by the same weights. */
#include "matvec.h"

#ifndef __AVX512VNNI__
#error "This CPU or compiler has no AVX-512 VNNI instructions."
#endif
#include <immintrin.h>
#include <math.h>

typedef __m512i words;

/* A block of inputs: the high bytes and the low bytes, each in words of four columns,
 * and what one unit is worth. */
typedef struct {
    int32_t high[8], low[8];
    float unit, sum;
} Inputs;

/* Word j of four-bit levels has its even columns in the low halves of its four bytes,
 * and the odd ones in the high halves. */
static int column4(int i) { return i / 8 * 8 + i % 4 * 2 + i / 4 % 2; }
static int column8(int i) { return i; }

static inline void quantize(const float *x, int blocks, int (*column)(int),
                            Inputs *inputs) {
    for (int block = 0; block < blocks; block++, x += COLUMNS, inputs++) {
        float largest = 0;
        for (int i = 0; i < COLUMNS; i++)
            if (fabsf(x[i]) > largest) largest = fabsf(x[i]);
        inputs->unit = largest / (127 * 256);
        float inverse = largest > 0 ? 1 / inputs->unit : 0;
        int8_t *high = (int8_t *)inputs->high, *low = (int8_t *)inputs->low;
        int sum = 0;
        for (int i = 0; i < COLUMNS; i++) {
            int value = (int)lrintf(x[column(i)] * inverse);
            low[i] = (int8_t)value; /* from -128 to 127, so that high takes the rest */
            high[i] = (int8_t)((value - low[i]) / 256);
            sum += value;
        }
        inputs->sum = sum * inputs->unit;
    }
}

static inline __m512 half(words bits) {
    return _mm512_cvtph_ps(_mm512_cvtepi32_epi16(bits));
}

/* Multiply four columns of each row by the same four inputs, and add. */
static inline words multiply(words sums, words levels, int32_t inputs) {
    return _mm512_dpbusd_epi32(sums, levels, _mm512_set1_epi32(inputs));
}

/* 256 * high + low, in the units of the inputs */
static inline __m512 join(words high, words low, float unit) {
    words sum = _mm512_add_epi32(_mm512_slli_epi32(high, 8), low);
    return _mm512_mul_ps(_mm512_cvtepi32_ps(sum), _mm512_set1_ps(unit));
}

static inline void prefetch(const uint32_t *address, int words_per_block) {
    for (int i = 0; i < words_per_block; i++) __builtin_prefetch(address + i * GROUP);
}

const uint32_t *matvec4(const uint32_t *weights, int rows, int columns,
                        const float *x, float *y, int threads) {
    int blocks = columns / COLUMNS;
    Inputs inputs[blocks];
    quantize(x, blocks, column4, inputs);
    const words nibble = _mm512_set1_epi8(15);
#pragma omp parallel for num_threads(threads) if (threads > 1)
    for (int row = 0; row < rows; row += GROUP) {
        const uint32_t *w = weights + (size_t)row * blocks * WORDS4;
        __m512 total = _mm512_loadu_ps(y + row);
        for (int block = 0; block < blocks; block++, w += WORDS4 * GROUP) {
            const Inputs *v = inputs + block;
            words high = _mm512_setzero_si512(), low = high;
            prefetch(w + 16 * WORDS4 * GROUP, WORDS4);
#pragma GCC unroll 4
            for (int j = 0; j < 4; j++) {
                words levels = _mm512_loadu_si512(w + (1 + j) * GROUP);
                words even = _mm512_and_si512(levels, nibble);
                words odd = _mm512_and_si512(_mm512_srli_epi16(levels, 4), nibble);
                high = multiply(high, even, v->high[2 * j]);
                low = multiply(low, even, v->low[2 * j]);
                high = multiply(high, odd, v->high[2 * j + 1]);
                low = multiply(low, odd, v->low[2 * j + 1]);
            }
            words header = _mm512_loadu_si512(w);
            __m512 offset = half(_mm512_srli_epi32(header, 16));
            total = _mm512_fmadd_ps(half(header), join(high, low, v->unit), total);
            total = _mm512_fmadd_ps(offset, _mm512_set1_ps(v->sum), total);
        }
        _mm512_storeu_ps(y + row, total);
    }
    return weights + (size_t)rows * blocks * WORDS4;
}

/* vpdpbusd takes unsigned bytes for the weights, so their levels are raised by 128, and
 * 128 times the sum of the inputs is taken off again. */
const uint32_t *matvec8(const uint32_t *weights, int rows, int columns,
                        const float *x, float *y, int threads) {
    int blocks = columns / COLUMNS;
    Inputs inputs[blocks];
    quantize(x, blocks, column8, inputs);
    const words raise = _mm512_set1_epi8((char)128);
#pragma omp parallel for num_threads(threads) if (threads > 1)
    for (int row = 0; row < rows; row += GROUP) {
        const uint32_t *w = weights + (size_t)row * blocks * WORDS8;
        __m512 total = _mm512_loadu_ps(y + row);
        for (int block = 0; block < blocks; block++, w += WORDS8 * GROUP) {
            const Inputs *v = inputs + block;
            words high = _mm512_setzero_si512(), low = high;
            prefetch(w + 10 * WORDS8 * GROUP, WORDS8);
#pragma GCC unroll 8
            for (int j = 0; j < 8; j++) {
                words levels = _mm512_loadu_si512(w + (1 + j) * GROUP);
                levels = _mm512_xor_si512(levels, raise);
                high = multiply(high, levels, v->high[j]);
                low = multiply(low, levels, v->low[j]);
            }
            __m512 product = _mm512_sub_ps(join(high, low, v->unit),
                                           _mm512_set1_ps(128 * v->sum));
            total = _mm512_fmadd_ps(_mm512_loadu_ps(w), product, total);
        }
        _mm512_storeu_ps(y + row, total);
    }
    return weights + (size_t)rows * blocks * WORDS8;
}

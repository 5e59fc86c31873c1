/* The product with the words in the order of the file, as in matvec_rows.c, and in all
 * lanes, as in matvec_lanes.c. Here the lanes are columns of one row, so each row has a
 * vector of sums, whose lanes are added once, at its end. Eight rows at a time share
 * the loads of the inputs and the conversion of the scales; meanwhile the next eight
 * are asked for, because memory answers after some hundred cycles.
 *
 * Two words are copied to all lanes as one number of 64 bits and shifted by a different
 * distance in each lane; a mask leaves a level in the lower and one in the upper half.
 * The inputs are sorted into the same order, once per product. */
#include "matvec.h"

enum { ROWS = 8, WORD4 = 8, WORD8 = 4 }; /* rows at a time; levels in a word */
typedef float floats __attribute__((vector_size(4 * GROUP)));
typedef int32_t ints __attribute__((vector_size(4 * GROUP)));
typedef uint64_t pairs __attribute__((vector_size(4 * GROUP)));
typedef float few_floats __attribute__((vector_size(4 * ROWS)));
typedef int32_t few_ints __attribute__((vector_size(4 * ROWS)));
typedef uint32_t few_words __attribute__((vector_size(4 * ROWS)));

/* memcpy is how C reads memory as another type; it compiles to one load. */
static inline floats load(const float *address) {
    floats f;
    memcpy(&f, address, sizeof f);
    return f;
}

/* A 16-bit float has 5 bits of exponent and 10 of fraction. Shifted to the place of a
 * 32-bit float's, its exponent is too small by 112. */
static inline few_floats half(few_words bits) {
    few_words shifted = (bits & 0x8000) << 16 | (bits & 0x7fff) << 13;
    few_floats values;
    memcpy(&values, &shifted, sizeof values);
    return values * 0x1p112f;
}

/* Column k of two words, for k from 0 to 7, in lanes 2 k and 2 k + 1. */
static inline floats levels(const uint32_t *two) {
    const pairs distances = {0, 4, 8, 12, 16, 20, 24, 28};
    uint64_t both;
    memcpy(&both, two, sizeof both);
    pairs found = ((pairs){0} + both) >> distances & 0xf0000000full;
    return __builtin_convertvector((ints)found, floats);
}

const uint32_t *matvec4(const uint32_t *weights, int rows, int columns,
                        const float *x, float *y, int threads) {
    int blocks = columns / COLUMNS, next = blocks * WORDS4;
    float sums[blocks], sorted[columns];
    sum_blocks(x, blocks, sums);
    for (int i = 0; i < columns; i++)
        sorted[i / GROUP * GROUP + i % WORD4 * 2 + i / WORD4 % 2] = x[i];
#pragma omp parallel for num_threads(threads) if (threads > 1)
    for (int row = 0; row < rows; row += ROWS) {
        const uint32_t *w = weights + (size_t)row * next;
        floats total[ROWS] = {{0}};
        few_floats offsets = {0};
        for (int block = 0; block < blocks; block++, w += WORDS4) {
            floats first = load(sorted + block * COLUMNS);
            floats second = load(sorted + block * COLUMNS + GROUP);
            few_words headers;
#pragma GCC unroll 8
            for (int r = 0; r < ROWS; r++) {
                headers[r] = w[r * next];
                __builtin_prefetch(w + (r + ROWS) * next);
            }
            few_floats scales = half(headers);
            offsets += half(headers >> 16) * sums[block];
#pragma GCC unroll 8
            for (int r = 0; r < ROWS; r++)
                total[r] += scales[r] * (first * levels(w + r * next + 1) +
                                         second * levels(w + r * next + 3));
        }
        for (int r = 0; r < ROWS; r++) {
            y[row + r] += offsets[r];
            for (int lane = 0; lane < GROUP; lane++) y[row + r] += total[r][lane];
        }
    }
    return weights + (size_t)rows * next;
}

/* A block has eight words of four levels: level 0 of all of them, then level 1. */
const uint32_t *matvec8(const uint32_t *weights, int rows, int columns,
                        const float *x, float *y, int threads) {
    int blocks = columns / COLUMNS;
    float sorted[columns];
    for (int i = 0; i < columns; i++)
        sorted[i / COLUMNS * COLUMNS + i % WORD8 * 8 + i % COLUMNS / WORD8] = x[i];
#pragma omp parallel for num_threads(threads) if (threads > 1)
    for (int row = 0; row < rows; row++) {
        const uint32_t *w = weights + (size_t)row * blocks * WORDS8;
        few_floats total = {0};
        for (int block = 0; block < blocks; block++, w += WORDS8) {
            few_words words;
            few_floats sum[WORD8];
            float scale;
            __builtin_prefetch(w + 32 * WORDS8);
            memcpy(&scale, w, sizeof scale);
            memcpy(&words, w + 1, sizeof words);
#pragma GCC unroll 4
            for (int k = 0; k < WORD8; k++) {
                few_floats v;
                memcpy(&v, sorted + block * COLUMNS + 8 * k, sizeof v);
                few_ints signed_levels = (few_ints)(words << (24 - 8 * k)) >> 24;
                sum[k] = v * __builtin_convertvector(signed_levels, few_floats);
            }
            total += scale * (sum[0] + sum[1] + (sum[2] + sum[3]));
        }
        for (int lane = 0; lane < 8; lane++) y[row] += total[lane];
    }
    return weights + (size_t)rows * blocks * WORDS8;
}

/* The same product with the words of 16 rows side by side: word 0 of all 16 rows, then
 * word 1 of all of them. A vector of 16 lanes loads them at once, and each lane works
 * on a row of its own. So nothing is ever moved from lane to lane: no byte is widened, no
 * sum is formed across a vector. A level comes out of its word with a shift and a mask.
 *
 * Vectors are an extension of C that GCC and Clang share. They turn one operation on 16
 * lanes into one instruction with AVX-512, two with AVX2, four with SSE or NEON. */
#include "matvec.h"

typedef float floats __attribute__((vector_size(4 * GROUP)));
typedef int32_t ints __attribute__((vector_size(4 * GROUP)));
typedef uint32_t words __attribute__((vector_size(4 * GROUP)));

/* memcpy is how C reads memory as another type; it compiles to one load. */
static inline words load(const uint32_t *address) {
    words w;
    memcpy(&w, address, sizeof w);
    return w;
}

static inline floats as_floats(words w) {
    floats f;
    memcpy(&f, &w, sizeof f);
    return f;
}

/* A 16-bit float has 5 bits of exponent and 10 of fraction. Shifted to the place of a
 * 32-bit float's, its exponent is too small by 112. */
static inline floats half(words bits) {
    return as_floats((bits & 0x8000) << 16 | (bits & 0x7fff) << 13) * 0x1p112f;
}

/* Memory answers after some hundred cycles, so ask early for what is read a dozen
 * blocks later. */
static inline void prefetch(const uint32_t *address, int words_per_block) {
    for (int i = 0; i < words_per_block; i++) __builtin_prefetch(address + i * GROUP);
}

const uint32_t *matvec4(const uint32_t *weights, int rows, int columns,
                        const float *x, float *y, int threads) {
    int blocks = columns / COLUMNS;
    float sums[blocks];
    sum_blocks(x, blocks, sums);
#pragma omp parallel for num_threads(threads) if (threads > 1)
    for (int row = 0; row < rows; row += GROUP) {
        const uint32_t *w = weights + (size_t)row * blocks * WORDS4;
        floats total;
        memcpy(&total, y + row, sizeof total);
        for (int block = 0; block < blocks; block++, w += WORDS4 * GROUP) {
            const float *v = x + block * COLUMNS;
            floats sum[4] = {{0}, {0}, {0}, {0}}; /* four, so that additions overlap */
            prefetch(w + 12 * WORDS4 * GROUP, WORDS4);
#pragma GCC unroll 4
            for (int j = 0; j < 4; j++) {
                words levels = load(w + (1 + j) * GROUP);
#pragma GCC unroll 8
                for (int k = 0; k < 8; k++)
                    sum[k % 4] += v[8 * j + k] *
                        __builtin_convertvector((ints)(levels >> 4 * k & 15), floats);
            }
            words header = load(w);
            total += half(header) * (sum[0] + sum[1] + (sum[2] + sum[3])) +
                     half(header >> 16) * sums[block];
        }
        memcpy(y + row, &total, sizeof total);
    }
    return weights + (size_t)rows * blocks * WORDS4;
}

const uint32_t *matvec8(const uint32_t *weights, int rows, int columns,
                        const float *x, float *y, int threads) {
    int blocks = columns / COLUMNS;
#pragma omp parallel for num_threads(threads) if (threads > 1)
    for (int row = 0; row < rows; row += GROUP) {
        const uint32_t *w = weights + (size_t)row * blocks * WORDS8;
        floats total;
        memcpy(&total, y + row, sizeof total);
        for (int block = 0; block < blocks; block++, w += WORDS8 * GROUP) {
            const float *v = x + block * COLUMNS;
            floats sum[4] = {{0}, {0}, {0}, {0}};
            prefetch(w + 8 * WORDS8 * GROUP, WORDS8);
#pragma GCC unroll 8
            for (int j = 0; j < 8; j++) {
                words levels = load(w + (1 + j) * GROUP);
#pragma GCC unroll 4
                for (int k = 0; k < 4; k++) /* up to the sign bit, and down with it */
                    sum[k] += v[4 * j + k] * __builtin_convertvector(
                        (ints)(levels << (24 - 8 * k)) >> 24, floats);
            }
            total += as_floats(load(w)) * (sum[0] + sum[1] + (sum[2] + sum[3]));
        }
        memcpy(y + row, &total, sizeof total);
    }
    return weights + (size_t)rows * blocks * WORDS8;
}

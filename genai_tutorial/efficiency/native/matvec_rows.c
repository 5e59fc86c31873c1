/* The product as one would write it first: row after row, as in the file, and one
 * weight after the other. The compiler can't use the vector unit, which adds 16 numbers
 * in another order than the loop does and so gets another rounding error. */
#include "matvec.h"

/* A 16-bit float has 5 bits of exponent and 10 of fraction. Shifted to the place of a
 * 32-bit float's, its exponent is too small by 112. */
static float half(uint32_t bits) {
    uint32_t shifted = (bits & 0x7fff) << 13;
    float value;
    memcpy(&value, &shifted, sizeof value);
    return bits & 0x8000 ? -value * 0x1p112f : value * 0x1p112f;
}

const uint32_t *matvec4(const uint32_t *weights, int rows, int columns,
                        const float *x, float *y, int threads) {
    int blocks = columns / COLUMNS;
    float sums[blocks];
    sum_blocks(x, blocks, sums);
#pragma omp parallel for num_threads(threads) if (threads > 1)
    for (int row = 0; row < rows; row++) {
        const uint32_t *w = weights + (size_t)row * blocks * WORDS4;
        for (int block = 0; block < blocks; block++, w += WORDS4) {
            float sum = 0;
            for (int j = 0; j < 4; j++)
                for (int k = 0; k < 8; k++) {
                    int level = w[1 + j] >> 4 * k & 15;
                    sum += level * x[block * COLUMNS + 8 * j + k];
                }
            y[row] += half(w[0]) * sum + half(w[0] >> 16) * sums[block];
        }
    }
    return weights + (size_t)rows * blocks * WORDS4;
}

const uint32_t *matvec8(const uint32_t *weights, int rows, int columns,
                        const float *x, float *y, int threads) {
    int blocks = columns / COLUMNS;
#pragma omp parallel for num_threads(threads) if (threads > 1)
    for (int row = 0; row < rows; row++) {
        const uint32_t *w = weights + (size_t)row * blocks * WORDS8;
        for (int block = 0; block < blocks; block++, w += WORDS8) {
            const int8_t *levels = (const int8_t *)(w + 1);
            float sum = 0, scale;
            memcpy(&scale, w, sizeof scale);
            for (int i = 0; i < COLUMNS; i++) sum += levels[i] * x[block * COLUMNS + i];
            y[row] += scale * sum;
        }
    }
    return weights + (size_t)rows * blocks * WORDS8;
}

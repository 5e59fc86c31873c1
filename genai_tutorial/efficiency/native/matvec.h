/* Products of a quantized matrix with a vector, the work that generation consists of.
 *
 * Every file matvec_*.c implements the two functions below. packing.py writes the
 * weights for them, in blocks of 32 columns of a row, as 32-bit words:
 *
 *   4 bits: a word with the scale and, above it, the offset, both 16-bit floats; then
 *           4 words with 8 levels each, the first column in the lowest bits.
 *           weight = scale * level + offset, with levels from 0 to 15
 *   8 bits: a word with the scale, a 32-bit float; then 8 words with 4 levels each.
 *           weight = scale * level, with levels from -127 to 127
 *
 * The files differ in the order of these words, and so in their speed. */
#include <stdint.h>
#include <string.h>

enum { COLUMNS = 32, WORDS4 = 1 + 4, WORDS8 = 1 + 8, GROUP = 16 };

/* Add the product to y. The number of rows is a multiple of 16, that of columns one of
 * 32. Returns the address behind the matrix, where the next one begins. */
const uint32_t *matvec4(const uint32_t *weights, int rows, int columns,
                        const float *x, float *y, int threads);
const uint32_t *matvec8(const uint32_t *weights, int rows, int columns,
                        const float *x, float *y, int threads);

/* The offset of a block counts once for each column, so it is multiplied by the sum of
 * the block's inputs, which is the same for all rows. */
static inline void sum_blocks(const float *x, int blocks, float *sums) {
    for (int block = 0; block < blocks; block++) {
        sums[block] = 0;
        for (int i = 0; i < COLUMNS; i++) sums[block] += x[block * COLUMNS + i];
    }
}

/* A matrix times a vector, from quantized weights. Each of the files matvec_*.c
 * implements these two functions for its own memory layout, which packing.py writes.
 *
 * All take columns in blocks of 32 that share a scale, and rows in groups of 16.
 * They return a pointer behind the matrix: the next matrix begins there. */
#include <stdint.h>
#include <string.h>

#define ROWS 16    /* rows in a group */
#define COLUMNS 32 /* columns in a block */

/* 4 bits: weight = scale * level + offset, level 0 to 15. Adds the product to y. */
const uint8_t *matvec4(const uint8_t *w, int rows, int columns, const float *x,
                       float *y, int threads);

/* 8 bits: weight = scale * level, level -127 to 127. Adds the product to y. */
const uint8_t *matvec8(const uint8_t *w, int rows, int columns, const float *x,
                       float *y, int threads);

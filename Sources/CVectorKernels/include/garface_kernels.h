/* Inner loops in the processor's widest vectors. Swift compiles for every x86-64; C can compile a function for one kind of
 * processor, so these loops exist once for each kind and the caller picks at run time. Nothing here allocates or checks:
 * callers own the memory and the sizes. */
#pragma once
#include <stdint.h>

/* Tells the processor that this thread only looks again and again whether something has come. */
static inline void garface_pause(void) {
#if defined(__x86_64__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
}

/* Floats that may be read past the last one a kernel needs, and written past the last lane it is given. */
#define GARFACE_SLACK 32

/* One set of kernels. Lengths and offsets count floats. */
typedef struct {
    /* Floats in a vector. */
    int64_t lanes;

    /* A matrix product whose right side need not lie in rows of equal distance:
     *   y[o * pitch + to[v] + l] = sum over k < depth of w[o, k] * x[rows[k] + from[v] + l]
     * for o < outputs, v < vectors, l < lanes. A convolution's taps are shifts of one map, so its columns are never built.
     * `w`: blocks of 8 outputs, [ceil(outputs / 8)][depth][8], zeros where there is no output. */
    void (*product)(const float *w, int64_t depth, const int64_t *rows, const float *x, const int64_t *from, int64_t vectors,
                    float *y, int64_t pitch, const int64_t *to, int64_t outputs);

    /* Winograd's F(4x4, 3x3) over points 0, +-sqrt(1/2), +-sqrt(2) and infinity.
     * One row of tiles (4 pixels high) of one map: `lines`, 6 rows of the map or of zeros, of `width` pixels, beginning one
     * above the tiles. Writes `v[e * step + t]` for the 36 elements e and `tiles` tiles t. `scratch`:
     * 6 * (4 * tiles + 96) floats, zeros at first. */
    void (*winograd_input)(const float *const lines[6], int64_t width, int64_t tiles, float *v, int64_t step, float *scratch);
    /* The way back: from `m[e * step + t]` the 4 rows of the tiles, each `4 * tiles` pixels rounded up to 32. */
    void (*winograd_output)(const float *m, int64_t step, int64_t tiles, float *const lines[4]);

    /* out[k * height * width + r * width + j] = x[rows[k] + r * pitch + j], k < depth, r < height, j < width: patches of small
     * maps as columns. */
    void (*columns)(const float *x, const int64_t *rows, int64_t depth, int64_t pitch, int64_t height, int64_t width,
                    float *out);

    /* even[i] = x[2 i], odd[i] = x[2 i + 1] for i < count. */
    void (*split)(const float *x, int64_t count, float *even, float *odd);
    /* y[2 i] = even[i], y[2 i + 1] = odd[i] for i < count. */
    void (*merge)(const float *even, const float *odd, int64_t count, float *y);

    /* 32 numbers to half precision: 0 if all are zero, 1 if not, -1 if some are no numbers of half precision. */
    int32_t (*halve)(const float *x, uint16_t *h);
    /* sums[i] += sum over k < rows of coefficients[modes[k]] * block[k, i] for i < 32, in half precision. */
    void (*combine)(const uint16_t *block, const int32_t *modes, int64_t rows, const float *coefficients, float *sums);
    /* sums[modes[k] * lanes + l] += the part that lane l has in the sum over i < 32 of block[k, i] * values[i]. */
    void (*project)(const uint16_t *block, const int32_t *modes, int64_t rows, const float *values, float *sums);

    /* y[r] += factor * sum over c < columns of a[r, c] * x[c], for r < rows; a row after the other. */
    void (*rows_times)(const float *a, int64_t rows, int64_t columns, float factor, const float *x, float *y);
    /* y[c] += factor * sum over r < rows of x[r] * a[r, c], for c < columns. */
    void (*columns_times)(const float *a, int64_t rows, int64_t columns, float factor, const float *x, float *y);
} garface_kernels;

/* The kernels for processors with AVX2, FMA and F16C (level 0) or AVX-512 (level 1); NULL where this one is no such. */
const garface_kernels *garface_kernels_of_level(int32_t level);

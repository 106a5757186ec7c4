// Matrix products in the transformed domain of the Winograd convolutions: many rows (tiles) by panels of weights.
#pragma once
#include "lanes.h"
LANES_BEGIN

enum { panel_width = 32 };

/// Rows whose sums, of two vectors each, stay in registers with those vectors of weights and a factor.
enum { most_rows = wide == 16 ? 12 : 6 };

/// `c[r][0..wide n] = sum over k of a[r][k] * b[k][0..wide n]`, for constant numbers of rows and of vectors; rows of b are `panel` apart.
/// `ahead`: fetches `depth` lines from `next` on into the second-level cache meanwhile.
INLINE void product_block(const int rows, const int n, const bool ahead, const float *restrict a, size_t a_stride,
                          const float *restrict b, int panel, int depth, float *restrict c, size_t c_stride, const float *next) {
    lanes sum[12][2];
#pragma clang loop unroll(full)
    for (int r = 0; r < rows; r++)
#pragma clang loop unroll(full)
        for (int v = 0; v < n; v++) sum[r][v] = zeros();
    for (int k = 0; k < depth; k++) {
        lanes w[2];
        if (ahead) _mm_prefetch((const char *)(next + (size_t)16 * k), _MM_HINT_T1);
#pragma clang loop unroll(full)
        for (int v = 0; v < n; v++) w[v] = load(b + (size_t)k * panel + wide * v);
#pragma clang loop unroll(full)
        for (int r = 0; r < rows; r++) {
            const lanes x = all(a[r * a_stride + k]);
#pragma clang loop unroll(full)
            for (int v = 0; v < n; v++) sum[r][v] = fma3(x, w[v], sum[r][v]);
        }
    }
#pragma clang loop unroll(full)
    for (int r = 0; r < rows; r++)
#pragma clang loop unroll(full)
        for (int v = 0; v < n; v++) store(c + r * c_stride + wide * v, sum[r][v]);
}

INLINE void product_columns(const int n, const bool ahead, const float *a, int rows, size_t a_stride, const float *b, int panel,
                            int depth, float *c, size_t c_stride, const float *next) {
    int r = 0;
    for (; r + most_rows <= rows; r += most_rows, next += (size_t)16 * depth)
        product_block(most_rows, n, ahead, a + r * a_stride, a_stride, b, panel, depth, c + r * c_stride, c_stride, next);
    if (wide == 16)
        for (; r + 8 <= rows; r += 8)
            product_block(8, n, false, a + r * a_stride, a_stride, b, panel, depth, c + r * c_stride, c_stride, next);
    for (; r + 4 <= rows; r += 4)
        product_block(4, n, false, a + r * a_stride, a_stride, b, panel, depth, c + r * c_stride, c_stride, next);
    for (; r < rows; r++) product_block(1, n, false, a + r * a_stride, a_stride, b, panel, depth, c + r * c_stride, c_stride, next);
}

/// c [rows][columns] = a [rows][depth] * b, whose columns lie in panels of 32 and, at the end, perhaps one of 16.
INLINE void product(const float *a, int rows, int depth, const float *b, int columns, float *c) {
    for (int start = 0; start < columns; start += panel_width) {
        const int panel = columns - start < panel_width ? columns - start : panel_width;
        const float *weights = b + (size_t)start * depth;
        // Weights of many channels come from memory, the next panel while this one is at work. What lies behind the last one is
        // the next point's first; a fetch of what is nobody's does nothing.
        const float *next = weights + (size_t)panel * depth;
        int n = 0;
        for (; n + 2 * wide <= panel; n += 2 * wide)
            if (depth >= 256 && n + 2 * wide == panel)
                product_columns(2, true, a, rows, depth, weights + n, panel, depth, c + start + n, columns, next);
            else
                product_columns(2, false, a, rows, depth, weights + n, panel, depth, c + start + n, columns, next);
        if (n < panel) product_columns(1, false, a, rows, depth, weights + n, panel, depth, c + start + n, columns, next);
    }
}

LANES_END

#if GARFACE_LANES == 16
// The same in bfloat16 with sums in single precision: two steps of depth at a time, side by side in both factors.
#pragma clang attribute push(__attribute__((target("avx512f,avx512dq,avx512bw,avx512vl,avx512bf16,fma"))), apply_to = function)
INLINE void half_block(const int rows, const int n, const unsigned short *restrict a, size_t a_stride,
                       const unsigned short *restrict b, int depth, float *restrict c, size_t c_stride) {
    lanes sum[12][2];
#pragma clang loop unroll(full)
    for (int r = 0; r < rows; r++)
#pragma clang loop unroll(full)
        for (int v = 0; v < n; v++) sum[r][v] = zeros();
    for (int k = 0; k < depth; k += 2) {
        __m512bh w[2];
#pragma clang loop unroll(full)
        for (int v = 0; v < n; v++) w[v] = (__m512bh)_mm512_loadu_si512(b + (size_t)k * 16 * n + 32 * v);
#pragma clang loop unroll(full)
        for (int r = 0; r < rows; r++) {
            int pair;
            memcpy(&pair, a + r * a_stride + k, sizeof pair);
            const __m512bh x = (__m512bh)_mm512_set1_epi32(pair);
#pragma clang loop unroll(full)
            for (int v = 0; v < n; v++) sum[r][v] = _mm512_dpbf16_ps(sum[r][v], x, w[v]);
        }
    }
#pragma clang loop unroll(full)
    for (int r = 0; r < rows; r++)
#pragma clang loop unroll(full)
        for (int v = 0; v < n; v++) store(c + r * c_stride + 16 * v, sum[r][v]);
}

INLINE void half_panel(const int n, const unsigned short *a, int rows, size_t a_stride, const unsigned short *b, int depth,
                       float *c, size_t c_stride) {
    int r = 0;
    for (; r + 12 <= rows; r += 12) half_block(12, n, a + r * a_stride, a_stride, b, depth, c + r * c_stride, c_stride);
    for (; r + 8 <= rows; r += 8) half_block(8, n, a + r * a_stride, a_stride, b, depth, c + r * c_stride, c_stride);
    for (; r + 4 <= rows; r += 4) half_block(4, n, a + r * a_stride, a_stride, b, depth, c + r * c_stride, c_stride);
    for (; r < rows; r++) half_block(1, n, a + r * a_stride, a_stride, b, depth, c + r * c_stride, c_stride);
}

static void half_product(const unsigned short *a, int rows, int depth, const unsigned short *b, int columns, float *c) {
    int n = 0;
    for (; n + panel_width <= columns; n += panel_width) half_panel(2, a, rows, depth, b + (size_t)n * depth, depth, c + n, columns);
    if (n < columns) half_panel(1, a, rows, depth, b + (size_t)n * depth, depth, c + n, columns);
}
#pragma clang attribute pop
#else
static void half_product(const unsigned short *a, int rows, int depth, const unsigned short *b, int columns, float *c) {}
#endif

LANES_BEGIN
/// Product of number `at` and those after it of `a` with number `b_at` and those after it of `b`: see `product`.
INLINE void product_of(const bool half, const void *a, size_t at, int rows, int depth, const void *b, size_t b_at, int columns,
                       float *c) {
    if (half)
        half_product((const unsigned short *)a + at, rows, depth, (const unsigned short *)b + b_at, columns, c);
    else
        product((const float *)a + at, rows, depth, (const float *)b + b_at, columns, c);
}

/// Where weight (k, n) of a product lies in its panels.
static inline size_t panel_index(int k, int n, int depth, int columns) {
    const int start = n / panel_width * panel_width;
    const int width = columns - start < panel_width ? columns - start : panel_width;
    return (size_t)start * depth + (size_t)k * width + (n - start);
}
LANES_END

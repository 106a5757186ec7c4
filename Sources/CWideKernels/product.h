// Matrix products in the transformed domain of the Winograd convolutions: many rows (tiles) by panels of weights.
#pragma once
#include "lanes.h"
#if GARFACE_LANES
LANES_BEGIN

enum { panel_width = 32 };

/// `c[r][0..16n] = sum over k of a[r][k] * b[k][0..16n]`, for constant numbers of rows and of vectors.
INLINE void product_block(const int rows, const int n, const float *restrict a, size_t a_stride, const float *restrict b,
                          int depth, float *restrict c, size_t c_stride) {
    lanes sum[12][2];
#pragma clang loop unroll(full)
    for (int r = 0; r < rows; r++)
#pragma clang loop unroll(full)
        for (int v = 0; v < n; v++) sum[r][v] = _mm512_setzero_ps();
    for (int k = 0; k < depth; k++) {
        lanes w[2];
#pragma clang loop unroll(full)
        for (int v = 0; v < n; v++) w[v] = load(b + (size_t)k * 16 * n + 16 * v);
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
        for (int v = 0; v < n; v++) store(c + r * c_stride + 16 * v, sum[r][v]);
}

INLINE void product_panel(const int n, const float *a, int rows, size_t a_stride, const float *b, int depth, float *c,
                          size_t c_stride) {
    int r = 0;
    for (; r + 12 <= rows; r += 12) product_block(12, n, a + r * a_stride, a_stride, b, depth, c + r * c_stride, c_stride);
    for (; r + 8 <= rows; r += 8) product_block(8, n, a + r * a_stride, a_stride, b, depth, c + r * c_stride, c_stride);
    for (; r + 4 <= rows; r += 4) product_block(4, n, a + r * a_stride, a_stride, b, depth, c + r * c_stride, c_stride);
    for (; r < rows; r++) product_block(1, n, a + r * a_stride, a_stride, b, depth, c + r * c_stride, c_stride);
}

/// c [rows][columns] = a [rows][depth] * b, whose columns lie in panels of 32 and, at the end, perhaps one of 16.
INLINE void product(const float *a, int rows, int depth, const float *b, int columns, float *c) {
    int n = 0;
    for (; n + panel_width <= columns; n += panel_width) product_panel(2, a, rows, depth, b + (size_t)n * depth, depth, c + n, columns);
    if (n < columns) product_panel(1, a, rows, depth, b + (size_t)n * depth, depth, c + n, columns);
}

/// Where weight (k, n) of a product lies in its panels.
static inline size_t panel_index(int k, int n, int depth, int columns) {
    const int start = n / panel_width * panel_width;
    const int width = columns - start < panel_width ? columns - start : panel_width;
    return (size_t)start * depth + (size_t)k * width + (n - start);
}
LANES_END
#endif

// Winograd's F(4x4, 3x3): a tile of 4x4 outputs from a window of 6x6 inputs by 36 multiplications instead of 144.
#include "kernels.h"
#include "product.h"
#if GARFACE_LANES
LANES_BEGIN

enum { tile = 4, window = 6, points = 36 };

/// Tiles that are transformed and multiplied together: their numbers stay in the second-level cache.
static int band(int inputs, int outputs, int tiles) {
    int n = (int)((size_t)(160 << 10) / ((size_t)points * (inputs + outputs)));
    const int least = (inputs < outputs ? inputs : outputs) / 4;
    if (n < least) n = least;
    n = n < 8 ? 8 : n / 4 * 4;
    return n < tiles ? n : tiles;
}

static int tiles_of(int height, int width) { return ((height + tile - 1) / tile) * ((width + tile - 1) / tile); }

// A little more than rows * channels, so that the 36 products do not share cache sets.
static size_t point_stride(int rows, int channels) { return (size_t)rows * channels + 16; }

size_t garface_winograd_weight_count(int inputs, int outputs) { return (size_t)points * inputs * outputs; }

void garface_winograd_weights(const float *w, int inputs, int outputs, bool mirrored, float *u) {
    static const double g[6][3] = {{1. / 4, 0, 0},           {-1. / 6, -1. / 6, -1. / 6}, {-1. / 6, 1. / 6, -1. / 6},
                                   {1. / 24, 1. / 12, 1. / 6}, {1. / 24, -1. / 12, 1. / 6}, {0, 0, 1}};
    const int depth = mirrored ? outputs : inputs, columns = mirrored ? inputs : outputs;
    for (int k = 0; k < depth; k++)
        for (int n = 0; n < columns; n++) {
            const float *kernel = w + 9 * (mirrored ? (size_t)k * inputs + n : (size_t)n * inputs + k);
            const size_t at = panel_index(k, n, depth, columns);
            double t[6][3];
            for (int i = 0; i < window; i++)
                for (int b = 0; b < 3; b++) {
                    t[i][b] = 0;
                    for (int a = 0; a < 3; a++) t[i][b] += g[i][a] * kernel[mirrored ? 8 - (3 * a + b) : 3 * a + b];
                }
            for (int i = 0; i < window; i++)
                for (int j = 0; j < window; j++)
                    u[(size_t)(i * window + j) * depth * columns + at] =
                        (float)(t[i][0] * g[j][0] + t[i][1] * g[j][1] + t[i][2] * g[j][2]);
        }
}

size_t garface_winograd_scratch(int inputs, int outputs, int height, int width) {
    const int n = band(inputs, outputs, tiles_of(height, width));
    return points * (point_stride(n, inputs) + point_stride(n, outputs));
}

INLINE void input_points(const lanes d[6], lanes t[6]) {
    const lanes a = fma3(all(-4), d[2], d[4]), b = fma3(all(-4), d[1], d[3]);
    const lanes c = sub(d[4], d[2]), e = sub(d[3], d[1]);
    t[0] = fma3(all(4), d[0], fma3(all(-5), d[2], d[4]));
    t[1] = add(a, b);
    t[2] = sub(a, b);
    t[3] = fma3(all(2), e, c);
    t[4] = fma3(all(-2), e, c);
    t[5] = fma3(all(4), d[1], fma3(all(-5), d[3], d[5]));
}

INLINE void output_points(const lanes m[6], lanes y[4]) {
    const lanes a = add(m[1], m[2]), b = sub(m[1], m[2]), c = add(m[3], m[4]), d = sub(m[3], m[4]);
    y[0] = add(add(m[0], a), c);
    y[1] = fma3(all(2), d, b);
    y[2] = fma3(all(4), c, a);
    y[3] = add(fma3(all(8), d, b), m[5]);
}

/// One window of 16 channels, rows `row` numbers apart, into its 36 points, `stride` numbers apart, from number `at` of v on.
INLINE void transform_input(const float *x, size_t row, lanes scale, void *v, size_t at, size_t stride, const bool half) {
    lanes t[6][6];
#pragma clang loop unroll(full)
    for (int j = 0; j < 6; j++) {
        lanes d[6], s[6];
#pragma clang loop unroll(full)
        for (int i = 0; i < 6; i++) d[i] = load(x + i * row + 16 * j);
        input_points(d, s);
#pragma clang loop unroll(full)
        for (int i = 0; i < 6; i++) t[i][j] = mul(s[i], scale);
    }
#pragma clang loop unroll(full)
    for (int i = 0; i < 6; i++) {
        lanes s[6];
        input_points(t[i], s);
#pragma clang loop unroll(full)
        for (int j = 0; j < 6; j++) put(v, at + (size_t)(6 * i + j) * stride, s[j], half);
    }
}

/// The 36 points of one tile to `rows` x `columns` of its outputs.
INLINE void transform_output(const float *m, size_t stride, float *y, size_t row, int rows, int columns) {
    lanes t[4][6];
#pragma clang loop unroll(full)
    for (int j = 0; j < 6; j++) {
        lanes d[6], s[4];
#pragma clang loop unroll(full)
        for (int i = 0; i < 6; i++) d[i] = load(m + (size_t)(6 * i + j) * stride);
        output_points(d, s);
#pragma clang loop unroll(full)
        for (int i = 0; i < 4; i++) t[i][j] = s[i];
    }
#pragma clang loop unroll(full)
    for (int i = 0; i < 4; i++) {
        lanes s[4];
        output_points(t[i], s);
        if (i < rows)
#pragma clang loop unroll(full)
            for (int j = 0; j < 4; j++)
                if (j < columns) store(y + i * row + 16 * j, s[j]);
    }
}

/// The window at (top, left) with zeros outside the map.
static void padded_window(const float *x, int height, int width, int top, int left, float *out) {
    for (int i = 0; i < window; i++)
        for (int j = 0; j < window; j++) {
            const int r = top + i, c = left + j;
            const bool inside = r >= 0 && r < height && c >= 0 && c < width;
            store(out + 16 * (window * i + j), inside ? load(x + ((size_t)r * width + c) * 16) : _mm512_setzero_ps());
        }
}

INLINE void inputs_of_tiles(const float *x, const float *scale, int inputs, int height, int width, int first, int count,
                            void *v, size_t stride, const bool half) {
    const int across = (width + tile - 1) / tile;
    const size_t area = (size_t)height * width;
    float edge[16 * points];
    for (int b = 0; b < inputs / 16; b++) {
        const float *plane = x + 16 * area * b;
        const lanes s = scale ? load(scale + 16 * b) : all(1);
        for (int t = 0; t < count; t++) {
            const int top = (first + t) / across * tile - 1, left = (first + t) % across * tile - 1;
            const size_t at = (size_t)t * inputs + 16 * b;
            if (top >= 0 && left >= 0 && top + window <= height && left + window <= width)
                transform_input(plane + ((size_t)top * width + left) * 16, (size_t)16 * width, s, v, at, stride, half);
            else {
                padded_window(plane, height, width, top, left, edge);
                transform_input(edge, 16 * window, s, v, at, stride, half);
            }
        }
    }
}

static void outputs_of_tiles(const float *m, size_t stride, int outputs, int height, int width, int first, int count, float *y) {
    const int across = (width + tile - 1) / tile;
    const size_t area = (size_t)height * width;
    for (int b = 0; b < outputs / 16; b++)
        for (int t = 0; t < count; t++) {
            const int top = (first + t) / across * tile, left = (first + t) % across * tile;
            float *out = y + 16 * (area * b + (size_t)top * width + left);
            const float *in = m + (size_t)t * outputs + 16 * b;
            if (top + tile <= height && left + tile <= width)
                transform_output(in, stride, out, (size_t)16 * width, tile, tile);
            else
                transform_output(in, stride, out, (size_t)16 * width, height - top, width - left);
        }
}

INLINE void run(const bool half, const float *x, const float *scale, const void *u, float *y, int inputs, int outputs, int height,
                int width, float *scratch, int part, int parts) {
    const int tiles = tiles_of(height, width), n = band(inputs, outputs, tiles);
    const int begin = (int)((long)tiles * part / parts), end = (int)((long)tiles * (part + 1) / parts);
    float *v = scratch, *m = scratch + points * point_stride(n, inputs);
    for (int first = begin; first < end; first += n) {
        const int count = end - first < n ? end - first : n;
        const size_t vs = point_stride(count, inputs), ms = point_stride(count, outputs);
        inputs_of_tiles(x, scale, inputs, height, width, first, count, v, vs, half);
        for (int p = 0; p < points; p++)
            product_of(half, v, p * vs, count, inputs, u, (size_t)p * inputs * outputs, outputs, m + p * ms);
        outputs_of_tiles(m, ms, outputs, height, width, first, count, y);
    }
}

void garface_winograd(const float *x, const float *scale, const void *u, bool half, float *y, int inputs, int outputs, int height,
                      int width, float *scratch, int part, int parts) {
    if (half)
        run(true, x, scale, u, y, inputs, outputs, height, width, scratch, part, parts);
    else
        run(false, x, scale, u, y, inputs, outputs, height, width, scratch, part, parts);
}

void garface_half_weights(const float *u, int depth, int columns, unsigned short *half) {
    for (int p = 0; p < points; p++)
        for (int k = 0; k < depth; k++)
            for (int n = 0; n < columns; n++) {
                const size_t at = (size_t)p * depth * columns;
                const int start = n / panel_width * panel_width, last = columns - start;
                const int width = last < panel_width ? last : panel_width;
                unsigned bits;
                memcpy(&bits, u + at + panel_index(k, n, depth, columns), sizeof bits);
                half[at + (size_t)start * depth + (size_t)(k / 2) * 2 * width + 2 * (n - start) + k % 2] =
                    (unsigned short)((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
            }
}
LANES_END
#else
size_t garface_winograd_weight_count(int inputs, int outputs) { return 0; }
void garface_winograd_weights(const float *w, int inputs, int outputs, bool mirrored, float *u) {}
size_t garface_winograd_scratch(int inputs, int outputs, int height, int width) { return 0; }
void garface_winograd(const float *x, const float *scale, const void *u, bool half, float *y, int inputs, int outputs, int height,
                      int width, float *scratch, int part, int parts) {}
void garface_half_weights(const float *u, int depth, int columns, unsigned short *half) {}
#endif

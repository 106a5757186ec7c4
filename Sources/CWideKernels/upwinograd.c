// The transposed convolution of stride 2 and its adjoint. Along one side of a map, with taps w0, w1, w2:
//   out[2j] = w0 x[j] + w2 x[j-1],  out[2j+1] = w1 x[j]
// so four even outputs are a convolution of two taps over five inputs (five products at the points 0, 1, -1, 2 and
// infinity) and four odd ones are four products with w1: nine "points" in six groups, the last of which holds four that
// share their weights. Both sides of a map together give 36 groups of 1, 4 or 16 points: 81 products for 64 outputs.
#include "kernels.h"
#include "product.h"
#if GARFACE_LANES
LANES_BEGIN

enum { tile = 4, window = 5, groups = 6, points = 81 };

static int band(int inputs, int outputs, int tiles) {
    int n = (int)((size_t)(160 << 10) / ((size_t)points * (inputs + outputs)));
    const int least = (inputs < outputs ? inputs : outputs) / 8;
    if (n < least) n = least;
    n = n < 8 ? 8 : n / 4 * 4;
    return n < tiles ? n : tiles;
}

static int tiles_along(int n) { return (n + tile - 1) / tile; }

/// Points of group (a, b).
INLINE int members(int a, int b) { return (a == 5 ? 4 : 1) * (b == 5 ? 4 : 1); }

/// Points before those of group (a, b), by rows of groups.
INLINE int points_before(int a, int b) { return a * 9 + b * (a == 5 ? 4 : 1); }

// A little apart, so that points do not share cache sets.
INLINE size_t group_start(int a, int b, int count, int channels) {
    return (size_t)points_before(a, b) * count * channels + 16 * (groups * a + b);
}

static size_t band_size(int count, int channels) { return (size_t)points * count * channels + 16 * groups * groups; }

size_t garface_up_weight_count(int inputs, int outputs) { return (size_t)groups * groups * inputs * outputs; }

/// Row `a` of the weights' transform, over the taps (first, second) that a pair of neighbours meets, and the odd one.
static void taps_of_group(int a, const double tap[3], bool adjoint, double *first, double *second, double *odd) {
    static const double g[5][2] = {{1. / 2, 0}, {-1. / 2, -1. / 2}, {-1. / 6, 1. / 6}, {1. / 6, 1. / 3}, {0, 1}};
    *first = a < 5 ? g[a][0] * tap[adjoint ? 0 : 2] : 0;
    *second = a < 5 ? g[a][1] * tap[adjoint ? 2 : 0] : 0;
    *odd = a < 5 ? 0 : tap[1];
}

static double transformed(int a, const double tap[3], bool adjoint) {
    double first, second, odd;
    taps_of_group(a, tap, adjoint, &first, &second, &odd);
    return first + second + odd;
}

void garface_up_weights(const float *w, int inputs, int outputs, bool adjoint, float *u) {
    const int depth = adjoint ? outputs : inputs, columns = adjoint ? inputs : outputs;
    for (int k = 0; k < depth; k++)
        for (int n = 0; n < columns; n++) {
            const float *kernel = w + 9 * (adjoint ? (size_t)k * inputs + n : (size_t)n * inputs + k);
            const size_t at = panel_index(k, n, depth, columns);
            for (int a = 0; a < groups; a++) {
                double row[3];
                for (int j = 0; j < 3; j++) {
                    const double column[3] = {kernel[j], kernel[3 + j], kernel[6 + j]};
                    row[j] = transformed(a, column, adjoint);
                }
                for (int b = 0; b < groups; b++)
                    u[(size_t)(groups * a + b) * depth * columns + at] = (float)transformed(b, row, adjoint);
            }
        }
}

size_t garface_up_scratch(int inputs, int outputs, int height, int width) {
    const int n = band(inputs, outputs, (height / tile + 1) * (width / tile + 1));
    return band_size(n, inputs) + band_size(n, outputs);
}

INLINE void pair_points(lanes d0, lanes d1, lanes d2, lanes d3, lanes d4, lanes t[5]) {
    t[3] = sub(d3, d1);
    t[0] = fma3(all(2), sub(d0, d2), t[3]);
    t[1] = fma3(all(-2), d1, sub(d3, d2));
    t[2] = fma3(all(2), d1, fma3(all(-3), d2, d3));
    t[4] = fma3(all(-2), t[3], sub(d4, d2));
}

INLINE void pair_outputs(lanes m0, lanes m1, lanes m2, lanes m3, lanes m4, lanes y[4]) {
    const lanes a = add(m1, m2), b = sub(m1, m2);
    y[0] = add(add(m0, a), m3);
    y[1] = fma3(all(2), m3, b);
    y[2] = fma3(all(4), m3, a);
    y[3] = add(fma3(all(8), m3, b), m4);
}

/// Where point (i, j) of 9 x 9 of a tile lies in a band.
INLINE size_t point_at(int i, int j, int count, int channels) {
    const int a = i < 5 ? i : 5, b = j < 5 ? j : 5;
    const int member = (a == 5 ? i - 5 : 0) * (b == 5 ? 4 : 1) + (b == 5 ? j - 5 : 0);
    return group_start(a, b, count, channels) + (size_t)member * count * channels;
}

/// A window of 5 x 5 pixels, or of 9 x 9 of the adjoint's, whose even pixels are the five and odd ones the four.
INLINE void transform_input(const float *x, size_t row, lanes scale, bool adjoint, void *v, size_t start, int count, int channels,
                            const bool half) {
    lanes t[9][9];
#pragma clang loop unroll(full)
    for (int j = 0; j < (adjoint ? 9 : 5); j++) {
        lanes d[9];
#pragma clang loop unroll(full)
        for (int i = 0; i < (adjoint ? 9 : 5); i++) d[i] = mul(load(x + i * row + 16 * j), scale);
        lanes s[9];
        if (adjoint) {
            pair_points(d[0], d[2], d[4], d[6], d[8], s);
#pragma clang loop unroll(full)
            for (int i = 0; i < 4; i++) s[5 + i] = d[2 * i + 1];
        } else {
            pair_points(d[0], d[1], d[2], d[3], d[4], s);
#pragma clang loop unroll(full)
            for (int i = 0; i < 4; i++) s[5 + i] = d[1 + i];
        }
#pragma clang loop unroll(full)
        for (int i = 0; i < 9; i++) t[i][j] = s[i];
    }
#pragma clang loop unroll(full)
    for (int i = 0; i < 9; i++) {
        lanes s[9];
        if (adjoint) {
            pair_points(t[i][0], t[i][2], t[i][4], t[i][6], t[i][8], s);
#pragma clang loop unroll(full)
            for (int j = 0; j < 4; j++) s[5 + j] = t[i][2 * j + 1];
        } else {
            pair_points(t[i][0], t[i][1], t[i][2], t[i][3], t[i][4], s);
#pragma clang loop unroll(full)
            for (int j = 0; j < 4; j++) s[5 + j] = t[i][1 + j];
        }
#pragma clang loop unroll(full)
        for (int j = 0; j < 9; j++) put(v, start + point_at(i, j, count, channels), s[j], half);
    }
}

/// The 81 points of one tile to 8 x 8 outputs, of which `rows` x `columns` are inside the map.
INLINE void transform_output(const float *m, int count, int channels, float *y, size_t row, int rows, int columns) {
    lanes t[8][9];
#pragma clang loop unroll(full)
    for (int j = 0; j < 9; j++) {
        lanes d[9], s[4];
#pragma clang loop unroll(full)
        for (int i = 0; i < 9; i++) d[i] = load(m + point_at(i, j, count, channels));
        pair_outputs(d[0], d[1], d[2], d[3], d[4], s);
#pragma clang loop unroll(full)
        for (int i = 0; i < 4; i++) {
            t[2 * i][j] = s[i];
            t[2 * i + 1][j] = d[5 + i];
        }
    }
#pragma clang loop unroll(full)
    for (int i = 0; i < 8; i++) {
        lanes s[4];
        pair_outputs(t[i][0], t[i][1], t[i][2], t[i][3], t[i][4], s);
        if (i < rows)
#pragma clang loop unroll(full)
            for (int j = 0; j < 4; j++) {
                if (2 * j < columns) store(y + i * row + 32 * j, s[j]);
                if (2 * j + 1 < columns) store(y + i * row + 32 * j + 16, t[i][5 + j]);
            }
    }
}

/// The 81 points of one tile of the adjoint to 4 x 4 outputs.
INLINE void transform_adjoint(const float *m, int count, int channels, float *y, size_t row, int rows, int columns) {
    lanes t[4][9];
#pragma clang loop unroll(full)
    for (int j = 0; j < 9; j++) {
        lanes d[9], s[4];
#pragma clang loop unroll(full)
        for (int i = 0; i < 9; i++) d[i] = load(m + point_at(i, j, count, channels));
        pair_outputs(d[0], d[1], d[2], d[3], d[4], s);
#pragma clang loop unroll(full)
        for (int i = 0; i < 4; i++) t[i][j] = add(s[i], d[5 + i]);
    }
#pragma clang loop unroll(full)
    for (int i = 0; i < 4; i++) {
        lanes s[4];
        pair_outputs(t[i][0], t[i][1], t[i][2], t[i][3], t[i][4], s);
        if (i < rows)
#pragma clang loop unroll(full)
            for (int j = 0; j < 4; j++)
                if (j < columns) store(y + i * row + 16 * j, add(s[j], t[i][5 + j]));
    }
}

/// The window at (top, left) with zeros outside the map.
static void padded_window(const float *x, int height, int width, int top, int left, int side, float *out) {
    for (int i = 0; i < side; i++)
        for (int j = 0; j < side; j++) {
            const int r = top + i, c = left + j;
            const bool inside = r >= 0 && r < height && c >= 0 && c < width;
            store(out + 16 * (side * i + j), inside ? load(x + ((size_t)r * width + c) * 16) : _mm512_setzero_ps());
        }
}

INLINE void inputs_of_tiles(const float *x, const float *scale, int inputs, int height, int width, int across, bool adjoint,
                            int first, int count, void *v, const bool half) {
    const size_t area = (size_t)height * width;
    const int side = adjoint ? 9 : 5;
    float edge[16 * 81];
    for (int b = 0; b < inputs / 16; b++) {
        const float *plane = x + 16 * area * b;
        const lanes s = scale ? load(scale + 16 * b) : all(1);
        for (int t = 0; t < count; t++) {
            const int i = (first + t) / across, j = (first + t) % across;
            const int top = adjoint ? 8 * i : 4 * i - 1, left = adjoint ? 8 * j : 4 * j - 1;
            const size_t start = (size_t)t * inputs + 16 * b;
            if (top >= 0 && left >= 0 && top + side <= height && left + side <= width)
                transform_input(plane + ((size_t)top * width + left) * 16, (size_t)16 * width, s, adjoint, v, start, count, inputs,
                                half);
            else {
                padded_window(plane, height, width, top, left, side, edge);
                transform_input(edge, 16 * side, s, adjoint, v, start, count, inputs, half);
            }
        }
    }
}

INLINE void products(const bool half, const void *v, const void *u, float *m, int inputs, int outputs, int count) {
    for (int a = 0; a < groups; a++)
        for (int b = 0; b < groups; b++)
            product_of(half, v, group_start(a, b, count, inputs), members(a, b) * count, inputs, u,
                       (size_t)(groups * a + b) * inputs * outputs, outputs, m + group_start(a, b, count, outputs));
}

/// The last even row (or column) where the map's side is a multiple of 4: only the pair's first member lies in the map,
/// so that one of the six groups along the other side is left. `step` leads along the border, in numbers.
INLINE void border(const bool half, const float *x, const float *scale, const void *u, size_t u_step, float *y, int inputs, int outputs,
                   int length, size_t x_step, size_t x_area, size_t y_step, size_t y_area, float *scratch, int most) {
    const int tiles = length / tile + 1;
    for (int first = 0; first < tiles; first += most) {
        const int count = tiles - first < most ? tiles - first : most;
        float *v = scratch, *m = scratch + (size_t)9 * count * inputs;
        for (int b = 0; b < inputs / 16; b++) {
            const lanes s = mul(scale ? load(scale + 16 * b) : all(1), all(2));
            for (int t = 0; t < count; t++) {
                lanes d[5], p[9];
                for (int i = 0; i < 5; i++) {
                    const int at = tile * (first + t) - 1 + i;
                    d[i] = at >= 0 && at < length ? mul(load(x + 16 * x_area * b + at * x_step), s) : _mm512_setzero_ps();
                }
                pair_points(d[0], d[1], d[2], d[3], d[4], p);
                for (int i = 0; i < 4; i++) p[5 + i] = d[1 + i];
                for (int i = 0; i < 9; i++) put(v, ((size_t)i * count + t) * inputs + 16 * b, p[i], half);
            }
        }
        for (int g = 0; g < groups; g++)
            product_of(half, v, (size_t)g * count * inputs, (g == 5 ? 4 : 1) * count, inputs, u, g * u_step, outputs,
                       m + (size_t)g * count * outputs);
        for (int b = 0; b < outputs / 16; b++)
            for (int t = 0; t < count; t++) {
                lanes d[9], s[4];
                for (int i = 0; i < 9; i++) d[i] = load(m + ((size_t)i * count + t) * outputs + 16 * b);
                pair_outputs(d[0], d[1], d[2], d[3], d[4], s);
                for (int i = 0; i < 4; i++) {
                    const int at = 2 * (tile * (first + t) + i);
                    float *out = y + 16 * y_area * b + at * y_step;
                    if (at <= 2 * length) store(out, s[i]);
                    if (at + 1 <= 2 * length) store(out + y_step, d[5 + i]);
                }
            }
    }
}

INLINE void up(const bool half, const float *x, const float *scale, const void *u, float *y, int inputs, int outputs, int height,
               int width, float *scratch, int part, int parts) {
    const int across = tiles_along(width), tiles = across * tiles_along(height);
    const int n = band(inputs, outputs, (height / tile + 1) * (width / tile + 1));
    const int begin = (int)((long)tiles * part / parts), end = (int)((long)tiles * (part + 1) / parts);
    const int h = 2 * height + 1, w = 2 * width + 1;
    const size_t area = (size_t)height * width, large = (size_t)h * w, step = (size_t)inputs * outputs;
    float *v = scratch, *m = scratch + band_size(n, inputs);
    for (int first = begin; first < end; first += n) {
        const int count = end - first < n ? end - first : n;
        inputs_of_tiles(x, scale, inputs, height, width, across, false, first, count, v, half);
        products(half, v, u, m, inputs, outputs, count);
        for (int b = 0; b < outputs / 16; b++)
            for (int t = 0; t < count; t++) {
                const int top = (first + t) / across * 8, left = (first + t) % across * 8;
                float *out = y + 16 * (large * b + (size_t)top * w + left);
                const float *in = m + (size_t)t * outputs + 16 * b;
                if (top + 8 <= h && left + 8 <= w)
                    transform_output(in, count, outputs, out, (size_t)16 * w, 8, 8);
                else
                    transform_output(in, count, outputs, out, (size_t)16 * w, h - top, w - left);
            }
    }
    if (part != parts - 1) return;
    // Every tile of a border takes 9 of a band's 81 points.
    if (height % tile == 0)
        border(half, x + 16 * (area - width), scale, u, step, y + 16 * (large - w), inputs, outputs, width, 16, area, 16, large,
               scratch, 9 * n);
    if (width % tile == 0)
        border(half, x + 16 * (size_t)(width - 1), scale, u, groups * step, y + 16 * (size_t)(w - 1), inputs, outputs, height,
               (size_t)16 * width, area, (size_t)16 * w, large, scratch, 9 * n);
}

void garface_up(const float *x, const float *scale, const void *u, bool half, float *y, int inputs, int outputs, int height,
                int width, float *scratch, int part, int parts) {
    if (half)
        up(true, x, scale, u, y, inputs, outputs, height, width, scratch, part, parts);
    else
        up(false, x, scale, u, y, inputs, outputs, height, width, scratch, part, parts);
}

INLINE void adjoint(const bool half, const float *dy, const void *u, float *dx, int inputs, int outputs, int height, int width,
                    float *scratch, int part, int parts) {
    const int across = tiles_along(width), tiles = across * tiles_along(height);
    const int n = band(inputs, outputs, (height / tile + 1) * (width / tile + 1));
    const int begin = (int)((long)tiles * part / parts), end = (int)((long)tiles * (part + 1) / parts);
    const size_t area = (size_t)height * width;
    float *v = scratch, *m = scratch + band_size(n, inputs);
    for (int first = begin; first < end; first += n) {
        const int count = end - first < n ? end - first : n;
        inputs_of_tiles(dy, NULL, inputs, 2 * height + 1, 2 * width + 1, across, true, first, count, v, half);
        products(half, v, u, m, inputs, outputs, count);
        for (int b = 0; b < outputs / 16; b++)
            for (int t = 0; t < count; t++) {
                const int top = (first + t) / across * tile, left = (first + t) % across * tile;
                float *out = dx + 16 * (area * b + (size_t)top * width + left);
                const float *in = m + (size_t)t * outputs + 16 * b;
                if (top + tile <= height && left + tile <= width)
                    transform_adjoint(in, count, outputs, out, (size_t)16 * width, tile, tile);
                else
                    transform_adjoint(in, count, outputs, out, (size_t)16 * width, height - top, width - left);
            }
    }
}

void garface_up_adjoint(const float *dy, const void *u, bool half, float *dx, int inputs, int outputs, int height, int width,
                        float *scratch, int part, int parts) {
    if (half)
        adjoint(true, dy, u, dx, inputs, outputs, height, width, scratch, part, parts);
    else
        adjoint(false, dy, u, dx, inputs, outputs, height, width, scratch, part, parts);
}
LANES_END
#else
size_t garface_up_weight_count(int inputs, int outputs) { return 0; }
void garface_up_weights(const float *w, int inputs, int outputs, bool adjoint, float *u) {}
size_t garface_up_scratch(int inputs, int outputs, int height, int width) { return 0; }
void garface_up(const float *x, const float *scale, const void *u, bool half, float *y, int inputs, int outputs, int height,
                int width, float *scratch, int part, int parts) {}
void garface_up_adjoint(const float *dy, const void *u, bool half, float *dx, int inputs, int outputs, int height, int width,
                        float *scratch, int part, int parts) {}
#endif

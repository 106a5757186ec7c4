// 3x3 convolutions between few channels: vectors along the rows, a block of outputs kept in registers.
#include "kernels.h"
#include "lanes.h"
#if GARFACE_LANES
LANES_BEGIN

static const float high = 1.41421356f, low = 0.28284271f;

// A padded row: a zero, the pixels, and room to the end of the last vector that a block may read.
static size_t row_size(int width) { return ((size_t)width + 15) / 16 * 16 + (width > 16 ? 80 : 16); }

// Rows are kept in a ring of four.
size_t garface_narrow_scratch(int inputs, int width) { return 4 * (size_t)inputs * row_size(width) + 16; }

INLINE lanes leaky(lanes v) {
    return _mm512_mask_mul_ps(mul(v, all(high)), _mm512_cmp_ps_mask(v, _mm512_setzero_ps(), _CMP_LE_OQ), v, all(low));
}

/// Row `r` of every input into its place, zeros where it lies outside.
static void fill_row(const struct garface_narrow *n, int r, float *to, size_t row) {
    const size_t area = (size_t)n->height * n->width;
    for (int c = 0; c < n->inputs; c++, to += row) {
        if (r < 0 || r >= n->height) {
            memset(to, 0, row * sizeof(float));
            continue;
        }
        const float *x = n->x + c * area + (size_t)r * n->width;
        const float *gate = n->gate ? n->gate + c * area + (size_t)r * n->width : NULL;
        const lanes up = all(high * n->gate_gain), down = all(low * n->gate_gain);
        for (int i = 0; i < n->width; i += 16) {
            const __mmask16 mask = n->width - i >= 16 ? 0xffff : (__mmask16)((1u << (n->width - i)) - 1);
            lanes v = _mm512_maskz_loadu_ps(mask, x + i);
            if (gate) {
                const lanes g = _mm512_maskz_loadu_ps(mask, gate + i);
                v = mul(v, _mm512_mask_blend_ps(_mm512_cmp_ps_mask(g, _mm512_setzero_ps(), _CMP_GT_OQ), down, up));
            }
            store(to + 1 + i, v);
        }
        to[0] = 0;
        to[1 + n->width] = 0;
    }
}

/// What follows the sums of output `o`, for the pixels from `at` on that the mask names.
INLINE void finish(const struct garface_narrow *n, int o, size_t at, __mmask16 mask, lanes sum) {
    const size_t area = (size_t)n->height * n->width, p = o * area + at;
    lanes y = n->bias ? leaky(sum) : sum;
    if (n->y) {
        if (n->adds) y = add(y, _mm512_maskz_loadu_ps(mask, n->y + p));
        _mm512_mask_storeu_ps(n->y + p, mask, y);
    }
    if (n->sum) {
        lanes s = mul(y, all(n->sum_gain));
        for (int c = 0; c < n->skip_inputs; c++)
            s = fma3(_mm512_maskz_loadu_ps(mask, n->skip + c * area + at), all(n->skip_weights[o * n->skip_inputs + c]), s);
        _mm512_mask_storeu_ps(n->sum + p, mask, s);
    }
}

INLINE __mmask16 first_lanes(int count) {
    return count >= 16 ? 0xffff : count <= 0 ? 0 : (__mmask16)((1u << count) - 1);
}

/// `outputs` channels from `o` on of 16 * `vectors` pixels from `i` on of row `r`; or `paired`, of up to 8 pixels of the
/// rows r and r + 1, one in each half of a vector.
INLINE void block(const int outputs, const int vectors, const bool paired, const struct garface_narrow *n, float *const rows[4],
                  size_t row, int o, int r, int i, int end) {
    lanes sum[8][4];
#pragma clang loop unroll(full)
    for (int k = 0; k < outputs; k++)
#pragma clang loop unroll(full)
        for (int v = 0; v < vectors; v++) sum[k][v] = n->bias ? all(n->bias[o + k]) : _mm512_setzero_ps();
    const size_t per_output = (size_t)9 * n->inputs;
    const float *weights = n->weights + o * per_output;
    for (int c = 0; c < n->inputs; c++)
#pragma clang loop unroll(full)
        for (int a = 0; a < 3; a++) {
            const float *x = rows[a] + c * row + i, *below = rows[a + 1] + c * row + i;
#pragma clang loop unroll(full)
            for (int b = 0; b < 3; b++) {
                lanes in[4];
#pragma clang loop unroll(full)
                for (int v = 0; v < vectors; v++)
                    in[v] = paired ? _mm512_insertf32x8(_mm512_castps256_ps512(_mm256_loadu_ps(x + b)), _mm256_loadu_ps(below + b), 1)
                                   : load(x + 16 * v + b);
                const float *w = weights + 9 * c + 3 * a + b;
#pragma clang loop unroll(full)
                for (int k = 0; k < outputs; k++) {
                    const lanes wk = all(w[k * per_output]);
#pragma clang loop unroll(full)
                    for (int v = 0; v < vectors; v++) sum[k][v] = fma3(in[v], wk, sum[k][v]);
                }
            }
        }
    const size_t at = (size_t)r * n->width + i;
#pragma clang loop unroll(full)
    for (int v = 0; v < vectors; v++)
#pragma clang loop unroll(full)
        for (int k = 0; k < outputs; k++) {
            finish(n, o + k, at + 16 * v, first_lanes(n->width - i - 16 * v), sum[k][v]);
            if (paired && r + 1 < end)
                finish(n, o + k, at + n->width, first_lanes(n->width),
                       _mm512_castps256_ps512(_mm512_extractf32x8_ps(sum[k][v], 1)));
        }
}

INLINE void row_of(const int outputs, const struct garface_narrow *n, float *const rows[4], size_t row, int o, int r, int end) {
    if (n->width <= 8) {
        block(outputs, 1, true, n, rows, row, o, r, 0, end);
        return;
    }
    int i = 0;
    if (outputs <= 4)
        for (; n->width - i > 32; i += 64) block(outputs, 4, false, n, rows, row, o, r, i, end);
    for (; n->width - i > 16; i += 32) block(outputs, 2, false, n, rows, row, o, r, i, end);
    for (; i < n->width; i += 16) block(outputs, 1, false, n, rows, row, o, r, i, end);
}

void garface_narrow(const struct garface_narrow *given, float *scratch, int part, int parts) {
    // A copy, so that no store can be taken to change it.
    const struct garface_narrow copy = *given, *n = &copy;
    const int begin = (int)((long)n->height * part / parts), end = (int)((long)n->height * (part + 1) / parts);
    const size_t row = row_size(n->width), slot = row * n->inputs;
    if (begin == end) return;
    const int rows_at_once = n->width <= 8 ? 2 : 1;
    for (int r = begin - 1; r <= begin; r++) fill_row(n, r, scratch + (r + 4) % 4 * slot, row);
    for (int r = begin; r < end; r += rows_at_once) {
        for (int k = 1; k <= rows_at_once; k++) fill_row(n, r + k, scratch + (r + k) % 4 * slot, row);
        float *const rows[4] = {scratch + (r + 3) % 4 * slot, scratch + r % 4 * slot, scratch + (r + 1) % 4 * slot,
                                scratch + (r + 2) % 4 * slot};
        int o = 0;
        for (; o + 8 <= n->outputs; o += 8) row_of(8, n, rows, row, o, r, end);
        for (; o + 4 <= n->outputs; o += 4) row_of(4, n, rows, row, o, r, end);
        if (o + 3 == n->outputs) row_of(3, n, rows, row, o, r, end), o += 3;
        for (; o + 2 <= n->outputs; o += 2) row_of(2, n, rows, row, o, r, end);
        for (; o < n->outputs; o++) row_of(1, n, rows, row, o, r, end);
    }
}
LANES_END
#else
size_t garface_narrow_scratch(int inputs, int width) { return 0; }
void garface_narrow(const struct garface_narrow *n, float *scratch, int part, int parts) {}
#endif

// The 3x3 convolution of a map of 4 x 4 pixels, directly: 16 sums and the 9 weights of an input stay in registers, and of 144
// products the 44 with what lies outside are left out. Winograd's way would read four times the weights to save none.
#include "kernels.h"
#include "lanes.h"
#if GARFACE_LANES
LANES_BEGIN

enum { side = 4, pixels = 16, taps = 9 };

size_t garface_small_weight_count(int inputs, int outputs) { return (size_t)taps * inputs * outputs; }

/// [outputs / 16][inputs][9][16] of the call.
void garface_small_weights(const float *w, int inputs, int outputs, bool mirrored, float *u) {
    const int depth = mirrored ? outputs : inputs, columns = mirrored ? inputs : outputs;
    for (int n = 0; n < columns; n++)
        for (int k = 0; k < depth; k++) {
            const float *kernel = w + taps * (mirrored ? (size_t)k * inputs + n : (size_t)n * inputs + k);
            for (int t = 0; t < taps; t++)
                u[(((size_t)(n / 16) * depth + k) * taps + t) * 16 + n % 16] = kernel[mirrored ? taps - 1 - t : t];
        }
}

size_t garface_small_scratch(int inputs, int outputs, int height, int width) { return (size_t)pixels * inputs; }

void garface_small(const float *x, const float *scale, const float *u, float *y, int inputs, int outputs, float *scratch, int part,
                   int parts) {
    if (scale) {
        for (int b = 0; b < inputs / 16; b++)
            for (int p = 0; p < pixels; p++) {
                const size_t at = 16 * ((size_t)pixels * b + p);
                store(scratch + at, mul(load(x + at), load(scale + 16 * b)));
            }
        x = scratch;
    }
    const int blocks = outputs / 16, end = (int)((long)blocks * (part + 1) / parts);
    for (int block = (int)((long)blocks * part / parts); block < end; block++) {
        const float *weights = u + (size_t)block * inputs * taps * 16;
        lanes sum[pixels], w[taps];
#pragma clang loop unroll(full)
        for (int p = 0; p < pixels; p++) sum[p] = _mm512_setzero_ps();
        for (int k = 0; k < inputs; k++, weights += taps * 16) {
            const float *plane = x + (size_t)(k / 16) * pixels * 16 + k % 16;
#pragma clang loop unroll(full)
            for (int t = 0; t < taps; t++) w[t] = load(weights + 16 * t);
#pragma clang loop unroll(full)
            for (int p = 0; p < pixels; p++) {
                const lanes v = all(plane[16 * p]);
#pragma clang loop unroll(full)
                for (int t = 0; t < taps; t++) {
                    // Output pixel (row, column) sees this one through tap t.
                    const int row = p / side + 1 - t / 3, column = p % side + 1 - t % 3;
                    if (row >= 0 && row < side && column >= 0 && column < side)
                        sum[side * row + column] = fma3(v, w[t], sum[side * row + column]);
                }
            }
        }
#pragma clang loop unroll(full)
        for (int p = 0; p < pixels; p++) store(y + 16 * ((size_t)pixels * block + p), sum[p]);
    }
}
LANES_END
#else
size_t garface_small_weight_count(int inputs, int outputs) { return 0; }
void garface_small_weights(const float *w, int inputs, int outputs, bool mirrored, float *u) {}
size_t garface_small_scratch(int inputs, int outputs, int height, int width) { return 0; }
void garface_small(const float *x, const float *scale, const float *u, float *y, int inputs, int outputs, float *scratch, int part,
                   int parts) {}
#endif

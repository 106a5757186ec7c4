// Which triangles a rasteriser has to look at: most of a head's are smaller than a pixel or face away.
#include "kernels.h"
#include "lanes.h"

int garface_front_triangles(const float *vertices, const int *triangles, int count, int *ids, float *boxes) {
    int n = 0;
    float *left = boxes, *right = boxes + count, *bottom = boxes + 2 * (size_t)count, *top = boxes + 3 * (size_t)count;
    for (int t = 0; t < count; t++) {
        const float *a = vertices + 3 * (size_t)triangles[3 * t], *b = vertices + 3 * (size_t)triangles[3 * t + 1];
        const float *c = vertices + 3 * (size_t)triangles[3 * t + 2];
        // By far more than rounding; whatever is not a number is kept, and judged later.
        const double p = ((double)b[0] - a[0]) * ((double)c[1] - a[1]), q = ((double)b[1] - a[1]) * ((double)c[0] - a[0]);
        if (p - q < -1e-9 * (__builtin_fabs(p) + __builtin_fabs(q)) - 1e-12) continue;
        const float x0 = b[0] < c[0] ? b[0] : c[0], x1 = b[0] > c[0] ? b[0] : c[0];
        const float y0 = b[1] < c[1] ? b[1] : c[1], y1 = b[1] > c[1] ? b[1] : c[1];
        ids[n] = t;
        left[n] = a[0] < x0 ? a[0] : x0;
        right[n] = a[0] > x1 ? a[0] : x1;
        bottom[n] = a[1] < y0 ? a[1] : y0;
        top[n] = a[1] > y1 ? a[1] : y1;
        n++;
    }
    return n;
}

// A box is kept when a whole number lies between its sides, in pixels, with this much to spare: rounding in single
// precision is less for pictures of up to 16384 pixels and boxes near the picture.
#define SLACK 4e-3f

static inline bool meets(float low, float high) {
    // Comparisons that numbers which are none pass.
    return !(__builtin_ceilf(low - SLACK) > __builtin_floorf(high + SLACK));
}

static int near_centres_plain(const float *boxes, int count, int n, const int *ids, int width, int height, int from, int *chosen) {
    const float *left = boxes, *right = boxes + count, *bottom = boxes + 2 * (size_t)count, *top = boxes + 3 * (size_t)count;
    const float w = (float)width / 2, h = (float)height / 2;
    int k = 0;
    for (int i = from; i < n; i++)
        if (meets((1 + left[i]) * w - 0.5f, (1 + right[i]) * w - 0.5f) &&
            meets((1 - top[i]) * h - 0.5f, (1 - bottom[i]) * h - 0.5f))
            chosen[k++] = ids[i];
    return k;
}

#if GARFACE_LANES
LANES_BEGIN
INLINE __mmask16 apart(lanes low, lanes high) {
    const lanes first = _mm512_roundscale_ps(sub(low, all(SLACK)), _MM_FROUND_TO_POS_INF | _MM_FROUND_NO_EXC);
    const lanes last = _mm512_roundscale_ps(add(high, all(SLACK)), _MM_FROUND_TO_NEG_INF | _MM_FROUND_NO_EXC);
    return _mm512_cmp_ps_mask(first, last, _CMP_GT_OQ);
}

static int near_centres(const float *boxes, int count, int n, const int *ids, int width, int height, int *chosen) {
    const float *left = boxes, *right = boxes + count, *bottom = boxes + 2 * (size_t)count, *top = boxes + 3 * (size_t)count;
    const lanes w = all((float)width / 2), h = all((float)height / 2), one = all(1), half = all(0.5f);
    int k = 0, i = 0;
    for (; i + 16 <= n; i += 16) {
        const __mmask16 out =
            apart(sub(mul(add(one, load(left + i)), w), half), sub(mul(add(one, load(right + i)), w), half)) |
            apart(sub(mul(sub(one, load(top + i)), h), half), sub(mul(sub(one, load(bottom + i)), h), half));
        const __mmask16 in = (__mmask16)~out;
        _mm512_storeu_si512(chosen + k, _mm512_maskz_compress_epi32(in, _mm512_loadu_si512(ids + i)));
        k += __builtin_popcount(in);
    }
    return k + near_centres_plain(boxes, count, n, ids, width, height, i, chosen + k);
}
LANES_END
#endif

int garface_triangles_near_centres(const float *boxes, int count, int n, const int *ids, int width, int height, int *chosen) {
#if GARFACE_LANES
    if (garface_kernels_available()) return near_centres(boxes, count, n, ids, width, height, chosen);
#endif
    return near_centres_plain(boxes, count, n, ids, width, height, 0, chosen);
}

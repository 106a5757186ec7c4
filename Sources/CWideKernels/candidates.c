// Which triangles a rasteriser has to look at: most of a head's are smaller than a pixel or face away.
#include "candidates.h"

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

int garface_triangles_near_centres(const float *boxes, int count, int n, const int *ids, int width, int height, int *chosen) {
    int seen = 0;
    const int k = garface_kernels_available() ? garface_near_centres(boxes, count, n, ids, width, height, chosen, &seen) : 0;
    return k + near_centres_plain(boxes, count, n, ids, width, height, seen, chosen + k);
}

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

#if GARFACE_LANES
LANES_BEGIN
#define INSIDE_TOLERANCE 1e-6

static inline double least(double a, double b, double c) { return a < b ? (a < c ? a : c) : (b < c ? b : c); }
static inline double most(double a, double b, double c) { return a > b ? (a > c ? a : c) : (b > c ? b : c); }

// Products and sums stay apart, as in the plain loop: coverage is then the same to the last bit.
#pragma clang fp contract(off)
void garface_raster_rows(const double *screen, const int *triangles, const int *list, int n, int width, int first, int end,
                         int *ids, double *depth) {
    const __m512d zero_to_seven = _mm512_setr_pd(0, 1, 2, 3, 4, 5, 6, 7), limit = _mm512_set1_pd(-INSIDE_TOLERANCE);
    const __m512d one = _mm512_set1_pd(1);
    const double right = width - 1, above = first, below = end - 1;
    for (int k = 0; k < n; k++) {
        const int t = list ? list[k] : k;
        const double *a = screen + 3 * (size_t)triangles[3 * t], *b = screen + 3 * (size_t)triangles[3 * t + 1];
        const double *c = screen + 3 * (size_t)triangles[3 * t + 2];
        const double ax = a[0], ay = a[1], bx = b[0], by = b[1], cx = c[0], cy = c[1];
        const double area = (by - ay) * (cx - ax) - (bx - ax) * (cy - ay);
        if (!(area > 0)) continue;
        double low = least(ax, bx, cx), high = most(ax, bx, cx), top = least(ay, by, cy), base = most(ay, by, cy);
        low = low > 0 ? low : 0;
        high = high < right ? high : right;
        top = top > above ? top : above;
        base = base < below ? base : below;
        if (!(low <= high && top <= base)) continue;
        const int x1 = (int)high, y1 = (int)base, x0 = (int)low + (low > (int)low), y0 = (int)top + (top > (int)top);
        if (x0 > x1 || y0 > y1) continue;

        const double inverse = 1 / area;
        const __m512d bdx = _mm512_set1_pd(-(cy - ay) * inverse), cdx = _mm512_set1_pd((by - ay) * inverse);
        const double bdy = (cx - ax) * inverse, cdy = -(bx - ax) * inverse;
        const __m512d z0 = _mm512_set1_pd(a[2]), zb = _mm512_set1_pd(b[2] - a[2]), zc = _mm512_set1_pd(c[2] - a[2]);
        for (int x = x0; x <= x1; x += 8) {
            const __mmask8 wanted = x1 - x >= 7 ? 0xff : (__mmask8)((1 << (x1 - x + 1)) - 1);
            const __m512d dx = _mm512_sub_pd(_mm512_add_pd(_mm512_set1_pd(x), zero_to_seven), _mm512_set1_pd(ax));
            const __m512d bx_part = _mm512_mul_pd(bdx, dx), cx_part = _mm512_mul_pd(cdx, dx);
            for (int y = y0; y <= y1; y++) {
                const __m512d wb = _mm512_add_pd(_mm512_set1_pd(bdy * (y - ay)), bx_part);
                const __m512d wc = _mm512_add_pd(_mm512_set1_pd(cdy * (y - ay)), cx_part);
                __mmask8 in = _mm512_mask_cmp_pd_mask(wanted, wb, limit, _CMP_GE_OQ);
                in = _mm512_mask_cmp_pd_mask(in, wc, limit, _CMP_GE_OQ);
                in = _mm512_mask_cmp_pd_mask(in, _mm512_sub_pd(_mm512_sub_pd(one, wb), wc), limit, _CMP_GE_OQ);
                if (!in) continue;
                const size_t at = (size_t)y * width + x;
                const __m512d z = _mm512_add_pd(_mm512_add_pd(z0, _mm512_mul_pd(wb, zb)), _mm512_mul_pd(wc, zc));
                in = _mm512_mask_cmp_pd_mask(in, z, _mm512_maskz_loadu_pd(in, depth + at), _CMP_GT_OQ);
                _mm512_mask_storeu_pd(depth + at, in, z);
                _mm256_mask_storeu_epi32(ids + at, in, _mm256_set1_epi32(t));
            }
        }
    }
}

typedef __m128 four;
// In two pieces: a masked store would keep the next load of the same numbers waiting.
INLINE void add_two(float *p, four v) {
    _mm_storel_pi((__m64 *)p, _mm_add_ps(_mm_loadl_pi(_mm_setzero_ps(), (const __m64 *)p), v));
}
INLINE void add_three(float *p, four v) {
    add_two(p, v);
    p[2] += _mm_cvtss_f32(_mm_movehl_ps(v, v));
}

void garface_interpolate_backward(const struct garface_interpolation *n, const float *gradient, float *d_attributes,
                                  float *d_vertices) {
    const size_t pixels = n->pixels;
    int current = -1;
    const int *corner = NULL;
    four colour[3], place[3], slope[3];
    for (size_t p = 0; p <= pixels; p++) {
        const int t = p < pixels ? n->ids[p] : -1;
        if (t != current) {
            // Neighbours mostly show the same triangle: its sums stay in registers meanwhile.
            for (int k = 0; k < 3 && current >= 0; k++) {
                if (d_attributes) add_three(d_attributes + 3 * (size_t)corner[k], colour[k]);
                if (d_vertices) add_two(d_vertices + 3 * (size_t)corner[k], place[k]);
            }
            current = t;
            if (t < 0) continue;
            corner = n->triangles + 3 * (size_t)t;
            for (int k = 0; k < 3; k++) colour[k] = place[k] = _mm_setzero_ps();
            if (d_vertices) {
                // How each channel changes across the picture, (x, y, 0, 0): by the attributes and places of the corners.
                const float *a = n->vertices + 3 * (size_t)corner[0], *b = n->vertices + 3 * (size_t)corner[1];
                const float *c = n->vertices + 3 * (size_t)corner[2];
                const float area = (b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0]);
                const float inverse = area != 0 ? 1 / area : 0;
                const float *va = n->attributes + 3 * (size_t)corner[0], *vb = n->attributes + 3 * (size_t)corner[1];
                const float *vc = n->attributes + 3 * (size_t)corner[2];
                for (int k = 0; k < 3; k++)
                    slope[k] = _mm_setr_ps(
                        (va[k] * (b[1] - c[1]) + vb[k] * (c[1] - a[1]) + vc[k] * (a[1] - b[1])) * inverse,
                        (va[k] * (c[0] - b[0]) + vb[k] * (a[0] - c[0]) + vc[k] * (b[0] - a[0])) * inverse, 0, 0);
            }
        }
        if (t < 0) continue;
        const float *w = n->barycentrics + 3 * p;
        const float g0 = gradient[p], g1 = gradient[pixels + p], g2 = gradient[2 * pixels + p];
        const four weight[3] = {_mm_set1_ps(w[0]), _mm_set1_ps(w[1]), _mm_set1_ps(w[2])};
        if (d_attributes) {
            const four g = _mm_setr_ps(g0, g1, g2, 0);
            for (int k = 0; k < 3; k++) colour[k] = _mm_fmadd_ps(weight[k], g, colour[k]);
        }
        if (d_vertices) {
            // A corner that moves by d carries the surface under the pixel along by its weight times d.
            const four g = _mm_fmadd_ps(_mm_set1_ps(g2), slope[2], _mm_fmadd_ps(_mm_set1_ps(g1), slope[1], _mm_mul_ps(_mm_set1_ps(g0), slope[0])));
            for (int k = 0; k < 3; k++) place[k] = _mm_fnmadd_ps(weight[k], g, place[k]);
        }
    }
}

void garface_triangle_slopes(const float *vertices, const int *triangles, int count, const int *list, int n, float *slopes) {
    for (int k = 0; k < n; k++) {
        const int t = list[k];
        const float *a = vertices + 3 * (size_t)triangles[3 * t], *b = vertices + 3 * (size_t)triangles[3 * t + 1];
        const float *c = vertices + 3 * (size_t)triangles[3 * t + 2];
        const float bx = b[0] - a[0], by = b[1] - a[1], bz = b[2] - a[2], cx = c[0] - a[0], cy = c[1] - a[1], cz = c[2] - a[2];
        const float inverse = 1 / (bx * cy - by * cx);
        slopes[t] = (bz * cy - cz * by) * inverse;
        slopes[(size_t)count + t] = (cz * bx - bz * cx) * inverse;
    }
}

int garface_depth_steps(const int *ids, const float *depth, size_t step, int count, float least, const float *slopes, float move,
                        int *found) {
    const lanes limit = all(least);
    const __m512i none = _mm512_setzero_si512();
    int n = 0;
    for (int i = 0; i < count; i += 16) {
        const __mmask16 in = count - i >= 16 ? 0xffff : (__mmask16)((1 << (count - i)) - 1);
        const __m512i here = _mm512_maskz_loadu_epi32(in, ids + i), there = _mm512_maskz_loadu_epi32(in, ids + i + step);
        const lanes near = _mm512_maskz_loadu_ps(in, depth + i), next = _mm512_maskz_loadu_ps(in, depth + i + step);
        // Not less: what is not a number, as between two pixels of background, is not close.
        __mmask16 kept = _mm512_mask_cmp_epi32_mask(in, here, there, _MM_CMPINT_NE);
        kept &= _mm512_cmp_ps_mask(_mm512_abs_ps(sub(near, next)), limit, _CMP_NLT_UQ);
        if (!kept) continue;
        const __mmask16 covered =
            _mm512_mask_cmp_epi32_mask(_mm512_mask_cmp_epi32_mask(kept, here, none, _MM_CMPINT_NLT), there, none, _MM_CMPINT_NLT);
        const lanes on = _mm512_mask_i32gather_ps(_mm512_setzero_ps(), covered, here, slopes, 4);
        const lanes back = _mm512_mask_i32gather_ps(_mm512_setzero_ps(), covered, there, slopes, 4);
        const lanes gap_on = _mm512_abs_ps(sub(fma3(on, all(move), near), next));
        const lanes gap_back = _mm512_abs_ps(sub(fma3(back, all(-move), next), near));
        kept &= (__mmask16)~_mm512_mask_cmp_ps_mask(_mm512_mask_cmp_ps_mask(covered, gap_on, limit, _CMP_LT_OQ), gap_back, limit, _CMP_LT_OQ);
        for (unsigned m = kept; m; m &= m - 1) found[n++] = i + __builtin_ctz(m);
    }
    return n;
}
LANES_END
#else
void garface_raster_rows(const double *screen, const int *triangles, const int *list, int n, int width, int first, int end,
                         int *ids, double *depth) {}
void garface_interpolate_backward(const struct garface_interpolation *n, const float *gradient, float *d_attributes,
                                  float *d_vertices) {}
void garface_triangle_slopes(const float *vertices, const int *triangles, int count, const int *list, int n, float *slopes) {}
int garface_depth_steps(const int *ids, const float *depth, size_t step, int count, float least, const float *slopes, float move,
                        int *found) {
    return 0;
}
#endif

int garface_triangles_near_centres(const float *boxes, int count, int n, const int *ids, int width, int height, int *chosen) {
#if GARFACE_LANES
    if (garface_kernels_available()) return near_centres(boxes, count, n, ids, width, height, chosen);
#endif
    return near_centres_plain(boxes, count, n, ids, width, height, 0, chosen);
}

// What a render layer does to every number between two convolutions, in one pass forward and one backward.
#include "kernels.h"
#include "lanes.h"
#if GARFACE_LANES
LANES_BEGIN

static const float high = 1.41421356f, low = 0.28284271f;

INLINE lanes leaky(lanes v) {
    return _mm512_mask_mul_ps(mul(v, all(high)), _mm512_cmp_ps_mask(v, _mm512_setzero_ps(), _CMP_LE_OQ), v, all(low));
}

/// Lane i of the result is the sum of the lanes of a[i].
INLINE lanes sums_of_16(const lanes a[16]) {
    lanes b[8], c[4];
#pragma clang loop unroll(full)
    for (int i = 0; i < 8; i++)
        b[i] = add(_mm512_unpacklo_ps(a[2 * i], a[2 * i + 1]), _mm512_unpackhi_ps(a[2 * i], a[2 * i + 1]));
#pragma clang loop unroll(full)
    for (int i = 0; i < 4; i++) {
        const __m512d p = _mm512_castps_pd(b[2 * i]), q = _mm512_castps_pd(b[2 * i + 1]);
        c[i] = add(_mm512_castpd_ps(_mm512_unpacklo_pd(p, q)), _mm512_castpd_ps(_mm512_unpackhi_pd(p, q)));
    }
    const lanes d = add(_mm512_shuffle_f32x4(c[0], c[1], 0x88), _mm512_shuffle_f32x4(c[0], c[1], 0xdd));
    const lanes e = add(_mm512_shuffle_f32x4(c[2], c[3], 0x88), _mm512_shuffle_f32x4(c[2], c[3], 0xdd));
    return add(_mm512_shuffle_f32x4(d, e, 0x88), _mm512_shuffle_f32x4(d, e, 0xdd));
}

/// The pixels of a part: whole multiples of 16 of `area`.
INLINE void pixels_of_part(size_t area, int part, int parts, size_t *begin, size_t *end) {
    *begin = area / 16 * part / parts * 16;
    *end = area / 16 * (part + 1) / parts * 16;
}

/// `shift + noise` of a part's pixels.
static const float *shifts(const struct garface_render *r, size_t begin, size_t end, float *memory) {
    if (!r->noise) return r->shift;
    const lanes w = all(r->noise_weight);
    for (size_t p = begin; p < end; p += 16) store(memory + p - begin, fma3(w, load(r->noise + p), load(r->shift + p)));
    return memory - begin;
}

INLINE lanes activated(lanes y, lanes d, lanes bias, float scale, float shift) {
    return leaky(fma3(mul(y, d), all(scale), add(bias, all(shift))));
}

/// A run of pixels of one block of channels without a picture.
INLINE void run(const struct garface_render *r, int b, const float *y, const float *shift, size_t begin, size_t end) {
    const lanes d = load(r->d + 16 * b), bias = load(r->bias + 16 * b);
    const size_t area = (size_t)r->height * r->width;
    float *out = r->out + 16 * area * b;
    if (r->modulated) {
        const lanes s = load(r->style + 16 * b);
        float *modulated = r->modulated + 16 * area * b;
        for (size_t p = begin; p < end; p++) {
            const lanes v = activated(load(y + 16 * p), d, bias, r->scale[p], shift[p]);
            store(out + 16 * p, v);
            store(modulated + 16 * p, mul(v, s));
        }
    } else
        for (size_t p = begin; p < end; p++)
            store(out + 16 * p, activated(load(y + 16 * p), d, bias, r->scale[p], shift[p]));
}

/// Four pixels of all channels and of the picture.
INLINE void four_with_picture(const struct garface_render *r, const float *shift, size_t p) {
    const size_t area = (size_t)r->height * r->width;
    lanes rgb[16];
#pragma clang loop unroll(full)
    for (int i = 0; i < 16; i++) rgb[i] = _mm512_setzero_ps();
    for (int b = 0; b < r->channels / 16; b++) {
        const size_t at = 16 * (area * b + p);
        const lanes d = load(r->d + 16 * b), bias = load(r->bias + 16 * b);
        const float *w = r->rgb_weights + 16 * b;
        const lanes red = load(w), green = load(w + r->channels), blue = load(w + 2 * r->channels);
        const lanes s = r->modulated ? load(r->style + 16 * b) : bias;
#pragma clang loop unroll(full)
        for (int i = 0; i < 4; i++) {
            const lanes v = activated(load(r->y + at + 16 * i), d, bias, r->scale[p + i], shift[p + i]);
            store(r->out + at + 16 * i, v);
            if (r->modulated) store(r->modulated + at + 16 * i, mul(v, s));
            rgb[i] = fma3(v, red, rgb[i]);
            rgb[4 + i] = fma3(v, green, rgb[4 + i]);
            rgb[8 + i] = fma3(v, blue, rgb[8 + i]);
        }
    }
    const lanes total = sums_of_16(rgb);
    float *rgb_out = r->rgb + p;
    _mm_storeu_ps(rgb_out, _mm_add_ps(_mm512_castps512_ps128(total), _mm_set1_ps(r->rgb_bias[0])));
    _mm_storeu_ps(rgb_out + area, _mm_add_ps(_mm512_extractf32x4_ps(total, 1), _mm_set1_ps(r->rgb_bias[1])));
    _mm_storeu_ps(rgb_out + 2 * area, _mm_add_ps(_mm512_extractf32x4_ps(total, 2), _mm_set1_ps(r->rgb_bias[2])));
}

/// `(x[i-1] + 3 x[i] + 3 x[i+1] + x[i+2]) / 4` over `count` pixels of rows of `height` rows, those outside counting as zero.
INLINE void vertical_taps(const float *x, int i, int height, int count, size_t row, float *out) {
    const lanes q = all(0.25f), t = all(0.75f);
    if (i >= 1 && i + 2 < height) {
        const float *a = x + (i - 1) * row;
        for (int j = 0; j < count; j++, a += 16)
            store(out + 16 * j, fma3(t, add(load(a + row), load(a + 2 * row)), mul(q, add(load(a), load(a + 3 * row)))));
        return;
    }
    for (int j = 0; j < count; j++) {
        lanes sum = _mm512_setzero_ps();
        for (int k = 0; k < 4; k++)
            if (i - 1 + k >= 0 && i - 1 + k < height)
                sum = fma3(k == 0 || k == 3 ? q : t, load(x + (i - 1 + k) * row + 16 * j), sum);
        store(out + 16 * j, sum);
    }
}

INLINE lanes horizontal_taps(const float *x) {
    return fma3(all(0.75f), add(load(x + 16), load(x + 32)), mul(all(0.25f), add(load(x), load(x + 48))));
}

size_t garface_render_scratch(int width) { return 16 * ((size_t)width + 8) + (size_t)width * 16; }

/// Rows of an up-sampling layer: blurred, then as ever.
static void blurred(const struct garface_render *given, float *scratch, int part, int parts) {
    // A copy, so that no store can be taken to change it.
    const struct garface_render copy = *given, *r = &copy;
    const int h = r->height, w = r->width, blocks = r->channels / 16;
    const int begin = (int)((long)h * part / parts), end = (int)((long)h * (part + 1) / parts);
    const size_t row = 16 * ((size_t)w + 1), area = (size_t)h * w;
    float *taps = scratch, *noisy = scratch + 16 * ((size_t)w + 8);
    store(taps, _mm512_setzero_ps());
    store(taps + 16 * (w + 2), _mm512_setzero_ps());
    for (int b = 0; b < blocks; b++) {
        const float *u = r->unblurred + row * (h + 1) * b;
        float *y = r->y + 16 * area * b;
        for (int i = begin; i < end; i++) {
            vertical_taps(u, i, h + 1, w + 1, row, taps + 16);
            float *out = y + 16 * (size_t)i * w;
            for (int j = 0; j < w; j++) store(out + 16 * j, horizontal_taps(taps + 16 * j));
            const size_t from = (size_t)i * w;
            const float *shift = r->shift;
            if (r->noise) {
                for (int j = 0; j < w; j++) noisy[j] = r->shift[from + j] + r->noise_weight * r->noise[from + j];
                shift = noisy - from;
            }
            run(r, b, y, shift, from, from + w);
        }
    }
}

void garface_render(const struct garface_render *given, float *scratch, int part, int parts) {
    const struct garface_render copy = *given, *r = &copy;
    if (r->unblurred) {
        blurred(r, scratch, part, parts);
        return;
    }
    size_t begin, end;
    pixels_of_part((size_t)r->height * r->width, part, parts, &begin, &end);
    // As many pixels at a time as the scratch has room for.
    const size_t most = (size_t)r->width * 16 / 16 * 16;
    for (size_t p = begin; p < end; p += most) {
        const size_t stop = end - p < most ? end : p + most;
        const float *shift = shifts(r, p, stop, scratch);
        if (r->rgb)
            for (size_t i = p; i < stop; i += 4) four_with_picture(r, shift, i);
        else
            for (int b = 0; b < r->channels / 16; b++) run(r, b, r->y + 16 * (size_t)r->height * r->width * b, shift, p, stop);
    }
}

/// Eight pixels of all channels backward.
INLINE void eight_backward(const bool above, const bool picture, const bool maps, const struct garface_render_backward *r,
                           float *sums, size_t p) {
    const size_t area = (size_t)r->height * r->width;
    const int channels = r->channels;
    lanes total[16];
    if (maps)
#pragma clang loop unroll(full)
        for (int i = 0; i < 16; i++) total[i] = _mm512_setzero_ps();
    for (int b = 0; b < channels / 16; b++) {
        const size_t at = 16 * (area * b + p);
        // The activation's gain goes with d, its slope below zero is a masked product.
        const lanes d = mul(load(r->d + 16 * b), all(high)), zero = _mm512_setzero_ps();
        lanes s = zero, w[3] = {zero, zero, zero}, style = zero, own = zero, colour[3] = {zero, zero, zero};
        if (above) s = load(r->above_style + 16 * b);
        if (picture)
#pragma clang loop unroll(full)
            for (int k = 0; k < 3; k++) w[k] = load(r->rgb_weights + k * channels + 16 * b);
#pragma clang loop unroll(full)
        for (int i = 0; i < 8; i++) {
            const lanes out = load(r->out + at + 16 * i);
            lanes g = zero;
            if (above) {
                g = load(r->above + at + 16 * i);
                style = fma3(g, out, style);
                g = mul(g, s);
            }
            if (picture)
#pragma clang loop unroll(full)
                for (int k = 0; k < 3; k++) {
                    const lanes from = all(r->rgb_gradient[k * area + p + i]);
                    g = fma3(from, w[k], g);
                    colour[k] = fma3(from, out, colour[k]);
                }
            const lanes v = _mm512_mask_mul_ps(g, _mm512_cmp_ps_mask(out, zero, _CMP_LE_OQ), g, all(0.2f));
            const lanes y = load(r->y + at + 16 * i), vd = mul(v, d);
            if (maps) {
                total[i] = add(total[i], v);
                total[8 + i] = fma3(vd, y, total[8 + i]);
            }
            const lanes dy = mul(vd, all(r->scale[p + i]));
            own = fma3(dy, y, own);
            store(r->dy + at + 16 * i, dy);
        }
        if (sums) {
            float *to = sums + 16 * b;
            if (above) store(to, add(load(to), style));
            store(to + channels, add(load(to + channels), own));
            if (picture)
#pragma clang loop unroll(full)
                for (int k = 0; k < 3; k++) store(to + (2 + k) * channels, add(load(to + (2 + k) * channels), colour[k]));
        }
    }
    if (!maps) return;
    const lanes result = sums_of_16(total);
    const __m256 shift = _mm256_mul_ps(_mm512_castps512_ps256(result), _mm256_set1_ps(high)), scale = _mm512_extractf32x8_ps(result, 1);
    if (r->d_shift) _mm256_storeu_ps(r->d_shift + p, _mm256_add_ps(_mm256_loadu_ps(r->d_shift + p), shift));
    if (r->d_scale) _mm256_storeu_ps(r->d_scale + p, _mm256_add_ps(_mm256_loadu_ps(r->d_scale + p), scale));
    if (r->d_noise)
        _mm256_storeu_ps(
            r->d_noise + p, _mm256_fmadd_ps(_mm256_set1_ps(r->noise_weight), shift, _mm256_loadu_ps(r->d_noise + p)));
}

void garface_render_backward(const struct garface_render_backward *given, int part, int parts) {
    const struct garface_render_backward copy = *given, *r = &copy;
    size_t begin, end;
    pixels_of_part((size_t)r->height * r->width, part, parts, &begin, &end);
    float *sums = r->sums ? r->sums + (size_t)5 * r->channels * part : NULL;
    if (sums) memset(sums, 0, (size_t)5 * r->channels * sizeof(float));
    const bool maps = r->d_scale || r->d_shift || r->d_noise;
    for (size_t p = begin; p < end; p += 8) {
        if (r->above && r->rgb_gradient)
            maps ? eight_backward(true, true, true, r, sums, p) : eight_backward(true, true, false, r, sums, p);
        else if (r->above)
            maps ? eight_backward(true, false, true, r, sums, p) : eight_backward(true, false, false, r, sums, p);
        else
            maps ? eight_backward(false, true, true, r, sums, p) : eight_backward(false, true, false, r, sums, p);
    }
}

void garface_blur_adjoint(const float *dy, float *du, int channels, int height, int width, float *scratch, int part, int parts) {
    const int begin = (int)((long)(height + 1) * part / parts), end = (int)((long)(height + 1) * (part + 1) / parts);
    const size_t row = (size_t)16 * width, large = row + 16;
    const lanes zero = _mm512_setzero_ps();
    store(scratch, zero);
    store(scratch + 16, zero);
    store(scratch + 16 * (width + 2), zero);
    store(scratch + 16 * (width + 3), zero);
    for (int b = 0; b < channels / 16; b++)
        for (int i = begin; i < end; i++) {
            vertical_taps(dy + row * height * b, i - 1, height, width, row, scratch + 32);
            float *out = du + large * ((size_t)(height + 1) * b + i);
            for (int j = 0; j <= width; j++) store(out + 16 * j, horizontal_taps(scratch + 16 * j));
        }
}
LANES_END
#else
size_t garface_render_scratch(int width) { return 0; }
void garface_render(const struct garface_render *r, float *scratch, int part, int parts) {}
void garface_render_backward(const struct garface_render_backward *r, int part, int parts) {}
void garface_blur_adjoint(const float *dy, float *du, int channels, int height, int width, float *scratch, int part, int parts) {}
#endif

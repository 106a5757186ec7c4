// What the kernels share: vectors of the processor's width. Every file that includes this is compiled twice, once for AVX-512 and
// once for AVX2 (the folders of these names); functions between LANES_BEGIN and LANES_END are for that processor alone.
#pragma once
#include <immintrin.h>
#include <string.h>
#define INLINE static inline __attribute__((always_inline))

#if GARFACE_LANES == 16
#define LANES_BEGIN \
    _Pragma("clang attribute push(__attribute__((target(\"avx512f,avx512dq,avx512bw,avx512vl,fma\"))), apply_to = function)")
#define KERNEL(name) name##_avx512
#else
#define LANES_BEGIN _Pragma("clang attribute push(__attribute__((target(\"avx2,fma\"))), apply_to = function)")
#define KERNEL(name) name##_avx2
#endif
#define LANES_END _Pragma("clang attribute pop")

LANES_BEGIN
enum { wide = GARFACE_LANES };
#if GARFACE_LANES == 16
typedef __m512 lanes;
INLINE lanes zeros(void) { return _mm512_setzero_ps(); }
INLINE lanes load(const float *p) { return _mm512_loadu_ps(p); }
INLINE void store(float *p, lanes v) { _mm512_storeu_ps(p, v); }
INLINE lanes all(float v) { return _mm512_set1_ps(v); }
INLINE lanes add(lanes a, lanes b) { return _mm512_add_ps(a, b); }
INLINE lanes sub(lanes a, lanes b) { return _mm512_sub_ps(a, b); }
INLINE lanes mul(lanes a, lanes b) { return _mm512_mul_ps(a, b); }
/// a * b + c
INLINE lanes fma3(lanes a, lanes b, lanes c) { return _mm512_fmadd_ps(a, b, c); }
/// Where `of` is above zero, `positive`; elsewhere the other.
INLINE lanes where_positive(lanes of, lanes positive, lanes other) {
    return _mm512_mask_blend_ps(_mm512_cmp_ps_mask(of, _mm512_setzero_ps(), _CMP_GT_OQ), other, positive);
}
INLINE __mmask16 first_of(int count) { return count >= 16 ? 0xffff : count <= 0 ? 0 : (__mmask16)((1u << count) - 1); }
/// The first `count` numbers of `p`, zeros after them.
INLINE lanes load_first(const float *p, int count) { return _mm512_maskz_loadu_ps(first_of(count), p); }
INLINE void store_first(float *p, int count, lanes v) { _mm512_mask_storeu_ps(p, first_of(count), v); }
/// Rounded to bfloat16, to even.
INLINE __m256i bfloat(lanes v) {
    const __m512i bits = _mm512_castps_si512(v), odd = _mm512_and_si512(_mm512_srli_epi32(bits, 16), _mm512_set1_epi32(1));
    return _mm512_cvtepi32_epi16(_mm512_srli_epi32(_mm512_add_epi32(bits, _mm512_add_epi32(odd, _mm512_set1_epi32(0x7fff))), 16));
}
/// Stores number `at` and those after it of `p`, which holds bfloat16 or single precision.
INLINE void put(void *p, size_t at, lanes v, const bool half) {
    if (half)
        _mm256_storeu_si256((__m256i *)((unsigned short *)p + at), bfloat(v));
    else
        store((float *)p + at, v);
}
#else
typedef __m256 lanes;
INLINE lanes zeros(void) { return _mm256_setzero_ps(); }
INLINE lanes load(const float *p) { return _mm256_loadu_ps(p); }
INLINE void store(float *p, lanes v) { _mm256_storeu_ps(p, v); }
INLINE lanes all(float v) { return _mm256_set1_ps(v); }
INLINE lanes add(lanes a, lanes b) { return _mm256_add_ps(a, b); }
INLINE lanes sub(lanes a, lanes b) { return _mm256_sub_ps(a, b); }
INLINE lanes mul(lanes a, lanes b) { return _mm256_mul_ps(a, b); }
INLINE lanes fma3(lanes a, lanes b, lanes c) { return _mm256_fmadd_ps(a, b, c); }
INLINE lanes where_positive(lanes of, lanes positive, lanes other) {
    return _mm256_blendv_ps(other, positive, _mm256_cmp_ps(of, _mm256_setzero_ps(), _CMP_GT_OQ));
}
INLINE __m256i first_of(int count) {
    return _mm256_cmpgt_epi32(_mm256_set1_epi32(count), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
}
INLINE lanes load_first(const float *p, int count) { return count >= 8 ? load(p) : _mm256_maskload_ps(p, first_of(count)); }
INLINE void store_first(float *p, int count, lanes v) {
    if (count >= 8)
        store(p, v);
    else
        _mm256_maskstore_ps(p, first_of(count), v);
}
/// There is no bfloat16 here.
INLINE void put(void *p, size_t at, lanes v, const bool half) { store((float *)p + at, v); }
#endif

/// Of group `g` of `wide` channels of a blocked map of `area` pixels, where the first pixel lies.
INLINE size_t group_at(int g, size_t area) { return 16 * area * (size_t)(g * wide / 16) + (size_t)(g * wide % 16); }
LANES_END

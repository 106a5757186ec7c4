// What the kernels share. Include it after `kernels.h`; functions below the pragma are compiled for AVX-512.
#pragma once
#include <string.h>
#if defined(__x86_64__)
#define GARFACE_LANES 1
#include <immintrin.h>
#pragma clang attribute push(__attribute__((target("avx512f,avx512dq,avx512bw,avx512vl,fma"))), apply_to = function)
typedef __m512 lanes;
#define INLINE static inline __attribute__((always_inline))
INLINE lanes load(const float *p) { return _mm512_loadu_ps(p); }
INLINE void store(float *p, lanes v) { _mm512_storeu_ps(p, v); }
INLINE lanes all(float v) { return _mm512_set1_ps(v); }
INLINE lanes add(lanes a, lanes b) { return _mm512_add_ps(a, b); }
INLINE lanes sub(lanes a, lanes b) { return _mm512_sub_ps(a, b); }
INLINE lanes mul(lanes a, lanes b) { return _mm512_mul_ps(a, b); }
/// a * b + c
INLINE lanes fma3(lanes a, lanes b, lanes c) { return _mm512_fmadd_ps(a, b, c); }
/// Rounded to bfloat16, to even.
INLINE __m256i bfloat(lanes v) {
    const __m512i bits = _mm512_castps_si512(v), odd = _mm512_and_si512(_mm512_srli_epi32(bits, 16), _mm512_set1_epi32(1));
    return _mm512_cvtepi32_epi16(_mm512_srli_epi32(_mm512_add_epi32(bits, _mm512_add_epi32(odd, _mm512_set1_epi32(0x7fff))), 16));
}
/// Stores number `at` and the 15 after it of `p`, which holds bfloat16 or single precision.
INLINE void put(void *p, size_t at, lanes v, const bool half) {
    if (half)
        _mm256_storeu_si256((__m256i *)((unsigned short *)p + at), bfloat(v));
    else
        store((float *)p + at, v);
}
#pragma clang attribute pop
#define LANES_BEGIN \
    _Pragma("clang attribute push(__attribute__((target(\"avx512f,avx512dq,avx512bw,avx512vl,fma\"))), apply_to = function)")
#define LANES_END _Pragma("clang attribute pop")
#endif

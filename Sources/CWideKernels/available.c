#include "kernels.h"

bool garface_kernels_available(void) {
#if defined(__x86_64__)
    return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512bw") &&
           __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("fma");
#else
    return false;
#endif
}

bool garface_bfloat_available(void) {
#if defined(__x86_64__)
    return garface_kernels_available() && __builtin_cpu_supports("avx512bf16");
#else
    return false;
#endif
}

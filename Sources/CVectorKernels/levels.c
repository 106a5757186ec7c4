#include "levels.h"
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

const garface_kernels *garface_kernels_of_level(int32_t level) {
#if defined(__x86_64__)
    __builtin_cpu_init();
    const char *most = getenv("GARFACE_MAX_ISA");
    if (most && (!strcmp(most, "NONE") || (level == 1 && !strcmp(most, "AVX2")))) return NULL;
    if (level == 0 && __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && __builtin_cpu_supports("f16c"))
        return &garface_kernels_avx2;
    if (level == 1 && garface_kernels_of_level(0) && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512vl")
        && __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512bw"))
        return &garface_kernels_avx512;
#endif
    return NULL;
}

#include <stdlib.h>
#include <strings.h>

#include "kernels.h"

#if defined(__x86_64__)
static int find_width(void) {
    const char *most = getenv("GARFACE_MAX_ISA");
    const bool narrow = most && !strcasecmp(most, "AVX2"), none = most && !strcasecmp(most, "NONE");
    if (none || !__builtin_cpu_supports("fma")) return 0;
    if (!narrow && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512bw") &&
        __builtin_cpu_supports("avx512vl"))
        return 16;
    return __builtin_cpu_supports("avx2") ? 8 : 0;
}
#else
static int find_width(void) { return 0; }
#endif

// Whoever comes first asks the processor; the answer is always the same.
int garface_kernel_width(void) {
    static _Atomic int known = -1;
    if (known < 0) known = find_width();
    return known;
}

bool garface_kernels_available(void) { return garface_kernel_width() > 0; }

bool garface_bfloat_available(void) {
#if defined(__x86_64__)
    return garface_kernel_width() == 16 && __builtin_cpu_supports("avx512bf16");
#else
    return false;
#endif
}

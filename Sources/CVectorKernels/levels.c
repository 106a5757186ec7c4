#include "levels.h"
#include "kernels.h"
#include <stddef.h>

const garface_kernels *garface_kernels_of_level(int32_t level) {
#if defined(__x86_64__)
    const int width = garface_kernel_width();
    if (width == 0 || !__builtin_cpu_supports("f16c")) return NULL;
    if (level == 0) return &garface_kernels_avx2;
    if (level == 1 && width == 16) return &garface_kernels_avx512;
#endif
    return NULL;
}

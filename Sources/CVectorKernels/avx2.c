#include "levels.h"
#if defined(__x86_64__)
#pragma clang attribute push(__attribute__((target("avx2,fma,f16c"))), apply_to = function)
#define LANES 8
#define KERNELS garface_kernels_avx2
#include "kernels.inc"
#pragma clang attribute pop
#endif

#include "levels.h"
#if defined(__x86_64__)
#pragma clang attribute push(__attribute__((target("avx2,fma,f16c,avx512f,avx512vl,avx512dq,avx512bw"))), \
                             apply_to = function)
#define LANES 16
#define KERNELS garface_kernels_avx512
#include "kernels.inc"
#pragma clang attribute pop
#endif

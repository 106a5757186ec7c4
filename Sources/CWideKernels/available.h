#pragma once
#include "kernels.h"

/// Floats in the vectors of the kernels to be used: 16 (AVX-512), 8 (AVX2), or 0 where there are none.
int garface_kernel_width(void);

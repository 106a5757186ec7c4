#pragma once
#include "garface_kernels.h"

extern const garface_kernels garface_kernels_avx2, garface_kernels_avx512;

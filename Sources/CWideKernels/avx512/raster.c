#if defined(__x86_64__)
#define GARFACE_LANES 16
#include "../raster.inc"
#endif

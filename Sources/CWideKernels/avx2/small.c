#if defined(__x86_64__)
#define GARFACE_LANES 8
#include "../small.inc"
#endif

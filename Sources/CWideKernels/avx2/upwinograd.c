#if defined(__x86_64__)
#define GARFACE_LANES 8
#include "../upwinograd.inc"
#endif

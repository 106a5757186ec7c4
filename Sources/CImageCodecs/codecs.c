#include "codecs.h"
void garface_codecs(void) {}

// The default head model (NOTICE: derived from the ICT Face Model Light, MIT licence).
#include "default_models.h"

#if defined(__clang__)
#pragma clang diagnostic ignored "-Wc23-extensions"  // the package's C standard is older; #embed works all the same
#endif

static _Alignas(64) const unsigned char head_model[] = {
#embed "models/head.safetensors"
};

const unsigned char *garface_default_head_model(size_t *size) {
    *size = sizeof head_model;
    return head_model;
}

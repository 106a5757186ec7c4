// The default renderer (GAR). A checkout without the weight file still builds: size 0.
#include "default_models.h"

#if defined(__clang__)
#pragma clang diagnostic ignored "-Wc23-extensions"  // the package's C standard is older; #embed works all the same
#endif

static _Alignas(64) const unsigned char renderer[] = {
#if __has_embed("models/gar.safetensors") == 1
#embed "models/gar.safetensors"
    ,
#endif
    0};

const unsigned char *garface_default_renderer(size_t *size) {
    *size = sizeof renderer - 1;
    return renderer;
}

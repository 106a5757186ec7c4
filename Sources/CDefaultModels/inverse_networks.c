// The default inverse network and face detector. A checkout without the weight files still builds: size 0.
#include "default_models.h"

#if defined(__clang__)
#pragma clang diagnostic ignored "-Wc23-extensions"  // the package's C standard is older; #embed works all the same
#endif

static _Alignas(64) const unsigned char inverse_network[] = {
#if __has_embed("models/inverse.safetensors") == 1
#embed "models/inverse.safetensors"
    ,
#endif
    0};

static _Alignas(64) const unsigned char face_detector[] = {
#if __has_embed("models/face_detector.safetensors") == 1
#embed "models/face_detector.safetensors"
    ,
#endif
    0};

const unsigned char *garface_default_inverse_network(size_t *size) {
    *size = sizeof inverse_network - 1;
    return inverse_network;
}

const unsigned char *garface_default_face_detector(size_t *size) {
    *size = sizeof face_detector - 1;
    return face_detector;
}

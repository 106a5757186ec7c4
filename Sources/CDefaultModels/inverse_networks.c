// The default inverse network and face detector.
#include "default_models.h"

#if defined(__clang__)
#pragma clang diagnostic ignored "-Wc23-extensions"  // the package's C standard is older; #embed works all the same
#endif

static _Alignas(64) const unsigned char inverse_network[] = {
#embed "models/inverse.safetensors"
};

static _Alignas(64) const unsigned char face_detector[] = {
#embed "models/face_detector.safetensors"
};

const unsigned char *garface_default_inverse_network(size_t *size) {
    *size = sizeof inverse_network;
    return inverse_network;
}

const unsigned char *garface_default_face_detector(size_t *size) {
    *size = sizeof face_detector;
    return face_detector;
}

#pragma once
#include <stddef.h>

/// The embedded head model (a safetensors file) and its size in bytes. Static memory, never released.
const unsigned char *_Nonnull garface_default_head_model(size_t *_Nonnull size);

/// The embedded inverse network and face detector.
const unsigned char *_Nonnull garface_default_inverse_network(size_t *_Nonnull size);
const unsigned char *_Nonnull garface_default_face_detector(size_t *_Nonnull size);

/// The embedded renderer (GAR); size 0 where the build had no weight file.
const unsigned char *_Nonnull garface_default_renderer(size_t *_Nonnull size);

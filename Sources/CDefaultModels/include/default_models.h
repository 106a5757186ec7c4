#pragma once
#include <stddef.h>

/// The embedded head model (a safetensors file) and its size in bytes. Static memory, never released.
const unsigned char *_Nonnull garface_default_head_model(size_t *_Nonnull size);

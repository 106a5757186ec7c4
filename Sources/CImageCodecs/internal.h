#pragma once
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "codecs.h"

/* Writes the sentence (always terminated) and hands the status back. */
static inline garface_codec_status codec_fail(
    garface_codec_status status, char *message, size_t capacity, const char *format, ...) {
    if (message && capacity) {
        va_list arguments;
        va_start(arguments, format);
        vsnprintf(message, capacity, format, arguments);
        va_end(arguments);
    }
    return status;
}

/* The size limits, checked before anything of the picture's size is allocated. */
static inline garface_codec_status codec_check_size(uint64_t width, uint64_t height, char *message, size_t capacity) {
    if (width == 0 || height == 0)
        return codec_fail(GARFACE_CODEC_MALFORMED, message, capacity, "the picture has no pixels");
    if (width > GARFACE_IMAGE_MAX_SIDE || height > GARFACE_IMAGE_MAX_SIDE || width * height > GARFACE_IMAGE_MAX_PIXELS)
        return codec_fail(
            GARFACE_CODEC_TOO_LARGE, message, capacity,
            "the picture is %llu x %llu pixels; at most %d megapixels and %d pixels a side are read", (unsigned long long)width,
            (unsigned long long)height, GARFACE_IMAGE_MAX_PIXELS / 1000000, GARFACE_IMAGE_MAX_SIDE);
    return GARFACE_CODEC_OK;
}

/* The orientation, 1 to 8, that a TIFF structure with EXIF data gives; 1 where it is missing or makes no sense. */
int codec_orientation(const uint8_t *tiff, size_t size);

/* Hands over the pixels of a stored picture, which it takes, turned upright; orientations of 5 to 8 swap the sides. */
garface_codec_status codec_upright(
    uint8_t *pixels, size_t width, size_t height, int orientation, garface_picture *picture, char *message, size_t capacity);

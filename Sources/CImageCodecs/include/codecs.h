/* Pictures from memory to 8-bit RGB and back. Every function returns a status and, on failure, writes a
 * sentence fragment to `message`. libpng's and libjpeg's longjmp never leave this target. */
#pragma once
#include <stddef.h>
#include <stdint.h>

#define GARFACE_IMAGE_MAX_SIDE 16384
#define GARFACE_IMAGE_MAX_PIXELS 100000000 /* 100 megapixels: 300 MB as RGB */

typedef enum {
    GARFACE_CODEC_OK = 0,
    GARFACE_CODEC_MALFORMED = 1,
    GARFACE_CODEC_UNSUPPORTED = 2,
    GARFACE_CODEC_TOO_LARGE = 3,
    GARFACE_CODEC_OUT_OF_MEMORY = 4,
} garface_codec_status;

/* Row-major, top-left first, three bytes a pixel, no padding. Free `pixels` with garface_codec_release. */
typedef struct {
    uint8_t *pixels;
    int32_t width, height;
} garface_picture;

/* An encoded file. Free `bytes` with garface_codec_release. */
typedef struct {
    uint8_t *bytes;
    size_t count;
} garface_encoded;

/* 1 where the library was built with libjpeg. */
int garface_codec_has_jpeg(void);
/* 1 where the first bytes are those of the format. */
int garface_is_png(const uint8_t *bytes, size_t count);
int garface_is_jpeg(const uint8_t *bytes, size_t count);

/* Any PNG: palette, grey, 16-bit (reduced), alpha (over white), interlaced; gamma is ignored. */
garface_codec_status garface_png_decode(
    const uint8_t *bytes, size_t count, garface_picture *picture, char *message, size_t capacity);
/* Any 8-bit JPEG: grey, YCbCr, RGB, CMYK; turned upright as its EXIF orientation says. */
garface_codec_status garface_jpeg_decode(
    const uint8_t *bytes, size_t count, garface_picture *picture, char *message, size_t capacity);

/* `channels` 1 (grey) or 3 (RGB), 8 bits each; rows are `stride` bytes apart. */
garface_codec_status garface_png_encode(
    const uint8_t *pixels, int32_t width, int32_t height, size_t stride, int channels, garface_encoded *file,
    char *message, size_t capacity);
/* 16-bit grey, native byte order in, no padding. */
garface_codec_status garface_png_encode_gray16(
    const uint16_t *pixels, int32_t width, int32_t height, garface_encoded *file, char *message, size_t capacity);
/* 8-bit RGB, `quality` 1 to 100, no chroma subsampling from 90 on. */
garface_codec_status garface_jpeg_encode(
    const uint8_t *pixels, int32_t width, int32_t height, size_t stride, int quality, garface_encoded *file,
    char *message, size_t capacity);

void garface_codec_release(void *memory);

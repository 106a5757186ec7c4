#include <png.h>

#include "internal.h"

typedef struct {
    const uint8_t *bytes;
    size_t count, position;
    char *message;
    size_t capacity;
} png_source;

typedef struct {
    uint8_t *bytes;
    size_t count, capacity;
    int exhausted;
    char *message;
    size_t message_capacity;
} png_sink;

int garface_is_png(const uint8_t *bytes, size_t count) { return count >= 8 && png_sig_cmp(bytes, 0, 8) == 0; }

void garface_codec_release(void *memory) { free(memory); }

static void on_read_error(png_structp png, png_const_charp text) {
    png_source *source = png_get_error_ptr(png);
    codec_fail(GARFACE_CODEC_MALFORMED, source->message, source->capacity, "damaged PNG: %s", text);
    png_longjmp(png, 1);
}

static void on_write_error(png_structp png, png_const_charp text) {
    png_sink *sink = png_get_error_ptr(png);
    codec_fail(GARFACE_CODEC_MALFORMED, sink->message, sink->message_capacity, "PNG encoder: %s", text);
    png_longjmp(png, 1);
}

static void on_warning(png_structp png, png_const_charp text) { (void)png, (void)text; }

static void read_bytes(png_structp png, png_bytep into, size_t count) {
    png_source *source = png_get_io_ptr(png);
    if (count > source->count - source->position) png_error(png, "the file ends before the picture does");
    memcpy(into, source->bytes + source->position, count);
    source->position += count;
}

static void write_bytes(png_structp png, png_bytep from, size_t count) {
    png_sink *sink = png_get_io_ptr(png);
    if (count > sink->capacity - sink->count) {
        size_t capacity = sink->capacity * 2 + count + 4096;
        uint8_t *grown = realloc(sink->bytes, capacity);
        if (!grown) {
            sink->exhausted = 1;
            png_error(png, "out of memory");
        }
        sink->bytes = grown;
        sink->capacity = capacity;
    }
    memcpy(sink->bytes + sink->count, from, count);
    sink->count += count;
}

static void flush_bytes(png_structp png) { (void)png; }

/* RGBA over white, in place, to RGB. */
static void compose_over_white(uint8_t *pixels, size_t count) {
    for (size_t i = 0; i < count; i++) {
        unsigned alpha = pixels[4 * i + 3];
        for (int c = 0; c < 3; c++)
            pixels[3 * i + c] = (uint8_t)((pixels[4 * i + c] * alpha + 255 * (255 - alpha) + 127) / 255);
    }
}

garface_codec_status garface_png_decode(
    const uint8_t *bytes, size_t count, garface_picture *picture, char *message, size_t capacity) {
    memset(picture, 0, sizeof *picture);
    if (!garface_is_png(bytes, count)) return codec_fail(GARFACE_CODEC_MALFORMED, message, capacity, "not a PNG file");
    png_source source = {bytes, count, 0, message, capacity};
    png_structp png = png_create_read_struct(PNG_LIBPNG_VER_STRING, &source, on_read_error, on_warning);
    png_infop info = png ? png_create_info_struct(png) : NULL;
    if (!info) {
        png_destroy_read_struct(&png, NULL, NULL);
        return codec_fail(GARFACE_CODEC_OUT_OF_MEMORY, message, capacity, "out of memory");
    }
    uint8_t *volatile pixels = NULL;
    png_bytep *volatile rows = NULL;
    volatile garface_codec_status status = GARFACE_CODEC_MALFORMED;
    if (setjmp(png_jmpbuf(png))) goto failed; /* the message is written */

    png_set_read_fn(png, &source, read_bytes);
    png_set_user_limits(png, 0x7fffffff, 0x7fffffff); /* ours follow, with a better sentence */
    png_set_chunk_cache_max(png, 64);
    png_set_chunk_malloc_max(png, 8 << 20);
    png_read_info(png, info);
    const uint32_t width = png_get_image_width(png, info), height = png_get_image_height(png, info);
    status = codec_check_size(width, height, message, capacity);
    if (status) goto failed;
    status = GARFACE_CODEC_MALFORMED;
    /* Deflate cannot expand more than 1032 times: a file too short for its size is refused before allocating. */
    if ((uint64_t)png_get_rowbytes(png, info) * height / 1040 > count)
        png_error(png, "the file is too short for the size it declares");

    png_set_expand(png);
    png_set_scale_16(png);
    png_set_gray_to_rgb(png);
    png_set_interlace_handling(png);
    png_read_update_info(png, info);
    const int channels = png_get_channels(png, info);
    const size_t row_bytes = png_get_rowbytes(png, info);
    if ((channels != 3 && channels != 4) || row_bytes != (size_t)channels * width) png_error(png, "unexpected pixel layout");

    pixels = malloc(row_bytes * height);
    rows = malloc(sizeof(png_bytep) * height);
    if (!pixels || !rows) {
        status = codec_fail(GARFACE_CODEC_OUT_OF_MEMORY, message, capacity, "out of memory for %u x %u pixels", width, height);
        goto failed;
    }
    for (uint32_t y = 0; y < height; y++) rows[y] = pixels + (size_t)y * row_bytes;
    png_read_image(png, rows);
    png_read_end(png, info);
    int turn = 1;
#ifdef PNG_eXIf_SUPPORTED
    png_uint_32 exif_size = 0;
    png_bytep exif = NULL;
    if (png_get_eXIf_1(png, info, &exif_size, &exif) & PNG_INFO_eXIf) turn = codec_orientation(exif, exif_size);
#endif
    if (channels == 4) compose_over_white(pixels, (size_t)width * height);
    free(rows);
    png_destroy_read_struct(&png, &info, NULL);
    return codec_upright(pixels, width, height, turn, picture, message, capacity);

failed:
    png_destroy_read_struct(&png, &info, NULL);
    free(pixels);
    free(rows);
    return status;
}

static garface_codec_status encode(
    const uint8_t *pixels, int32_t width, int32_t height, size_t stride, int color, int bits, garface_encoded *file,
    char *message, size_t capacity) {
    memset(file, 0, sizeof *file);
    garface_codec_status size = codec_check_size(width < 0 ? 0 : width, height < 0 ? 0 : height, message, capacity);
    if (size) return size;
    png_sink sink = {NULL, 0, 0, 0, message, capacity};
    png_structp png = png_create_write_struct(PNG_LIBPNG_VER_STRING, &sink, on_write_error, on_warning);
    png_infop info = png ? png_create_info_struct(png) : NULL;
    if (!info) {
        png_destroy_write_struct(&png, NULL);
        return codec_fail(GARFACE_CODEC_OUT_OF_MEMORY, message, capacity, "out of memory");
    }
    if (setjmp(png_jmpbuf(png))) {
        png_destroy_write_struct(&png, &info);
        free(sink.bytes);
        return sink.exhausted ? GARFACE_CODEC_OUT_OF_MEMORY : GARFACE_CODEC_MALFORMED;
    }
    png_set_write_fn(png, &sink, write_bytes, flush_bytes);
    png_set_compression_level(png, 4);
    png_set_IHDR(
        png, info, (png_uint_32)width, (png_uint_32)height, bits, color, PNG_INTERLACE_NONE, PNG_COMPRESSION_TYPE_DEFAULT,
        PNG_FILTER_TYPE_DEFAULT);
    png_write_info(png, info);
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
    if (bits == 16) png_set_swap(png);
#endif
    for (int32_t y = 0; y < height; y++) png_write_row(png, (png_const_bytep)(pixels + (size_t)y * stride));
    png_write_end(png, info);
    png_destroy_write_struct(&png, &info);
    file->bytes = sink.bytes;
    file->count = sink.count;
    return GARFACE_CODEC_OK;
}

garface_codec_status garface_png_encode(
    const uint8_t *pixels, int32_t width, int32_t height, size_t stride, int channels, garface_encoded *file,
    char *message, size_t capacity) {
    return encode(
        pixels, width, height, stride, channels == 1 ? PNG_COLOR_TYPE_GRAY : PNG_COLOR_TYPE_RGB, 8, file, message, capacity);
}

garface_codec_status garface_png_encode_gray16(
    const uint16_t *pixels, int32_t width, int32_t height, garface_encoded *file, char *message, size_t capacity) {
    return encode(
        (const uint8_t *)pixels, width, height, (size_t)(width < 0 ? 0 : width) * 2, PNG_COLOR_TYPE_GRAY, 16, file, message,
        capacity);
}

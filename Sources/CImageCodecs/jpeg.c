#include "internal.h"

int garface_is_jpeg(const uint8_t *bytes, size_t count) {
    return count >= 3 && bytes[0] == 0xff && bytes[1] == 0xd8 && bytes[2] == 0xff;
}

#ifdef GARFACE_JPEG
#include <jpeglib.h>
/* after jpeglib.h */
#include <jerror.h>
#include <setjmp.h>

int garface_codec_has_jpeg(void) { return 1; }

/* libjpeg goes on after damage and fills with grey; we stop instead. More scans than any real file has are an attack. */
enum { max_scans = 500 };

typedef struct {
    struct jpeg_error_mgr base;
    jmp_buf jump;
    char *message;
    size_t capacity;
    const char *role;
} jpeg_errors;

static void on_error(j_common_ptr codec) {
    jpeg_errors *errors = (jpeg_errors *)codec->err;
    char text[JMSG_LENGTH_MAX];
    errors->base.format_message(codec, text);
    codec_fail(GARFACE_CODEC_MALFORMED, errors->message, errors->capacity, "%s: %s", errors->role, text);
    longjmp(errors->jump, 1);
}

static void on_message(j_common_ptr codec, int level) {
    if (level >= 0) return;
    switch (codec->err->msg_code) {
    case JWRN_JPEG_EOF:
    case JWRN_HIT_MARKER:
    case JWRN_HUFF_BAD_CODE:
        on_error(codec);
        break;
    default: /* stray bytes between segments, odd version numbers: common in real files, harmless */
        break;
    }
}

static void output_nothing(j_common_ptr codec) { (void)codec; }

static void watch_scans(j_common_ptr codec) {
    if (codec->is_decompressor && ((j_decompress_ptr)codec)->input_scan_number > max_scans) {
        codec->err->msg_code = JERR_BAD_PROGRESSION;
        on_error(codec);
    }
}

static void prepare_errors(jpeg_errors *errors, const char *role, char *message, size_t capacity) {
    memset(errors, 0, sizeof *errors);
    jpeg_std_error(&errors->base);
    errors->base.error_exit = on_error;
    errors->base.emit_message = on_message;
    errors->base.output_message = output_nothing;
    errors->message = message;
    errors->capacity = capacity;
    errors->role = role;
}

/* EXIF orientation 1 to 8 of the first marker that has one that makes sense. */
static int orientation(const struct jpeg_marker_struct *marker) {
    for (; marker; marker = marker->next) {
        if (marker->marker != JPEG_APP0 + 1 || marker->data_length < 14 || memcmp(marker->data, "Exif\0\0", 6) != 0) continue;
        const int found = codec_orientation(marker->data + 6, marker->data_length - 6);
        if (found > 1) return found;
    }
    return 1;
}

static void cmyk_to_rgb(const uint8_t *row, uint8_t *rgb, size_t width, int inverted) {
    for (size_t x = 0; x < width; x++) {
        const uint8_t *p = row + 4 * x;
        for (int c = 0; c < 3; c++) {
            const unsigned ink = inverted ? p[c] : 255u - p[c], black = inverted ? p[3] : 255u - p[3];
            rgb[3 * x + c] = (uint8_t)((ink * black + 127) / 255);
        }
    }
}

garface_codec_status garface_jpeg_decode(
    const uint8_t *bytes, size_t count, garface_picture *picture, char *message, size_t capacity) {
    memset(picture, 0, sizeof *picture);
    if (!garface_is_jpeg(bytes, count)) return codec_fail(GARFACE_CODEC_MALFORMED, message, capacity, "not a JPEG file");
    struct jpeg_decompress_struct codec;
    struct jpeg_progress_mgr progress = {.progress_monitor = watch_scans};
    jpeg_errors errors;
    memset(&codec, 0, sizeof codec);
    prepare_errors(&errors, "damaged JPEG", message, capacity);
    codec.err = &errors.base;
    uint8_t *volatile pixels = NULL;
    uint8_t *volatile line = NULL;
    volatile garface_codec_status status = GARFACE_CODEC_MALFORMED;
    if (setjmp(errors.jump)) goto failed;

    jpeg_create_decompress(&codec);
    codec.progress = &progress;
    jpeg_mem_src(&codec, (unsigned char *)bytes, count);
    jpeg_save_markers(&codec, JPEG_APP0 + 1, 0xffff);
    jpeg_read_header(&codec, TRUE);
    status = codec_check_size(codec.image_width, codec.image_height, message, capacity);
    if (status) goto failed;
    status = GARFACE_CODEC_MALFORMED;
    /* Every 8 x 8 block costs at least one bit. */
    if (!codec.arith_code && (uint64_t)codec.image_width * codec.image_height / 512 > count) {
        codec_fail(status, message, capacity, "damaged JPEG: the file is too short for the size it declares");
        goto failed;
    }
    const int cmyk = codec.jpeg_color_space == JCS_CMYK || codec.jpeg_color_space == JCS_YCCK;
    codec.out_color_space = cmyk ? JCS_CMYK : JCS_RGB;
    const size_t width = codec.image_width, height = codec.image_height;
    pixels = malloc(width * height * 3);
    line = malloc(width * 4);
    if (!pixels || !line) {
        status = codec_fail(GARFACE_CODEC_OUT_OF_MEMORY, message, capacity, "out of memory for %zu x %zu pixels", width, height);
        goto failed;
    }
    const int turn = orientation(codec.marker_list);
    jpeg_start_decompress(&codec);
    while (codec.output_scanline < codec.output_height) {
        uint8_t *target = pixels + (size_t)codec.output_scanline * width * 3;
        JSAMPROW row = cmyk ? line : target;
        jpeg_read_scanlines(&codec, &row, 1);
        if (cmyk) cmyk_to_rgb(line, target, width, codec.saw_Adobe_marker);
    }
    jpeg_finish_decompress(&codec);
    jpeg_destroy_decompress(&codec);
    free(line);
    return codec_upright(pixels, width, height, turn, picture, message, capacity);

failed:
    jpeg_destroy_decompress(&codec);
    free(pixels);
    free(line);
    return status;
}

garface_codec_status garface_jpeg_encode(
    const uint8_t *pixels, int32_t width, int32_t height, size_t stride, int quality, garface_encoded *file, char *message,
    size_t capacity) {
    memset(file, 0, sizeof *file);
    garface_codec_status size = codec_check_size(width < 0 ? 0 : width, height < 0 ? 0 : height, message, capacity);
    if (size) return size;
    struct jpeg_compress_struct codec;
    jpeg_errors errors;
    memset(&codec, 0, sizeof codec);
    prepare_errors(&errors, "JPEG encoder", message, capacity);
    codec.err = &errors.base;
    unsigned char *bytes = NULL;
    unsigned long count = 0;
    if (setjmp(errors.jump)) {
        jpeg_destroy_compress(&codec);
        return GARFACE_CODEC_OUT_OF_MEMORY; /* a memory destination has no other way to fail */
    }
    jpeg_create_compress(&codec);
    jpeg_mem_dest(&codec, &bytes, &count);
    codec.image_width = (JDIMENSION)width;
    codec.image_height = (JDIMENSION)height;
    codec.input_components = 3;
    codec.in_color_space = JCS_RGB;
    jpeg_set_defaults(&codec);
    jpeg_set_quality(&codec, quality < 1 ? 1 : quality > 100 ? 100 : quality, TRUE);
    if (quality >= 90) codec.comp_info[0].h_samp_factor = codec.comp_info[0].v_samp_factor = 1;
    codec.optimize_coding = TRUE;
    jpeg_start_compress(&codec, TRUE);
    while (codec.next_scanline < codec.image_height) {
        JSAMPROW row = (JSAMPROW)(pixels + (size_t)codec.next_scanline * stride);
        jpeg_write_scanlines(&codec, &row, 1);
    }
    jpeg_finish_compress(&codec);
    jpeg_destroy_compress(&codec);
    file->bytes = bytes;
    file->count = count;
    return GARFACE_CODEC_OK;
}
#else
int garface_codec_has_jpeg(void) { return 0; }

static const char *const without = "this is a JPEG file and the library was built without JPEG (libjpeg-dev); use PNG";

garface_codec_status garface_jpeg_decode(
    const uint8_t *bytes, size_t count, garface_picture *picture, char *message, size_t capacity) {
    (void)bytes, (void)count;
    memset(picture, 0, sizeof *picture);
    return codec_fail(GARFACE_CODEC_UNSUPPORTED, message, capacity, "%s", without);
}

garface_codec_status garface_jpeg_encode(
    const uint8_t *pixels, int32_t width, int32_t height, size_t stride, int quality, garface_encoded *file, char *message,
    size_t capacity) {
    (void)pixels, (void)width, (void)height, (void)stride, (void)quality;
    memset(file, 0, sizeof *file);
    return codec_fail(
        GARFACE_CODEC_UNSUPPORTED, message, capacity, "the library was built without JPEG (libjpeg-dev); use PNG");
}
#endif

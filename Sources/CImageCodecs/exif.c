#include "internal.h"

static unsigned read16(const uint8_t *p, int big) { return big ? p[0] << 8 | p[1] : p[1] << 8 | p[0]; }
static uint32_t read32(const uint8_t *p, int big) {
    uint32_t high = read16(p + (big ? 0 : 2), big), low = read16(p + (big ? 2 : 0), big);
    return high << 16 | low;
}

int codec_orientation(const uint8_t *tiff, size_t size) {
    if (!tiff || size < 8) return 1;
    const int big = tiff[0] == 'M' && tiff[1] == 'M';
    if (!big && !(tiff[0] == 'I' && tiff[1] == 'I')) return 1;
    const uint32_t start = read32(tiff + 4, big);
    if (start > size - 2) return 1;
    const unsigned entries = read16(tiff + start, big);
    for (unsigned i = 0; i < entries; i++) {
        const uint64_t at = (uint64_t)start + 2 + 12ull * i;
        if (at + 12 > size) break;
        if (read16(tiff + at, big) != 0x0112 || read16(tiff + at + 2, big) != 3) continue;
        const unsigned value = read16(tiff + at + 8, big);
        if (value >= 1 && value <= 8) return (int)value;
    }
    return 1;
}

/* Writes the pixels of a stored w x h picture upright; 5 to 8 swap the sides. */
static void turn_upright(const uint8_t *from, uint8_t *to, size_t w, size_t h, int orientation) {
    const int swapped = orientation >= 5;
    const size_t out_w = swapped ? h : w;
    for (size_t y = 0; y < h; y++) {
        for (size_t x = 0; x < w; x++) {
            size_t u, v;
            switch (orientation) {
            case 2: u = w - 1 - x, v = y; break;
            case 3: u = w - 1 - x, v = h - 1 - y; break;
            case 4: u = x, v = h - 1 - y; break;
            case 5: u = y, v = x; break;
            case 6: u = h - 1 - y, v = x; break;
            case 7: u = h - 1 - y, v = w - 1 - x; break;
            case 8: u = y, v = w - 1 - x; break;
            default: u = x, v = y; break;
            }
            memcpy(to + 3 * (v * out_w + u), from + 3 * (y * w + x), 3);
        }
    }
}

garface_codec_status codec_upright(
    uint8_t *pixels, size_t width, size_t height, int orientation, garface_picture *picture, char *message, size_t capacity) {
    if (orientation > 1) {
        uint8_t *upright = malloc(width * height * 3);
        if (!upright) {
            free(pixels);
            return codec_fail(
                GARFACE_CODEC_OUT_OF_MEMORY, message, capacity, "out of memory for %zu x %zu pixels", width, height);
        }
        turn_upright(pixels, upright, width, height, orientation);
        free(pixels);
        pixels = upright;
    }
    picture->pixels = pixels;
    picture->width = (int32_t)(orientation >= 5 ? height : width);
    picture->height = (int32_t)(orientation >= 5 ? width : height);
    return GARFACE_CODEC_OK;
}

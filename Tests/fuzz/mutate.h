/* Mutations that get past the first check of a format: checksums of PNG chunks are made right again, and the numbers in
 * the header and in the data of a safetensors file are replaced by ones that programs trip over. */
#ifndef MUTATE_H
#define MUTATE_H

#include <ctype.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t most);

static uint32_t random_state;
static uint32_t random_below(uint32_t limit) {
    random_state = random_state * 1664525u + 1013904223u;
    return limit ? (uint32_t)(((uint64_t)random_state * limit) >> 32) : 0;
}

static int is_png(const uint8_t *data, size_t size) { return size > 20 && memcmp(data, "\x89PNG\r\n\x1a\n", 8) == 0; }

static uint32_t crc_of(const uint8_t *data, size_t size) {
    uint32_t crc = 0xffffffffu;
    for (size_t i = 0; i < size; i++) {
        crc ^= data[i];
        for (int bit = 0; bit < 8; bit++) crc = crc >> 1 ^ (crc & 1 ? 0xedb88320u : 0);
    }
    return ~crc;
}

static void repair_png(uint8_t *data, size_t size) {
    size_t at = 8;
    while (at + 12 <= size) {
        const size_t length = (size_t)data[at] << 24 | data[at + 1] << 16 | data[at + 2] << 8 | data[at + 3];
        if (length > size - at - 12) return;
        const uint32_t crc = crc_of(data + at + 4, length + 4);
        for (int k = 0; k < 4; k++) data[at + 8 + length + k] = (uint8_t)(crc >> (24 - 8 * k));
        at += 12 + length;
    }
}

static size_t header_of(const uint8_t *data, size_t size) { /* 0 where it is not a safetensors file */
    uint64_t length;
    if (size < 16 || data[8] != '{') return 0;
    memcpy(&length, data, 8);
    return length <= size - 8 ? (size_t)length : 0;
}

/* One number of the header becomes another of as many characters or fewer, padded with blanks. */
static void change_header_number(uint8_t *header, size_t length) {
    static const char *const numbers[] = {
        "0", "-1", "1", "2", "3", "1e9", "1e300", "-1e300", "0.5", "1e-9", "65536", "2147483647", "2147483648",
        "4294967295", "4611686018427387904", "9223372036854775807", "18446744073709551615", "1e-320", "null", "[]", "\"\""};
    const size_t start = random_below((uint32_t)length);
    for (size_t k = 0; k < length; k++) {
        size_t at = (start + k) % length;
        if (!isdigit(header[at]) || (at > 0 && isdigit(header[at - 1]))) continue;
        size_t digits = 0;
        while (at + digits < length && (isdigit(header[at + digits]) || header[at + digits] == '.')) digits++;
        const char *number = numbers[random_below(sizeof numbers / sizeof *numbers)];
        char near[24];
        if (random_below(3) == 0) {
            unsigned long long value = 0;
            for (size_t i = 0; i < digits && i < 18 && isdigit(header[at + i]); i++) value = 10 * value + (header[at + i] - '0');
            snprintf(near, sizeof near, "%llu", value + (random_below(2) ? 1 : -1));
            number = near;
        }
        if (strlen(number) > digits) number = "9";
        memset(header + at, ' ', digits);
        memcpy(header + at, number, strlen(number));
        return;
    }
}

static void change_data_word(uint8_t *data, size_t size) {
    static const uint32_t words[] = {
        0, 1, 0xffffffffu, 0x7fffffffu, 0x80000000u, 0x7f800000u, 0xff800000u, 0x7fc00000u, 0x7f7fffffu, 0xff7fffffu,
        0x00000001u, 0x3f800000u, 0x7bff7bffu, 0x7c007c00u, 1000000, 0x4b000000u};
    const uint32_t word = words[random_below(sizeof words / sizeof *words)];
    const int run = random_below(4) == 0 ? 16 : 1;
    size_t at = random_below((uint32_t)size) & ~(size_t)3;
    for (int k = 0; k < run && at + 4 <= size; k++, at += 4) memcpy(data + at, &word, 4);
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t most, unsigned seed) {
    random_state = seed;
    const size_t header = header_of(data, size);
    if (header) {
        const uint32_t kind = random_below(8);
        if (kind < 4) {
            change_header_number(data + 8, header);
            return size;
        }
        if (kind < 7 && size > header + 8) {
            change_data_word(data + 8 + header, size - header - 8);
            return size;
        }
    }
    size = LLVMFuzzerMutate(data, size, most);
    if (is_png(data, size) && random_below(8)) repair_png(data, size);
    return size;
}

#endif

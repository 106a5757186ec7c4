/* Basics, images and handles: good calls, and everything bad that can be handed in. */
#include <garface.h>
#include <math.h>
#include <pthread.h>

#include "check.h"

static void basics(void) {
    CHECK(gar_version() == 10000 * GARFACE_VERSION_MAJOR + 100 * GARFACE_VERSION_MINOR + GARFACE_VERSION_PATCH);
    CHECK(strstr(gar_build_info(), "\"version\"") != NULL);
    CHECK(strcmp(gar_status_string(GAR_OK), "GAR_OK") == 0);
    CHECK(strcmp(gar_status_string(GAR_INTERNAL_ERROR), "GAR_INTERNAL_ERROR") == 0);
    CHECK(strcmp(gar_status_string(-1), "unknown status") == 0);
    CHECK(strcmp(gar_status_string(16), "unknown status") == 0);
    EXPECT(gar_threads_set(0), GAR_INVALID_ARGUMENT);
    EXPECT(gar_threads_set(-5), GAR_INVALID_ARGUMENT);
    EXPECT(gar_threads_set(257), GAR_INVALID_ARGUMENT);
    EXPECT(gar_threads_set(2), GAR_OK);
}

static void *other_thread(void *seen) {
    *(int *)seen = (int)strlen(gar_last_error());
    return NULL;
}

static void last_error_is_per_thread(void) {
    int seen = -1;
    pthread_t thread;
    EXPECT(gar_threads_set(0), GAR_INVALID_ARGUMENT);
    CHECK(strlen(gar_last_error()) > 0);
    CHECK(pthread_create(&thread, NULL, other_thread, &seen) == 0);
    pthread_join(thread, NULL);
    CHECK(seen == 0);
}

static void images(const char *folder) {
    uint8_t pixels[4 * 32], out[4 * 3 * 5];
    char path[4096];
    int32_t width, height;
    size_t count = 0;
    gar_image *image = NULL, *again = NULL;
    for (int i = 0; i < 4 * 32; i++) pixels[i] = (uint8_t)(3 * i);

    EXPECT(gar_image_create(pixels, 5, 4, 32, &image), GAR_OK);
    EXPECT(gar_image_get_size(image, &width, &height), GAR_OK);
    CHECK(width == 5 && height == 4);
    EXPECT(gar_image_get_pixels(image, NULL, 0, &count), GAR_OK);
    CHECK(count == 60);
    EXPECT(gar_image_get_pixels(image, out, 59, &count), GAR_BUFFER_TOO_SMALL);
    EXPECT(gar_image_get_pixels(image, NULL, 60, &count), GAR_INVALID_ARGUMENT);
    EXPECT(gar_image_get_pixels(image, NULL, (size_t)-1, &count), GAR_INVALID_ARGUMENT);
    CHECK(strstr(gar_last_error(), "18446744073709551615") != NULL && strstr(gar_last_error(), "-1") == NULL);
    EXPECT(gar_image_get_pixels(image, out, sizeof out, &count), GAR_OK);
    CHECK(out[0] == pixels[0] && out[15] == pixels[32] && out[59] == pixels[3 * 32 + 14]);

    /* Through a PNG file and back. */
    snprintf(path, sizeof path, "%s/small.png", folder);
    EXPECT(gar_image_write(image, path), GAR_OK);
    EXPECT(gar_image_load(path, &again), GAR_OK);
    memset(out, 0, sizeof out);
    EXPECT(gar_image_get_pixels(again, out, sizeof out, &count), GAR_OK);
    CHECK(out[15] == pixels[32] && out[59] == pixels[3 * 32 + 14]);
    gar_image_release(again);

    /* A truncated file, from memory and from disk. */
    uint8_t bytes[4096];
    FILE *file = fopen(path, "rb");
    size_t size = file ? fread(bytes, 1, sizeof bytes, file) : 0;
    if (file) fclose(file);
    CHECK(size > 40);
    EXPECT(gar_image_decode(bytes, size, &again), GAR_OK);
    gar_image_release(again);
    for (size_t part = 0; part < size - 1; part += 7) {
        gar_status status = gar_image_decode(bytes, part, &again);
        CHECK(status == GAR_MALFORMED_FILE || status == GAR_UNSUPPORTED_FORMAT);
        CHECK(again == NULL);
    }
    EXPECT(gar_image_decode(bytes, (size_t)-1, &again), GAR_TOO_LARGE);

    EXPECT(gar_image_load("/no/such/photo.png", &again), GAR_FILE_NOT_FOUND);
    CHECK(strstr(gar_last_error(), "/no/such/photo.png") != NULL);
    EXPECT(gar_image_load(folder, &again), GAR_FILE_UNREADABLE);
    EXPECT(gar_image_load("", &again), GAR_INVALID_ARGUMENT);
    EXPECT(gar_image_load("\xff\xfe.png", &again), GAR_INVALID_ARGUMENT);
    EXPECT(gar_image_load(NULL, &again), GAR_INVALID_ARGUMENT);
    EXPECT(gar_image_load(path, NULL), GAR_INVALID_ARGUMENT);
    EXPECT(gar_image_decode(NULL, 10, &again), GAR_INVALID_ARGUMENT);
    EXPECT(gar_image_decode(bytes, size, NULL), GAR_INVALID_ARGUMENT);
    EXPECT(gar_image_create(NULL, 5, 4, 0, &again), GAR_INVALID_ARGUMENT);
    EXPECT(gar_image_create(pixels, 5, 4, 0, NULL), GAR_INVALID_ARGUMENT);
    EXPECT(gar_image_create(pixels, 0, 4, 0, &again), GAR_INVALID_ARGUMENT);
    EXPECT(gar_image_create(pixels, 5, -4, 0, &again), GAR_INVALID_ARGUMENT);
    EXPECT(gar_image_create(pixels, 5, 4, 14, &again), GAR_INVALID_ARGUMENT);
    EXPECT(gar_image_create(pixels, 5, 4, (size_t)-1, &again), GAR_INVALID_ARGUMENT);
    EXPECT(gar_image_create(pixels, 20000, 20000, 0, &again), GAR_TOO_LARGE);
    EXPECT(gar_image_create(pixels, INT32_MAX, INT32_MAX, 0, &again), GAR_TOO_LARGE);
    EXPECT(gar_image_get_size(NULL, &width, &height), GAR_INVALID_ARGUMENT);
    EXPECT(gar_image_get_size(image, NULL, &height), GAR_INVALID_ARGUMENT);
    EXPECT(gar_image_get_size(image, &width, NULL), GAR_INVALID_ARGUMENT);
    EXPECT(gar_image_get_pixels(NULL, out, sizeof out, &count), GAR_INVALID_ARGUMENT);
    EXPECT(gar_image_get_pixels(image, out, sizeof out, NULL), GAR_INVALID_ARGUMENT);
    EXPECT(gar_image_write(NULL, path), GAR_INVALID_ARGUMENT);
    EXPECT(gar_image_write(image, NULL), GAR_INVALID_ARGUMENT);
    EXPECT(gar_image_write(image, "/no/such/folder/x.png"), GAR_FILE_UNWRITABLE);
    EXPECT(gar_image_write(image, "/tmp/x.bmp"), GAR_UNSUPPORTED_FORMAT);

    gar_image_release(image);
    /* Released, foreign and mistyped handles are told apart from good ones, never followed. */
    EXPECT(gar_image_get_size(image, &width, &height), GAR_INVALID_ARGUMENT);
    CHECK(strstr(gar_last_error(), "released") != NULL);
    gar_image_release(image);
    gar_image_release(NULL);
    gar_image_release((gar_image *)pixels);
    EXPECT(gar_image_get_size((gar_image *)pixels, &width, &height), GAR_INVALID_ARGUMENT);
    EXPECT(gar_image_get_size((gar_image *)(uintptr_t)0x6A01ffffffffffff, &width, &height), GAR_INVALID_ARGUMENT);
    EXPECT(gar_image_get_size((gar_image *)(uintptr_t)-1, &width, &height), GAR_INVALID_ARGUMENT);
}

/* Handles from many threads at once: all distinct, all released. */
static void *churn(void *failures) {
    uint8_t pixels[12] = {0};
    for (int i = 0; i < 2000; i++) {
        gar_image *image = NULL;
        int32_t width = 0, height = 0;
        if (gar_image_create(pixels, 2, 2, 0, &image) != GAR_OK) ++*(int *)failures;
        if (gar_image_get_size(image, &width, &height) != GAR_OK || width != 2) ++*(int *)failures;
        gar_image_release(image);
        if (gar_image_get_size(image, &width, &height) != GAR_INVALID_ARGUMENT) ++*(int *)failures;
    }
    return NULL;
}

static void threads(void) {
    pthread_t threads[4];
    int failures[4] = {0};
    for (int i = 0; i < 4; i++) CHECK(pthread_create(&threads[i], NULL, churn, &failures[i]) == 0);
    for (int i = 0; i < 4; i++) {
        pthread_join(threads[i], NULL);
        CHECK(failures[i] == 0);
    }
}

int main(int argc, char **argv) {
    const char *folder = argc > 1 ? argv[1] : ".";
    basics();
    last_error_is_per_thread();
    images(folder);
    threads();
    return check_report("test_basics");
}

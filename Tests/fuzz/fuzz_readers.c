/* Feeds damaged files to one of the library's readers, and what is read to the calls that use it. Built with libFuzzer by
 * Tests/fuzz.sh, once for each reader:  -DREADER=read_image, ...
 *
 * Any status is right, as long as there is one: what counts is no crash, no trap, no hang and no huge allocation. A call
 * that fails must leave a sentence and no handle. */
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <garface.h>

#include "mutate.h"

static char folder[] = "/tmp/garface-fuzz-XXXXXX";
static char path[64];

#define REQUIRE(condition) \
    do { \
        if (!(condition)) { \
            fprintf(stderr, "%s:%d: %s; last error: %s\n", __FILE__, __LINE__, #condition, gar_last_error()); \
            abort(); \
        } \
    } while (0)

/* 1 where the call succeeded. */
static int succeeded(gar_status status, const void *handle) {
    REQUIRE(status >= GAR_OK && status < GAR_INTERNAL_ERROR);
    REQUIRE((status == GAR_OK) == (handle != NULL));
    if (status != GAR_OK) REQUIRE(strlen(gar_last_error()) > 5);
    return status == GAR_OK;
}

static void save(const char *name, const uint8_t *data, size_t size) {
    snprintf(path, sizeof path, "%s/%s", folder, name);
    int file = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    REQUIRE(file >= 0 && write(file, data, size) == (ssize_t)size);
    close(file);
}

static void remove_folder(void) {
    static const char *const names[] = {
        "file", "input.png", "normals.png", "head.glb", "parameters.json", "view.html"};
    for (size_t k = 0; k < sizeof names / sizeof *names; k++) {
        snprintf(path, sizeof path, "%s/%s", folder, names[k]);
        unlink(path);
    }
    rmdir(folder);
}

static gar_image *scene(void) { /* 96 x 96, no face */
    static uint8_t pixels[96 * 96 * 3];
    for (size_t i = 0; i < sizeof pixels; i++) pixels[i] = (uint8_t)(i * 2654435761u >> 24);
    gar_image *image = NULL;
    REQUIRE(gar_image_create(pixels, 96, 96, 0, &image) == GAR_OK);
    return image;
}

static void read_image(const uint8_t *data, size_t size) {
    gar_image *image = NULL;
    if (!succeeded(gar_image_decode(data, size, &image), image)) return;
    int32_t width = 0, height = 0;
    size_t count = 0;
    REQUIRE(gar_image_get_size(image, &width, &height) == GAR_OK && width > 0 && height > 0);
    REQUIRE(gar_image_get_pixels(image, NULL, 0, &count) == GAR_OK && count == (size_t)width * height * 3);
    gar_image_release(image);
}

static void read_landmarks(const uint8_t *data, size_t size) {
    float points[3 * 500];
    size_t count = 0;
    save("file", data, size);
    const gar_status status = gar_landmarks_load(path, points, 1500, &count);
    succeeded(status, status == GAR_OK ? points : NULL);
    REQUIRE(status != GAR_OK || count % 3 == 0);
}

static void read_head(const uint8_t *data, size_t size) {
    gar_head *head = NULL;
    save("file", data, size);
    if (!succeeded(gar_head_load(path, &head), head)) return;
    int32_t v = 0, f = 0, i = 0, e = 0;
    REQUIRE(gar_head_get_sizes(head, &v, &f, &i, &e) == GAR_OK);
    float *a = calloc((size_t)i + 1, sizeof *a), *b = calloc((size_t)e + 1, sizeof *b);
    float *vertices = calloc(3 * (size_t)v, sizeof *vertices), *normals = calloc(3 * (size_t)v, sizeof *normals);
    float points[204], energy;
    gar_head_sample(head, 1, a, b);
    const gar_status status = gar_head_evaluate(head, a, b, vertices);
    for (size_t k = 0; status == GAR_OK && k < 3 * (size_t)v; k++) REQUIRE(isfinite(vertices[k]));
    gar_head_evaluate_backward_at(head, a, b, vertices, a, b);
    gar_head_prior(head, a, b, &energy, a, b);
    gar_head_normals(head, vertices, normals);
    gar_head_landmarks(head, vertices, points);
    gar_head_landmarks_contour(head, vertices, 30, 5, -3, points);
    size_t count = 0;
    gar_head_get_json(head, NULL, 0, &count);
    gar_head_get_uvs(head, NULL, 0, &count);
    free(a), free(b), free(vertices), free(normals);
    gar_head_release(head);
}

static void read_renderer(const uint8_t *data, size_t size) {
    gar_renderer *renderer = NULL;
    save("file", data, size);
    if (!succeeded(gar_renderer_load(path, &renderer), renderer)) return;
    int32_t side = 0, latent = 0, rows = 0, normals = 0, noise = 0;
    REQUIRE(gar_renderer_get_sizes(renderer, &side, &latent, &rows, &normals, &noise) == GAR_OK);
    float *z = calloc((size_t)latent, sizeof *z), *w = calloc((size_t)latent, sizeof *w);
    float *w_plus = calloc((size_t)rows * latent, sizeof *w_plus), *maps = calloc((size_t)normals, sizeof *maps);
    float *picture = calloc(3 * (size_t)side * side, sizeof *picture);
    gar_renderer_sample_z(renderer, 1, z);
    if (gar_renderer_map(renderer, z, 0.7f, w) == GAR_OK)
        for (int32_t k = 0; k < rows; k++) memcpy(w_plus + (size_t)k * latent, w, sizeof *w * latent);
    if (gar_renderer_render(renderer, w_plus, maps, NULL, picture) == GAR_OK)
        for (size_t k = 0; k < 3 * (size_t)side * side; k++) REQUIRE(isfinite(picture[k]));
    size_t count = 0;
    gar_renderer_get_json(renderer, NULL, 0, &count);
    free(z), free(w), free(w_plus), free(maps), free(picture);
    gar_renderer_release(renderer);
}

/* Of the other models the small ones of GARFACE_FUZZ_HEAD and _RENDERER are taken: they load quickly. */
static gar_models *models_with(const char *inverse, const char *detector) {
    gar_model_files files;
    gar_model_files_init(&files);
    files.head_model = getenv("GARFACE_FUZZ_HEAD");
    files.renderer = getenv("GARFACE_FUZZ_RENDERER");
    files.inverse_network = inverse;
    files.face_detector = detector;
    gar_models *models = NULL;
    return succeeded(gar_models_load(&files, &models), models) ? models : NULL;
}

static void read_detector(const uint8_t *data, size_t size) {
    save("file", data, size);
    gar_models *models = models_with(getenv("GARFACE_FUZZ_INVERSE"), path);
    if (!models) return;
    gar_image *image = scene();
    gar_face faces[64];
    size_t count = 0;
    const gar_status status = gar_faces_detect(models, image, faces, 64, &count);
    succeeded(status, status == GAR_OK ? faces : NULL);
    for (size_t k = 0; status == GAR_OK && k < count; k++) REQUIRE(isfinite(faces[k].size) && isfinite(faces[k].centre_u));
    gar_image_release(image);
    gar_models_release(models);
}

static void read_inverse(const uint8_t *data, size_t size) {
    save("file", data, size);
    gar_models *models = models_with(path, getenv("GARFACE_FUZZ_DETECTOR"));
    if (!models) return;
    gar_image *image = scene();
    gar_options options;
    gar_options_init(&options);
    const float box[4] = {20, 20, 50, 60};
    options.box = box;
    options.renderer = GAR_RENDERER_START;
    gar_fit *fit = NULL;
    succeeded(gar_fit_create(models, image, &options, &fit), fit);
    gar_fit_release(fit);
    gar_image_release(image);
    gar_models_release(models);
}

static bool stop_at_once(void *user, float fraction, const char *stage) {
    (void)user, (void)fraction, (void)stage;
    return false;
}

static void read_schedule(const uint8_t *data, size_t size) {
    static gar_fit *fit; /* one for all: a fit that is cancelled stands where it stood */
    if (!fit) {
        gar_models *models = NULL;
        REQUIRE(gar_models_load(NULL, &models) == GAR_OK);
        gar_image *image = scene();
        gar_options options;
        gar_options_init(&options);
        const float box[4] = {20, 20, 50, 60};
        options.box = box;
        REQUIRE(gar_fit_create(models, image, &options, &fit) == GAR_OK);
        gar_image_release(image);
        gar_models_release(models);
    }
    char *text = malloc(size + 1);
    memcpy(text, data, size);
    text[size] = 0;
    const gar_status status = gar_fit_run(fit, text, stop_at_once, NULL);
    succeeded(status, status == GAR_OK ? text : NULL);
    free(text);
}

/* Which of the four files of a result the bytes are, the first one says. */
static void read_view(const uint8_t *data, size_t size) {
    static const char *const names[] = {"parameters.json", "head.glb", "input.png", "normals.png"};
    static const char parameters[] = "{\"kind\":\"reconstruction\",\"pose_degrees\":{\"yaw\":1}}";
    const int which = size ? data[0] % 4 : 0;
    for (int k = 0; k < 4; k++)
        if (k != which) save(names[k], (const uint8_t *)parameters, sizeof parameters - 1);
    save(names[which], data + (size ? 1 : 0), size ? size - 1 : 0);
    const gar_status status = gar_view_write(folder, 0);
    succeeded(status, status == GAR_OK ? names : NULL);
}

int LLVMFuzzerInitialize(int *argc, char ***argv) {
    (void)argc, (void)argv;
    if (!mkdtemp(folder)) abort();
    atexit(remove_folder);
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    (void)read_image, (void)read_landmarks, (void)read_head, (void)read_renderer, (void)read_detector, (void)read_inverse;
    (void)read_schedule, (void)read_view;
    READER(data, size);
    return 0;
}

/* Several contexts on several threads at once: shared models, image, head and result; a renderer and a fit per thread, and
 * one renderer that two threads fight over; errors, logs and cancelling meanwhile. Made for ThreadSanitizer, and the
 * numbers must be the same as on one thread. argv: working folder, then the sample photo; then, for slow builds, how often. */
#include <garface.h>
#include <pthread.h>
#include <stdatomic.h>

#include "check.h"

enum { threads = 4 };
static int rounds = 2;
static gar_models *models;
static gar_image *photo;
static gar_head *head;
static gar_result *alone;
static gar_renderer *contended;
static atomic_int log_lines, busy, rendered;
static const char schedule[] =
    "{\"stages\":[{\"name\":\"points\",\"optimiser\":\"gauss_newton\",\"iterations\":2,\"blocks\":[\"identity\",\"rotation\","
    "\"similarity\"]}]}";
static const char gar_schedule[] =
    "{\"stages\":[{\"name\":\"picture\",\"optimiser\":\"adam\",\"iterations\":1,\"blocks\":[\"w_plus\",\"identity\"],"
    "\"steps\":{\"w_plus\":0.02,\"identity\":0.02}}]}";

typedef struct {
    int index, failures;
} worker;

#define NEED(condition) \
    do { \
        if (!(condition)) { \
            w->failures++; \
            fprintf(stderr, "%s:%d: thread %d: %s; %s\n", __FILE__, __LINE__, w->index, #condition, gar_last_error()); \
        } \
    } while (0)

static void count_line(void *user, const char *message) {
    (void)message;
    atomic_fetch_add((atomic_int *)user, 1);
}

static bool stop(void *user, float fraction, const char *stage) {
    (void)user, (void)fraction, (void)stage;
    return false;
}

/* As alone? */
static void compare(worker *w, const gar_result *result) {
    float expected[204], found[204];
    size_t count;
    NEED(gar_result_get_array(alone, GAR_ARRAY_LANDMARKS, expected, 204, &count) == GAR_OK);
    NEED(gar_result_get_array(result, GAR_ARRAY_LANDMARKS, found, 204, &count) == GAR_OK && count == 136);
    NEED(memcmp(expected, found, 136 * sizeof *found) == 0);
}

static void reconstruct(worker *w) {
    gar_options options;
    gar_options_init(&options);
    options.schedule = schedule;
    options.renderer = GAR_RENDERER_LANDMARKS;
    gar_result *result = NULL;
    NEED(gar_reconstruct(models, photo, &options, &result) == GAR_OK);
    if (result) compare(w, result);
    /* Derived pictures are made when they are first asked for. */
    gar_image *overlay = NULL;
    NEED(gar_result_get_picture(alone, GAR_PICTURE_OVERLAY, &overlay) == GAR_OK);
    gar_image_release(overlay);
    gar_result_release(result);
}

static void fit(worker *w) {
    gar_options options;
    gar_options_init(&options);
    gar_fit *own = NULL;
    gar_result *result = NULL;
    NEED(gar_fit_create(models, photo, &options, &own) == GAR_OK);
    NEED(gar_fit_run(own, gar_schedule, NULL, NULL) == GAR_OK);
    NEED(gar_fit_run(own, NULL, stop, NULL) == GAR_CANCELLED);
    NEED(gar_fit_run(own, "{\"stages\":3}", NULL, NULL) == GAR_MALFORMED_FILE);
    NEED(gar_fit_get_result(own, &result) == GAR_OK);
    gar_result_release(result);
    gar_fit_release(own);
}

static void evaluate(worker *w) {
    int32_t v, f, i, e, size, latent, rows, normals, noise;
    NEED(gar_head_get_sizes(head, &v, &f, &i, &e) == GAR_OK);
    float *identity = calloc((size_t)i, sizeof *identity), *expression = calloc((size_t)e, sizeof *expression);
    float *vertices = calloc(3 * (size_t)v, sizeof *vertices);
    NEED(gar_head_sample(head, 7, identity, expression) == GAR_OK);
    NEED(gar_head_evaluate(head, identity, expression, vertices) == GAR_OK);
    NEED(gar_head_evaluate(head, NULL, expression, vertices) == GAR_INVALID_ARGUMENT);
    size_t count;
    NEED(gar_head_get_uvs(head, NULL, 0, &count) == GAR_OK);
    /* One renderer for all: whoever comes second is told so. */
    NEED(gar_renderer_get_sizes(contended, &size, &latent, &rows, &normals, &noise) == GAR_OK);
    float *maps = calloc((size_t)normals, sizeof *maps);
    const float pose[6] = {10, 0, 0, 1, 0, 0};
    const gar_status status = gar_renderer_rasterize(contended, head, vertices, pose, maps);
    NEED(status == GAR_OK || status == GAR_BUSY);
    atomic_fetch_add(status == GAR_OK ? &rendered : &busy, 1);
    free(identity), free(expression), free(vertices), free(maps);
}

static void load(worker *w) {
    gar_image *image = NULL;
    gar_models *own = NULL;
    gar_face faces[8];
    size_t count = 0;
    NEED(gar_image_load("/no/such/photo.png", &image) == GAR_FILE_NOT_FOUND && image == NULL);
    NEED(strstr(gar_last_error(), "/no/such/photo") != NULL);
    NEED(gar_faces_detect(models, photo, faces, 8, &count) == GAR_OK && count == 1);
    if (w->index == 0) { /* a context of its own, loaded and released while others work */
        NEED(gar_models_load(NULL, &own) == GAR_OK);
        gar_log_set(count_line, &log_lines);
    EXPECT(gar_threads_set(2), GAR_OK); /* calls share the library's worker */
        gar_models_release(own);
    }
}

static void *work(void *argument) {
    worker *w = argument;
    void (*const tasks[])(worker *) = {reconstruct, evaluate, load, fit};
    for (int round = 0; round < rounds; round++)
        for (int k = 0; k < 4; k++) tasks[(k + w->index) % 4](w); /* each thread at another thing */
    return NULL;
}

int main(int argc, char **argv) {
    if (argc < 3) return 2;
    if (argc > 3) rounds = atoi(argv[3]);
    gar_log_set(count_line, &log_lines);
    EXPECT(gar_threads_set(2), GAR_OK); /* calls share the library's worker */
    EXPECT(gar_models_load(NULL, &models), GAR_OK);
    EXPECT(gar_image_load(argv[2], &photo), GAR_OK);
    EXPECT(gar_head_load(NULL, &head), GAR_OK);
    EXPECT(gar_renderer_load(NULL, &contended), GAR_OK);
    gar_options options;
    gar_options_init(&options);
    options.schedule = schedule;
    options.renderer = GAR_RENDERER_LANDMARKS;
    EXPECT(gar_reconstruct(models, photo, &options, &alone), GAR_OK);
    if (check_failures) return check_report("test_threads");

    pthread_t ids[threads];
    worker workers[threads];
    for (int k = 0; k < threads; k++) {
        workers[k] = (worker){k, 0};
        CHECK(pthread_create(&ids[k], NULL, work, &workers[k]) == 0);
    }
    for (int k = 0; k < threads; k++) {
        pthread_join(ids[k], NULL);
        CHECK(workers[k].failures == 0);
    }
    CHECK(log_lines > threads);
    CHECK(rendered >= 1 && rendered + busy == threads * rounds);
    gar_log_set(NULL, NULL);
    gar_result_release(alone);
    gar_renderer_release(contended);
    gar_head_release(head);
    gar_image_release(photo);
    gar_models_release(models);
    return check_report("test_threads");
}

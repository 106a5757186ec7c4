/* Several photos of one person, batches and trackers through the C interface.
 * argv: working folder, then the sample photo. */
#include <garface.h>
#include <math.h>

#include "check.h"

static gar_models *models;
static gar_image *photo, *empty;
static const char *photo_path;
static char folder[4000];

static bool stop_at_once(void *user, float fraction, const char *stage) {
    (void)user;
    return stage == NULL || fraction < 0.06f;
}

static void person(void) {
    const gar_image *images[3];
    gar_result *results[3] = {(gar_result *)1, (gar_result *)1, (gar_result *)1};
    float first[400], second[400];
    size_t count;
    int32_t found = -1;
    gar_options options;
    gar_face faces[3] = {{0, 0, 0, 0, 0}, {0, 0, 0, 0, 0}, {0, 0, 0, 0, 0}};
    images[0] = images[2] = photo;
    images[1] = empty;
    gar_options_init(&options);
    options.renderer = GAR_RENDERER_LANDMARKS;
    EXPECT(gar_reconstruct_person(models, images, 3, faces, &options, results, &found), GAR_OK);
    CHECK(found == 2 && results[0] != NULL && results[1] == NULL && results[2] != NULL);
    EXPECT(gar_result_get_array(results[0], GAR_ARRAY_IDENTITY, first, 400, &count), GAR_OK);
    EXPECT(gar_result_get_array(results[2], GAR_ARRAY_IDENTITY, second, 400, &count), GAR_OK);
    CHECK(memcmp(first, second, count * sizeof *first) == 0);
    for (int i = 0; i < 3; i++) gar_result_release(results[i]);

    EXPECT(gar_reconstruct_person(models, images, 0, NULL, &options, results, NULL), GAR_INVALID_ARGUMENT);
    EXPECT(gar_reconstruct_person(models, images, 65, NULL, &options, results, NULL), GAR_INVALID_ARGUMENT);
    EXPECT(gar_reconstruct_person(models, NULL, 3, NULL, &options, results, NULL), GAR_INVALID_ARGUMENT);
    EXPECT(gar_reconstruct_person(models, images, 3, NULL, &options, NULL, NULL), GAR_INVALID_ARGUMENT);
    EXPECT(gar_reconstruct_person(NULL, images, 3, NULL, &options, results, NULL), GAR_INVALID_ARGUMENT);
    faces[0].size = NAN;
    EXPECT(gar_reconstruct_person(models, images, 3, faces, &options, results, NULL), GAR_INVALID_ARGUMENT);
    images[0] = NULL;
    EXPECT(gar_reconstruct_person(models, images, 3, NULL, &options, results, NULL), GAR_INVALID_ARGUMENT);
    CHECK(strstr(gar_last_error(), "images[0]") != NULL);
    images[0] = images[2] = empty;
    results[0] = (gar_result *)1;
    EXPECT(gar_reconstruct_person(models, images, 3, NULL, &options, results, &found), GAR_NO_FACE);
    CHECK(results[0] == NULL && found == 0);
    images[0] = photo;
    options.progress = stop_at_once;
    EXPECT(gar_reconstruct_person(models, images, 1, NULL, &options, results, NULL), GAR_CANCELLED);
}

typedef struct { int rows, asks, stop_after; } news;

static bool listen(void *user, int32_t through, int32_t total, const char *row) {
    news *heard = user;
    if (row == NULL) {
        heard->asks++;
    } else {
        heard->rows++;
        CHECK(row[0] == '{' && strstr(row, "\"status\":") != NULL && strstr(row, "\"index\":") != NULL);
    }
    return through <= total && heard->rows < heard->stop_after;
}

static void batch(void) {
    const char *inputs[2];
    char output[4100], path[4300];
    int32_t done = -1, failed = -1;
    gar_options options;
    gar_batch_options settings;
    news heard = {0, 0, 100};
    FILE *file;
    snprintf(output, sizeof output, "%s/batch", folder);
    inputs[0] = photo_path;
    inputs[1] = "/no/such/photo.png";
    gar_options_init(&options);
    options.renderer = GAR_RENDERER_START;
    options.files = GAR_WRITE_PARAMETERS;
    gar_batch_options_init(NULL);
    gar_batch_options_init(&settings);
    CHECK(settings.struct_size == sizeof settings && settings.threads == 0 && settings.retry_failures && settings.write_manifest);
    settings.progress = listen;
    settings.progress_user = &heard;
    settings.threads = 2;
    EXPECT(gar_batch_run(models, inputs, 2, output, &options, &settings, &done, &failed), GAR_OK);
    CHECK(done == 1 && failed == 1 && heard.rows == 2 && heard.asks > 0);
    snprintf(path, sizeof path, "%s/manifest.csv", output);
    file = fopen(path, "r");
    CHECK(file != NULL);
    if (file) fclose(file);
    /* Nothing to do again, and the defaults of the batch. */
    EXPECT(gar_batch_run(models, inputs, 1, output, &options, NULL, NULL, NULL), GAR_OK);
    heard.rows = 0;
    heard.stop_after = 1;
    settings.threads = 1;
    options.seed = 5; /* other options: both again, the one that takes its time last */
    inputs[0] = "/no/such/photo.png";
    inputs[1] = photo_path;
    EXPECT(gar_batch_run(models, inputs, 2, output, &options, &settings, &done, &failed), GAR_CANCELLED);

    EXPECT(gar_batch_run(models, inputs, 0, output, &options, NULL, NULL, NULL), GAR_INVALID_ARGUMENT);
    EXPECT(gar_batch_run(models, NULL, 1, output, &options, NULL, NULL, NULL), GAR_INVALID_ARGUMENT);
    EXPECT(gar_batch_run(models, inputs, 1, NULL, &options, NULL, NULL, NULL), GAR_INVALID_ARGUMENT);
    EXPECT(gar_batch_run(NULL, inputs, 1, output, &options, NULL, NULL, NULL), GAR_INVALID_ARGUMENT);
    settings.threads = 257;
    EXPECT(gar_batch_run(models, inputs, 1, output, &options, &settings, NULL, NULL), GAR_INVALID_ARGUMENT);
    settings.struct_size = 3;
    EXPECT(gar_batch_run(models, inputs, 1, output, &options, &settings, NULL, NULL), GAR_INVALID_ARGUMENT);
    inputs[1] = NULL;
    EXPECT(gar_batch_run(models, inputs, 2, output, &options, NULL, NULL, NULL), GAR_INVALID_ARGUMENT);
    inputs[0] = "/no/such/list.txt";
    EXPECT(gar_batch_run(models, inputs, 1, output, &options, NULL, NULL, NULL), GAR_FILE_NOT_FOUND);
    options.landmark_count = 5;
    EXPECT(gar_batch_run(models, inputs, 1, output, &options, NULL, NULL, NULL), GAR_INVALID_ARGUMENT);
}

static void tracker(void) {
    gar_tracker_options options;
    gar_tracker *tracker = NULL;
    gar_tracked_frame frame;
    gar_image *other = NULL;
    float identity[400], expression[400], landmarks[136], fixed[136];
    static const uint8_t grey[3 * 64 * 64];
    size_t count = 99;
    int32_t ready = -1;
    char output[4100];
    snprintf(output, sizeof output, "%s/track", folder);
    gar_tracker_options_init(NULL);
    gar_tracker_options_init(&options);
    CHECK(options.struct_size == sizeof options && options.lag == 3 && options.renderer == GAR_RENDERER_LANDMARKS && options.keep_frames);
    options.identity_frames = 2;
    options.lag = 1;
    EXPECT(gar_tracker_create(models, &options, &tracker), GAR_OK);
    EXPECT(gar_tracker_push(tracker, photo, -1, &ready), GAR_OK);
    CHECK(ready == 0);
    EXPECT(gar_tracker_pop(tracker, &frame, NULL, NULL, NULL), GAR_INVALID_ARGUMENT);
    EXPECT(gar_tracker_get_identity(tracker, NULL, 0, &count), GAR_OK);
    CHECK(count == 0);
    EXPECT(gar_tracker_push(tracker, photo, 0.5, &ready), GAR_OK);
    CHECK(ready == 1);
    EXPECT(gar_tracker_push(tracker, photo, 0.5, &ready), GAR_INVALID_ARGUMENT);
    EXPECT(gar_image_create(grey, 64, 64, 0, &other), GAR_OK);
    EXPECT(gar_tracker_push(tracker, other, -1, &ready), GAR_INVALID_ARGUMENT);
    EXPECT(gar_tracker_finish(tracker, &ready), GAR_OK);
    CHECK(ready == 2);
    EXPECT(gar_tracker_pop(tracker, &frame, expression, landmarks, fixed), GAR_OK);
    CHECK(frame.index == 0 && frame.found && fabsf(frame.yaw) < 60 && frame.time == 0 && frame.scale > 0);
    CHECK(landmarks[60] > 0 && landmarks[60] < 1000 && fabsf(landmarks[60] - fixed[60]) < 0.1f && expression[0] >= 0);
    EXPECT(gar_tracker_pop(tracker, &frame, NULL, NULL, NULL), GAR_OK);
    CHECK(frame.index == 1 && frame.time == 0.5);
    EXPECT(gar_tracker_pop(tracker, &frame, NULL, NULL, NULL), GAR_INVALID_ARGUMENT);
    EXPECT(gar_tracker_get_identity(tracker, identity, 400, &count), GAR_OK);
    CHECK(count > 0 && count < 400);
    EXPECT(gar_tracker_write(tracker, output, GAR_TRACK_CSV | GAR_TRACK_ARRAYS), GAR_OK);
    EXPECT(gar_tracker_write(tracker, output, 0), GAR_INVALID_ARGUMENT);
    EXPECT(gar_tracker_write(tracker, output, 8), GAR_INVALID_ARGUMENT);
    EXPECT(gar_tracker_push(tracker, photo, -1, NULL), GAR_INVALID_ARGUMENT);
    gar_tracker_release(tracker);
    EXPECT(gar_tracker_finish(tracker, NULL), GAR_INVALID_ARGUMENT);
    gar_tracker_release(tracker);
    gar_tracker_release(NULL);

    /* Who it is is known: at once, without lag. A frame without the face is no error. */
    options.identity = identity;
    options.lag = 0;
    EXPECT(gar_tracker_create(models, &options, &tracker), GAR_OK);
    EXPECT(gar_tracker_push(tracker, other, -1, &ready), GAR_OK);
    CHECK(ready == 1);
    EXPECT(gar_tracker_pop(tracker, &frame, expression, NULL, NULL), GAR_OK);
    CHECK(!frame.found && isnan(frame.yaw) && isnan(expression[0]));
    EXPECT(gar_tracker_write(tracker, output, GAR_TRACK_GLB), GAR_NO_FACE);
    gar_tracker_release(tracker);
    identity[3] = INFINITY;
    EXPECT(gar_tracker_create(models, &options, &tracker), GAR_INVALID_ARGUMENT);
    CHECK(tracker == NULL);
    options.identity = NULL;
    options.renderer = GAR_RENDERER_SH;
    EXPECT(gar_tracker_create(models, &options, &tracker), GAR_INVALID_ARGUMENT);
    options.renderer = 77;
    EXPECT(gar_tracker_create(models, &options, &tracker), GAR_INVALID_ARGUMENT);
    EXPECT(gar_tracker_create(models, NULL, NULL), GAR_INVALID_ARGUMENT);
    EXPECT(gar_tracker_push(NULL, photo, -1, NULL), GAR_INVALID_ARGUMENT);
    gar_image_release(other);
}

int main(int argc, char **argv) {
    static const uint8_t nothing[3 * 96 * 96];
    if (argc < 3) return 2;
    snprintf(folder, sizeof folder, "%s/many", argv[1]);
    photo_path = argv[2];
    EXPECT(gar_models_load(NULL, &models), GAR_OK);
    EXPECT(gar_image_load(argv[2], &photo), GAR_OK);
    EXPECT(gar_image_create(nothing, 96, 96, 0, &empty), GAR_OK);
    person();
    batch();
    tracker();
    gar_image_release(empty);
    gar_image_release(photo);
    gar_models_release(models);
    return check_report("test_many");
}

/* Models, faces, reconstruction, results and fits through the C interface.
 * argv: working folder, then the sample photo. */
#include <garface.h>
#include <math.h>
#include <pthread.h>

#include "check.h"

static gar_models *models;
static gar_image *photo;
static char folder[4000];

static bool stop_at(void *user, float fraction, const char *stage) {
    return stage != NULL && fraction < *(float *)user;
}

static int files_in(const char *path) {
    char command[4200], line[16] = "0";
    snprintf(command, sizeof command, "ls -A '%s' 2>/dev/null | wc -l", path);
    FILE *pipe = popen(command, "r");
    if (pipe) {
        if (!fgets(line, sizeof line, pipe)) line[0] = '0';
        pclose(pipe);
    }
    return atoi(line);
}

static void count_line(void *user, const char *message) {
    if (message && strlen(message) > 3 && !strchr(message, '\n')) ++*(int *)user;
}

static void loading(void) {
    gar_model_files files;
    gar_models *other = (gar_models *)1;
    char text[8192];
    size_t count;
    int lines = 0;
    gar_log_set(count_line, &lines);
    EXPECT(gar_models_load(NULL, &models), GAR_OK);
    gar_log_set(NULL, NULL);
    CHECK(lines == 1);
    EXPECT(gar_models_get_json(models, text, sizeof text, &count), GAR_OK);
    CHECK(strstr(text, "inverse_network") != NULL);
    gar_model_files_init(NULL);
    gar_model_files_init(&files);
    CHECK(files.struct_size == sizeof files && files.renderer == NULL);
    files.renderer = "/no/such/file.safetensors";
    EXPECT(gar_models_load(&files, &other), GAR_FILE_NOT_FOUND);
    CHECK(other == NULL && strstr(gar_last_error(), "/no/such/file") != NULL);
    files.struct_size = 0;
    EXPECT(gar_models_load(&files, &other), GAR_INVALID_ARGUMENT);
    EXPECT(gar_models_load(NULL, NULL), GAR_INVALID_ARGUMENT);
    EXPECT(gar_models_get_json(NULL, text, sizeof text, &count), GAR_INVALID_ARGUMENT);
    EXPECT(gar_models_get_json(models, NULL, 8, &count), GAR_INVALID_ARGUMENT);
    EXPECT(gar_models_get_json(models, text, sizeof text, NULL), GAR_INVALID_ARGUMENT);
}

static void options(void) {
    gar_options options;
    gar_result *result = (gar_result *)1;
    float points[136], nan_box[4] = {0, 0, NAN, 4};
    for (int i = 0; i < 136; i++) points[i] = 10.0f + (float)i;
    gar_options_init(NULL);
    gar_options_init(&options);
    CHECK(options.struct_size == sizeof options && options.files == GAR_WRITE_STANDARD && !options.all_faces);
    CHECK(options.renderer == GAR_RENDERER_GAR && options.landmarks == NULL && options.progress == NULL);
    options.struct_size = 3;
    EXPECT(gar_reconstruct(models, photo, &options, &result), GAR_INVALID_ARGUMENT);
    CHECK(result == NULL);
    gar_options_init(&options);
    options.landmark_count = 68; /* without points */
    EXPECT(gar_reconstruct(models, photo, &options, &result), GAR_INVALID_ARGUMENT);
    options.landmarks = points;
    options.landmark_count = 0; /* points without a number */
    EXPECT(gar_reconstruct(models, photo, &options, &result), GAR_INVALID_ARGUMENT);
    CHECK(strstr(gar_last_error(), "landmark_count") != NULL);
    options.landmark_count = 12;
    EXPECT(gar_reconstruct(models, photo, &options, &result), GAR_INVALID_ARGUMENT);
    options.landmark_count = 68;
    points[77] = NAN;
    EXPECT(gar_reconstruct(models, photo, &options, &result), GAR_INVALID_ARGUMENT);
    CHECK(strstr(gar_last_error(), "landmarks") != NULL);
    points[77] = 99999;
    EXPECT(gar_reconstruct(models, photo, &options, &result), GAR_INVALID_ARGUMENT);
    gar_options_init(&options);
    options.box = nan_box;
    EXPECT(gar_reconstruct(models, photo, &options, &result), GAR_INVALID_ARGUMENT);
    gar_options_init(&options);
    options.schedule = "{\"stages\": 1}";
    EXPECT(gar_reconstruct(models, photo, &options, &result), GAR_MALFORMED_FILE);
    gar_options_init(&options);
    options.renderer = 17;
    EXPECT(gar_reconstruct(models, photo, &options, &result), GAR_INVALID_ARGUMENT);
}

static void faces_and_results(void) {
    gar_face faces[64];
    gar_options options;
    gar_result *result = NULL, *other = (gar_result *)1;
    gar_image *picture = NULL;
    size_t count = 0, full = 0;
    int32_t rank, shape[3];
    char path[4200];
    EXPECT(gar_faces_detect(models, photo, faces, 64, &count), GAR_OK);
    CHECK(count >= 1 && faces[0].size > 50 && faces[0].score > 0);
    EXPECT(gar_faces_detect(models, photo, NULL, 0, &full), GAR_OK);
    CHECK(full == count);
    EXPECT(gar_faces_detect(NULL, photo, faces, 64, &count), GAR_INVALID_ARGUMENT);
    EXPECT(gar_faces_detect(models, NULL, faces, 64, &count), GAR_INVALID_ARGUMENT);
    EXPECT(gar_faces_detect(models, photo, NULL, 64, &count), GAR_INVALID_ARGUMENT);
    EXPECT(gar_faces_detect(models, photo, faces, 64, NULL), GAR_INVALID_ARGUMENT);
    EXPECT(gar_faces_detect((gar_models *)photo, photo, faces, 64, &count), GAR_INVALID_ARGUMENT);

    gar_options_init(&options);
    options.renderer = GAR_RENDERER_LANDMARKS; /* no renderer, so no render */
    options.face = &faces[0];
    EXPECT(gar_reconstruct(models, photo, &options, &result), GAR_OK);
    EXPECT(gar_reconstruct(NULL, photo, &options, &other), GAR_INVALID_ARGUMENT);
    EXPECT(gar_reconstruct(models, NULL, &options, &other), GAR_INVALID_ARGUMENT);
    EXPECT(gar_reconstruct(models, photo, &options, NULL), GAR_INVALID_ARGUMENT);

    for (gar_array which = GAR_ARRAY_IDENTITY; which <= GAR_ARRAY_COVERED_MAP; which++) {
        EXPECT(gar_result_get_shape(result, which, &rank, shape), GAR_OK);
        CHECK(rank >= 1 && rank <= 3);
        EXPECT(gar_result_get_array(result, which, NULL, 0, &full), GAR_OK);
        CHECK(full == (size_t)shape[0] * (size_t)shape[1] * (size_t)shape[2]);
        float *values = (float *)malloc((full + 1) * sizeof(float));
        values[full] = 1234.5f;
        if (full > 0) EXPECT(gar_result_get_array(result, which, values, full - 1, &count), GAR_BUFFER_TOO_SMALL);
        EXPECT(gar_result_get_array(result, which, values, full, &count), GAR_OK);
        CHECK(count == full && values[full] == 1234.5f);
        /* Maps in which NaN stands for "not the head". */
        bool beside = which == GAR_ARRAY_DEPTH_MAP || which == GAR_ARRAY_POSITION_MAP || which == GAR_ARRAY_UV_POSITION_MAP;
        for (size_t i = 0; i < full && !beside; i++) if (!isfinite(values[i])) CHECK(!"not finite");
        free(values);
    }
    float pose[3], gaze[2];
    EXPECT(gar_result_get_array(result, GAR_ARRAY_GAZE, gaze, 2, &count), GAR_OK);
    CHECK(count == 2 && fabsf(gaze[0]) < 30 && fabsf(gaze[1]) < 30);
    char text[16];
    int32_t triangle[3];
    EXPECT(gar_result_get_shape(result, 99, &rank, shape), GAR_INVALID_ARGUMENT);
    EXPECT(gar_result_get_shape(NULL, 0, &rank, shape), GAR_INVALID_ARGUMENT);
    EXPECT(gar_result_get_shape(result, 0, NULL, shape), GAR_INVALID_ARGUMENT);
    EXPECT(gar_result_get_shape(result, 0, &rank, NULL), GAR_INVALID_ARGUMENT);
    EXPECT(gar_result_get_array(result, -1, pose, 3, &count), GAR_INVALID_ARGUMENT);
    EXPECT(gar_result_get_array(NULL, GAR_ARRAY_POSE, pose, 3, &count), GAR_INVALID_ARGUMENT);
    EXPECT(gar_result_get_array(result, GAR_ARRAY_POSE, NULL, 3, &count), GAR_INVALID_ARGUMENT);
    EXPECT(gar_result_get_array(result, GAR_ARRAY_POSE, pose, 3, NULL), GAR_INVALID_ARGUMENT);
    EXPECT(gar_result_get_triangles(NULL, triangle, 3, &count), GAR_INVALID_ARGUMENT);
    EXPECT(gar_result_get_triangles(result, NULL, 3, &count), GAR_INVALID_ARGUMENT);
    EXPECT(gar_result_get_triangles(result, triangle, 3, NULL), GAR_INVALID_ARGUMENT);
    EXPECT(gar_result_get_triangles(result, triangle, 3, &count), GAR_BUFFER_TOO_SMALL);
    uint8_t magic[4];
    EXPECT(gar_result_get_glb(result, NULL, 0, &count), GAR_OK);
    CHECK(count > 1000000 && count % 4 == 0);
    uint8_t *glb = (uint8_t *)malloc(count);
    EXPECT(gar_result_get_glb(result, glb, count, &count), GAR_OK);
    CHECK(memcmp(glb, "glTF", 4) == 0);
    free(glb);
    EXPECT(gar_result_get_glb(result, magic, sizeof magic, &count), GAR_BUFFER_TOO_SMALL);
    EXPECT(gar_result_get_glb(NULL, magic, sizeof magic, &count), GAR_INVALID_ARGUMENT);
    EXPECT(gar_result_get_glb(result, NULL, 3, &count), GAR_INVALID_ARGUMENT);
    EXPECT(gar_result_get_glb(result, magic, sizeof magic, NULL), GAR_INVALID_ARGUMENT);
    EXPECT(gar_result_get_json(NULL, text, sizeof text, &count), GAR_INVALID_ARGUMENT);
    EXPECT(gar_result_get_json(result, NULL, sizeof text, &count), GAR_INVALID_ARGUMENT);
    EXPECT(gar_result_get_json(result, text, sizeof text, NULL), GAR_INVALID_ARGUMENT);
    EXPECT(gar_result_get_json(result, text, sizeof text, &count), GAR_BUFFER_TOO_SMALL);
    EXPECT(gar_result_get_picture(result, GAR_PICTURE_OVERLAY, &picture), GAR_OK);
    gar_image_release(picture);
    EXPECT(gar_result_get_picture(result, GAR_PICTURE_RENDER, &picture), GAR_INVALID_ARGUMENT);
    CHECK(picture == NULL);
    EXPECT(gar_result_get_picture(result, 42, &picture), GAR_INVALID_ARGUMENT);
    EXPECT(gar_result_get_picture(NULL, GAR_PICTURE_CROP, &picture), GAR_INVALID_ARGUMENT);
    EXPECT(gar_result_get_picture(result, GAR_PICTURE_CROP, NULL), GAR_INVALID_ARGUMENT);

    snprintf(path, sizeof path, "%s/written", folder);
    EXPECT(gar_result_write(result, path, GAR_WRITE_OBJ | GAR_WRITE_OVERLAY), GAR_OK);
    CHECK(files_in(path) == 3);
    EXPECT(gar_result_write(NULL, path, GAR_WRITE_ALL), GAR_INVALID_ARGUMENT);
    EXPECT(gar_result_write(result, NULL, GAR_WRITE_ALL), GAR_INVALID_ARGUMENT);
    EXPECT(gar_result_write(result, path, 0), GAR_INVALID_ARGUMENT);
    EXPECT(gar_result_write(result, path, 1u << 20), GAR_INVALID_ARGUMENT);
    EXPECT(gar_result_write(result, "/proc/garface", GAR_WRITE_ALL), GAR_FILE_UNWRITABLE);
    gar_result_release(result);
    EXPECT(gar_result_get_shape(result, 0, &rank, shape), GAR_INVALID_ARGUMENT);
    gar_result_release(result);
    gar_result_release(NULL);
}

static void files_and_cancelling(const char *photo_path) {
    char path[4200];
    gar_options options;
    float limit = 0.5f;
    snprintf(path, sizeof path, "%s/cancelled", folder);
    gar_options_init(&options);
    options.progress = stop_at;
    options.progress_user = &limit;
    EXPECT(gar_reconstruct_file(photo_path, path, &options), GAR_CANCELLED);
    CHECK(files_in(path) == 0);
    EXPECT(gar_reconstruct_file("/no/such/photo.png", path, NULL), GAR_FILE_NOT_FOUND);
    EXPECT(gar_reconstruct_file(NULL, path, NULL), GAR_INVALID_ARGUMENT);
    EXPECT(gar_reconstruct_file(photo_path, NULL, NULL), GAR_INVALID_ARGUMENT);
    EXPECT(gar_reconstruct_file(photo_path, "/proc/garface", NULL), GAR_FILE_UNWRITABLE);
    snprintf(path, sizeof path, "%s/simple", folder);
    gar_options_init(&options);
    options.renderer = GAR_RENDERER_LANDMARKS;
    EXPECT(gar_reconstruct_file(photo_path, path, &options), GAR_OK);
    CHECK(files_in(path) >= 11);
    int before = files_in(path);
    EXPECT(gar_view_write(path, 0), GAR_OK);
    CHECK(files_in(path) == before + 1);
    EXPECT(gar_view_write(path, 1), GAR_FILE_NOT_FOUND);
    EXPECT(gar_view_write(path, -1), GAR_INVALID_ARGUMENT);
    EXPECT(gar_view_write(NULL, 0), GAR_INVALID_ARGUMENT);
    EXPECT(gar_view_write("/no/such/folder", 0), GAR_FILE_NOT_FOUND);
}

static void no_face(void) {
    enum { W = 160, H = 120 };
    static uint8_t pixels[3 * W * H];
    gar_image *blank = NULL;
    gar_result *result = (gar_result *)1;
    gar_fit *fit = (gar_fit *)1;
    gar_face face;
    size_t count = 9;
    for (int y = 0; y < H; y++)
        for (int x = 0; x < 3 * W; x++) pixels[3 * W * y + x] = (uint8_t)(60 + y + x % 3 * 20);
    EXPECT(gar_image_create(pixels, W, H, 0, &blank), GAR_OK);
    EXPECT(gar_faces_detect(models, blank, &face, 1, &count), GAR_OK);
    CHECK(count == 0);
    EXPECT(gar_reconstruct(models, blank, NULL, &result), GAR_NO_FACE);
    CHECK(result == NULL);
    EXPECT(gar_fit_create(models, blank, NULL, &fit), GAR_NO_FACE);
    CHECK(fit == NULL);
    gar_image_release(blank);
}

static void fits(void) {
    gar_fit *fit = NULL;
    gar_result *result = NULL;
    size_t count = 0;
    float limit = 0.1f;
    char *json;
    EXPECT(gar_schedule_get_json(GAR_RENDERER_LANDMARKS, NULL, 0, &count), GAR_OK);
    json = (char *)malloc(count);
    EXPECT(gar_schedule_get_json(GAR_RENDERER_LANDMARKS, json, count, &count), GAR_OK);
    EXPECT(gar_schedule_get_json(9, json, count, &count), GAR_INVALID_ARGUMENT);
    EXPECT(gar_schedule_get_json(GAR_RENDERER_LANDMARKS, NULL, count, &count), GAR_INVALID_ARGUMENT);
    EXPECT(gar_schedule_get_json(GAR_RENDERER_LANDMARKS, json, count, NULL), GAR_INVALID_ARGUMENT);

    EXPECT(gar_fit_create(models, photo, NULL, &fit), GAR_OK);
    EXPECT(gar_fit_run(fit, json, NULL, NULL), GAR_OK);
    EXPECT(gar_fit_get_result(fit, &result), GAR_OK);
    gar_result_release(result);
    EXPECT(gar_fit_run(fit, NULL, stop_at, &limit), GAR_CANCELLED);
    EXPECT(gar_fit_get_result(fit, &result), GAR_OK);
    gar_result_release(result);
    EXPECT(gar_fit_run(fit, "nonsense", NULL, NULL), GAR_MALFORMED_FILE);
    EXPECT(gar_fit_run(NULL, json, NULL, NULL), GAR_INVALID_ARGUMENT);
    EXPECT(gar_fit_create(NULL, photo, NULL, &fit), GAR_INVALID_ARGUMENT);
    EXPECT(gar_fit_create(models, NULL, NULL, &fit), GAR_INVALID_ARGUMENT);
    EXPECT(gar_fit_create(models, photo, NULL, NULL), GAR_INVALID_ARGUMENT);
    EXPECT(gar_fit_get_result(NULL, &result), GAR_INVALID_ARGUMENT);
    EXPECT(gar_fit_create(models, photo, NULL, &fit), GAR_OK);
    EXPECT(gar_fit_get_result(fit, NULL), GAR_INVALID_ARGUMENT);
    gar_fit_release(fit);
    EXPECT(gar_fit_run(fit, json, NULL, NULL), GAR_INVALID_ARGUMENT);
    gar_fit_release(fit);
    gar_fit_release(NULL);
    free(json);
}

/* Models are shared by threads; each thread has its own results. */
static void *one_face(void *failed) {
    gar_options options;
    gar_result *result = NULL;
    gar_options_init(&options);
    options.renderer = GAR_RENDERER_LANDMARKS;
    *(bool *)failed = gar_reconstruct(models, photo, &options, &result) != GAR_OK;
    gar_result_release(result);
    return NULL;
}

static void threads(void) {
    pthread_t threads[3];
    bool failed[3];
    for (int i = 0; i < 3; i++) CHECK(pthread_create(&threads[i], NULL, one_face, &failed[i]) == 0);
    for (int i = 0; i < 3; i++) {
        pthread_join(threads[i], NULL);
        CHECK(!failed[i]);
    }
}

/* Points from a file, with confidences, into a fit. */
static void landmarks(void) {
    char path[4100];
    float triples[3 * 5], points[2 * 5], sure[5];
    size_t count = 0;
    gar_options options;
    gar_result *result = NULL;
    snprintf(path, sizeof path, "%s/five.txt", folder);
    FILE *file = fopen(path, "w");
    CHECK(file != NULL);
    if (!file) return;
    fputs("# eye centres, nose tip, mouth corners\n203 101 1\n247 103 0.9\n224 126 0\n203 140 1\n247 139 1\n", file);
    fclose(file);
    EXPECT(gar_landmarks_load(path, NULL, 0, &count), GAR_OK);
    CHECK(count == 15);
    EXPECT(gar_landmarks_load(path, triples, 14, &count), GAR_BUFFER_TOO_SMALL);
    EXPECT(gar_landmarks_load(path, triples, 15, &count), GAR_OK);
    CHECK(triples[3] == 247 && triples[5] == 0.9f && triples[8] == 0);
    EXPECT(gar_landmarks_load(NULL, triples, 15, &count), GAR_INVALID_ARGUMENT);
    EXPECT(gar_landmarks_load(path, NULL, 15, &count), GAR_INVALID_ARGUMENT);
    EXPECT(gar_landmarks_load(path, triples, 15, NULL), GAR_INVALID_ARGUMENT);
    EXPECT(gar_landmarks_load("/no/such/points", triples, 15, &count), GAR_FILE_NOT_FOUND);
    for (int i = 0; i < 5; i++) {
        points[2 * i] = triples[3 * i];
        points[2 * i + 1] = triples[3 * i + 1];
        sure[i] = triples[3 * i + 2];
    }
    gar_options_init(&options);
    CHECK(options.landmark_confidences == NULL && options.landmark_scheme == GAR_LANDMARKS_BY_COUNT);
    options.renderer = GAR_RENDERER_START;
    options.landmark_count = 5;
    options.landmarks = points;
    options.landmark_confidences = sure;
    options.landmark_scheme = GAR_LANDMARKS_FIVE;
    EXPECT(gar_reconstruct(models, photo, &options, &result), GAR_OK);
    gar_result_release(result);
    options.landmark_scheme = GAR_LANDMARKS_DLIB5;
    EXPECT(gar_reconstruct(models, photo, &options, &result), GAR_INVALID_ARGUMENT);
    options.landmark_scheme = GAR_LANDMARKS_IBUG68;
    EXPECT(gar_reconstruct(models, photo, &options, &result), GAR_INVALID_ARGUMENT);
    options.landmark_scheme = 5;
    EXPECT(gar_reconstruct(models, photo, &options, &result), GAR_INVALID_ARGUMENT);
    options.landmark_scheme = GAR_LANDMARKS_BY_COUNT;
    sure[0] = sure[1] = sure[3] = 0;
    EXPECT(gar_reconstruct(models, photo, &options, &result), GAR_INVALID_ARGUMENT);
    CHECK(strstr(gar_last_error(), "confidence") != NULL);
}

int main(int argc, char **argv) {
    if (argc < 3) {
        fprintf(stderr, "usage: %s folder photo.png\n", argv[0]);
        return 2;
    }
    snprintf(folder, sizeof folder, "%s", argv[1]);
    loading();
    EXPECT(gar_image_load(argv[2], &photo), GAR_OK);
    if (!models || !photo) return check_report("test_reconstruct");
    options();
    faces_and_results();
    files_and_cancelling(argv[2]);
    no_face();
    landmarks();
    fits();
    threads();
    gar_image_release(photo);
    gar_models_release(models);
    gar_models_release(models);
    gar_models_release(NULL);
    return check_report("test_reconstruct");
}

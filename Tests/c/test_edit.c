/* Editing faces, loading results and resuming fits through the C interface.
 * argv: working folder, then the sample photo. */
#include <garface.h>
#include <math.h>

#include "check.h"

static char folder[4000];

static float *array(const gar_result *result, gar_array which, size_t *count) {
    EXPECT(gar_result_get_array(result, which, NULL, 0, count), GAR_OK);
    float *values = (float *)malloc((*count + 1) * sizeof(float));
    EXPECT(gar_result_get_array(result, which, values, *count, count), GAR_OK);
    return values;
}

static uint8_t *pixels(const gar_result *result, gar_picture which, size_t *count) {
    gar_image *image = NULL;
    EXPECT(gar_result_get_picture(result, which, &image), GAR_OK);
    EXPECT(gar_image_get_pixels(image, NULL, 0, count), GAR_OK);
    uint8_t *bytes = (uint8_t *)malloc(*count + 1);
    EXPECT(gar_image_get_pixels(image, bytes, *count, count), GAR_OK);
    gar_image_release(image);
    return bytes;
}

static double mean_difference(const uint8_t *a, const uint8_t *b, size_t count) {
    double sum = 0;
    for (size_t i = 0; i < count; i++) sum += fabs((double)a[i] - (double)b[i]);
    return sum / (double)count;
}

static bool never(void *user, float fraction, const char *stage) {
    (void)user, (void)fraction, (void)stage;
    return false;
}

static void editing(gar_result *result) {
    gar_edit edit;
    gar_result *edited = NULL, *mixed = NULL;
    size_t count, other_count;
    gar_edit_init(NULL);
    gar_edit_init(&edit);
    CHECK(edit.struct_size == sizeof edit && isnan(edit.yaw) && edit.expression_gain == 1 && edit.detail == 1 && !edit.other);

    edit.yaw = 15;
    edit.expressions = "jawOpen=0.5, mouthSmile=0";
    EXPECT(gar_result_edit(result, &edit, &edited), GAR_OK);
    float *pose = array(edited, GAR_ARRAY_POSE, &count);
    CHECK(count == 3 && fabsf(pose[0] - 15) < 1e-3f);
    float *before = array(result, GAR_ARRAY_EXPRESSION, &count), *after = array(edited, GAR_ARRAY_EXPRESSION, &count);
    int changed = 0;
    for (size_t i = 0; i < count; i++) changed += before[i] != after[i];
    CHECK(changed == 3);
    uint8_t *photo = pixels(result, GAR_PICTURE_PHOTO, &count), *picture = pixels(edited, GAR_PICTURE_PHOTO, &other_count);
    CHECK(count == other_count);
    double difference = mean_difference(photo, picture, count);
    CHECK(difference > 0.3 && difference < 10);

    /* Half way to the edited face, from it and from the other end. */
    gar_edit_init(&edit);
    edit.other = edited;
    edit.mix_expression = 0.5f;
    EXPECT(gar_result_edit(result, &edit, &mixed), GAR_OK);
    float *half = array(mixed, GAR_ARRAY_EXPRESSION, &count);
    for (size_t i = 0; i < count; i++) CHECK(fabsf(half[i] - (before[i] + after[i]) / 2) < 1e-5f);
    gar_result_release(mixed);

    /* Nothing changed: the photo. */
    EXPECT(gar_result_edit(result, NULL, &mixed), GAR_OK);
    uint8_t *same = pixels(mixed, GAR_PICTURE_PHOTO, &count);
    CHECK(mean_difference(photo, same, count) < 0.02);
    gar_result_release(mixed);
    free(same), free(photo), free(picture), free(pose), free(before), free(after), free(half);

    uint64_t seed = 5;
    gar_edit_init(&edit);
    edit.look_seed = &seed;
    edit.truncation = 0; /* the mean look */
    EXPECT(gar_result_edit(result, &edit, &mixed), GAR_OK);
    gar_renderer *renderer = NULL;
    EXPECT(gar_renderer_load(NULL, &renderer), GAR_OK);
    int32_t size, latent, rows, normals, noise;
    EXPECT(gar_renderer_get_sizes(renderer, &size, &latent, &rows, &normals, &noise), GAR_OK);
    float *mean = (float *)malloc((size_t)latent * sizeof(float)), *look = array(mixed, GAR_ARRAY_WPLUS, &count);
    EXPECT(gar_renderer_get_mean_w(renderer, mean), GAR_OK);
    CHECK(count == (size_t)(rows * latent));
    for (size_t i = 0; i < count; i++) CHECK(fabsf(look[i] - mean[i % (size_t)latent]) < 1e-5f);
    gar_renderer_release(renderer);
    gar_result_release(mixed);
    free(mean), free(look);

    mixed = (gar_result *)1;
    EXPECT(gar_result_edit(NULL, NULL, &mixed), GAR_INVALID_ARGUMENT);
    CHECK(mixed == NULL);
    EXPECT(gar_result_edit(result, NULL, NULL), GAR_INVALID_ARGUMENT);
    gar_edit_init(&edit);
    edit.struct_size = 3;
    EXPECT(gar_result_edit(result, &edit, &mixed), GAR_INVALID_ARGUMENT);
    gar_edit_init(&edit);
    edit.other = (gar_result *)7;
    EXPECT(gar_result_edit(result, &edit, &mixed), GAR_INVALID_ARGUMENT);
    gar_edit_init(&edit);
    edit.into = (gar_image *)edited;
    EXPECT(gar_result_edit(result, &edit, &mixed), GAR_INVALID_ARGUMENT);
    gar_edit_init(&edit);
    edit.yaw = INFINITY;
    EXPECT(gar_result_edit(result, &edit, &mixed), GAR_INVALID_ARGUMENT);
    gar_edit_init(&edit);
    edit.turn_pitch = NAN;
    EXPECT(gar_result_edit(result, &edit, &mixed), GAR_INVALID_ARGUMENT);
    gar_edit_init(&edit);
    edit.mix_row = 4;
    edit.mix_row_end = -2;
    EXPECT(gar_result_edit(result, &edit, &mixed), GAR_INVALID_ARGUMENT);
    gar_edit_init(&edit);
    edit.identity_gain = NAN;
    EXPECT(gar_result_edit(result, &edit, &mixed), GAR_INVALID_ARGUMENT);
    gar_edit_init(&edit);
    edit.expressions = "jawOpen=";
    EXPECT(gar_result_edit(result, &edit, &mixed), GAR_INVALID_ARGUMENT);
    CHECK(strstr(gar_last_error(), "jawOpen") != NULL);
    /* The largest that is accepted is finite or says so. */
    gar_edit_init(&edit);
    edit.identity_gain = 100;
    edit.expression_gain = -100;
    gar_status status = gar_result_edit(result, &edit, &mixed);
    CHECK(status == GAR_OK || status == GAR_NUMERICAL_FAILURE);
    gar_result_release(mixed);
    gar_result_release(edited);
}

static void sweeping(gar_result *result) {
    gar_image *strip = NULL;
    int32_t width, height;
    char path[4200];
    EXPECT(gar_result_sweep(result, NULL, "yaw=-10:10:3", GAR_PICTURE_PHOTO, NULL, NULL, NULL, &strip), GAR_OK);
    EXPECT(gar_image_get_size(strip, &width, &height), GAR_OK);
    CHECK(width == 3 * 256 && height == 256);
    gar_image_release(strip);
    snprintf(path, sizeof path, "%s/frames", folder);
    EXPECT(gar_result_sweep(result, NULL, "jawOpen=0:1:2", GAR_PICTURE_RENDER, path, NULL, NULL, NULL), GAR_OK);
    snprintf(path, sizeof path, "%s/frames/frame_0002.png", folder);
    EXPECT(gar_image_load(path, &strip), GAR_OK);
    gar_image_release(strip);
    snprintf(path, sizeof path, "%s/none", folder);
    strip = (gar_image *)1;
    EXPECT(gar_result_sweep(result, NULL, "yaw=0:1:2", GAR_PICTURE_PHOTO, path, never, NULL, &strip), GAR_CANCELLED);
    CHECK(strip == NULL);
    EXPECT(gar_result_sweep(result, NULL, "yaw=0:1:2", GAR_PICTURE_PHOTO, NULL, NULL, NULL, NULL), GAR_INVALID_ARGUMENT);
    EXPECT(gar_result_sweep(result, NULL, "yaw=0:1:2", GAR_PICTURE_CROP, NULL, NULL, NULL, &strip), GAR_INVALID_ARGUMENT);
    EXPECT(gar_result_sweep(result, NULL, NULL, GAR_PICTURE_PHOTO, NULL, NULL, NULL, &strip), GAR_INVALID_ARGUMENT);
    EXPECT(gar_result_sweep(result, NULL, "yaw", GAR_PICTURE_PHOTO, NULL, NULL, NULL, &strip), GAR_INVALID_ARGUMENT);
    EXPECT(gar_result_sweep(NULL, NULL, "yaw=0:1:2", GAR_PICTURE_PHOTO, NULL, NULL, NULL, &strip), GAR_INVALID_ARGUMENT);
    EXPECT(gar_result_sweep(result, NULL, "yaw=0:1:2", GAR_PICTURE_PHOTO, "/proc/x", NULL, NULL, &strip), GAR_FILE_UNWRITABLE);
}

static void loading(const gar_models *models, const gar_image *photo, gar_result *result) {
    gar_result *loaded = NULL;
    gar_fit *fit = NULL;
    size_t count;
    char path[4300];
    snprintf(path, sizeof path, "%s/saved", folder);
    EXPECT(gar_result_write(result, path, GAR_WRITE_PARAMETERS), GAR_OK);
    snprintf(path, sizeof path, "%s/saved/parameters.safetensors", folder);
    EXPECT(gar_result_load(models, path, photo, &loaded), GAR_OK);
    float *before = array(result, GAR_ARRAY_VERTICES_POSED, &count), *after = array(loaded, GAR_ARRAY_VERTICES_POSED, &count);
    float worst = 0;
    for (size_t i = 0; i < count; i++) worst = fmaxf(worst, fabsf(before[i] - after[i]));
    CHECK(worst < 2e-3f);
    free(before), free(after);

    EXPECT(gar_fit_resume(loaded, NULL, NULL, &fit), GAR_OK);
    gar_result *again = NULL;
    EXPECT(gar_fit_run(fit, "{\"stages\": []}", NULL, NULL), GAR_OK);
    EXPECT(gar_fit_get_result(fit, &again), GAR_OK);
    before = array(loaded, GAR_ARRAY_IDENTITY, &count), after = array(again, GAR_ARRAY_IDENTITY, &count);
    CHECK(memcmp(before, after, count * sizeof(float)) == 0);
    free(before), free(after);
    gar_result_release(again);
    gar_fit_release(fit);
    EXPECT(gar_fit_resume(NULL, NULL, NULL, &fit), GAR_INVALID_ARGUMENT);
    CHECK(fit == NULL);
    EXPECT(gar_fit_resume(loaded, NULL, NULL, NULL), GAR_INVALID_ARGUMENT);
    EXPECT(gar_fit_resume(loaded, (gar_image *)loaded, NULL, &fit), GAR_INVALID_ARGUMENT);
    gar_result_release(loaded);

    EXPECT(gar_result_load(models, path, NULL, &loaded), GAR_OK);
    gar_result_release(loaded);
    EXPECT(gar_result_load(NULL, path, NULL, &loaded), GAR_INVALID_ARGUMENT);
    EXPECT(gar_result_load(models, NULL, NULL, &loaded), GAR_INVALID_ARGUMENT);
    EXPECT(gar_result_load(models, path, NULL, NULL), GAR_INVALID_ARGUMENT);
    EXPECT(gar_result_load(models, "/no/such/file", NULL, &loaded), GAR_FILE_NOT_FOUND);
    snprintf(path, sizeof path, "%s/saved/parameters.json", folder);
    EXPECT(gar_result_load(models, path, NULL, &loaded), GAR_MALFORMED_FILE);
    CHECK(loaded == NULL);
}

int main(int argc, char **argv) {
    gar_models *models = NULL;
    gar_image *photo = NULL;
    gar_result *result = NULL;
    gar_options options;
    if (argc < 3) return 2;
    snprintf(folder, sizeof folder, "%s/edit", argv[1]);
    EXPECT(gar_models_load(NULL, &models), GAR_OK);
    EXPECT(gar_image_load(argv[2], &photo), GAR_OK);
    gar_options_init(&options);
    options.renderer = GAR_RENDERER_START;
    EXPECT(gar_reconstruct(models, photo, &options, &result), GAR_OK);
    if (result) {
        editing(result);
        sweeping(result);
        loading(models, photo, result);
        gar_result_release(result);
    }
    gar_image_release(photo);
    gar_models_release(models);
    return check_report("edit");
}

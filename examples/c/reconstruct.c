/* A photo in, a 3D face out, in C.
 *
 *   cc -std=c11 reconstruct.c -o reconstruct $(pkg-config --cflags --libs garface)
 *   ./reconstruct photo.png out
 *
 * Prints what was found and writes meshes, parameters and pictures into the folder `out`. */
#include <garface.h>
#include <stdio.h>
#include <stdlib.h>

static int fail(const char *what, gar_status status) {
    fprintf(stderr, "%s: %s: %s\n", what, gar_status_string(status), gar_last_error());
    return status == GAR_NO_FACE ? 3 : 1;
}

/* Called while the fit runs; returning false would cancel it. */
static bool progress(void *user, float fraction, const char *stage) {
    (void)user;
    fprintf(stderr, "\r%3.0f %%  %-40s", 100 * (double)fraction, stage);
    return true;
}

int main(int argc, char **argv) {
    if (argc != 3) {
        fprintf(stderr, "usage: %s photo.png folder\n", argv[0]);
        return 2;
    }
    gar_models *models = NULL;
    gar_image *photo = NULL;
    gar_result *result = NULL;
    float *vertices = NULL;
    int code = 0;

    gar_options options;
    gar_options_init(&options);
    options.progress = progress;

    gar_status status = gar_models_load(NULL, &models); /* the models inside the library */
    if (status == GAR_OK) status = gar_image_load(argv[1], &photo);
    if (status == GAR_OK) status = gar_reconstruct(models, photo, &options, &result);
    fputc('\n', stderr);
    if (status == GAR_OK) {
        float pose[3];
        size_t count = 0;
        status = gar_result_get_array(result, GAR_ARRAY_POSE, pose, 3, &count);
        if (status == GAR_OK) {
            printf("yaw %.1f, pitch %.1f, roll %.1f degrees\n", (double)pose[0], (double)pose[1], (double)pose[2]);
            /* Ask for the size, then for the numbers. */
            status = gar_result_get_array(result, GAR_ARRAY_VERTICES_NEUTRAL, NULL, 0, &count);
        }
        if (status == GAR_OK && (vertices = malloc(count * sizeof *vertices)) != NULL) {
            status = gar_result_get_array(result, GAR_ARRAY_VERTICES_NEUTRAL, vertices, count, &count);
            printf("neutral mesh: %zu vertices, the first at %.2f %.2f %.2f mm\n", count / 3, (double)vertices[0],
                   (double)vertices[1], (double)vertices[2]);
        }
    }
    if (status == GAR_OK) status = gar_result_write(result, argv[2], GAR_WRITE_ALL);
    if (status != GAR_OK) code = fail(argv[1], status);
    else printf("written to %s\n", argv[2]);

    free(vertices);
    gar_result_release(result);
    gar_image_release(photo);
    gar_models_release(models);
    return code;
}

/* The hot paths, one after the other, each between marks that callgrind counts by: see count.py.
 * usage: paths PHOTO        (outside valgrind it runs the same and counts nothing) */
#include <garface.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <valgrind/callgrind.h>

static float *floats(int32_t count) {
    float *p = (float *)malloc((size_t)count * sizeof(float));
    uint32_t state = 1;
    for (int32_t i = 0; p && i < count; i++) {
        state = state * 1664525u + 1013904223u;
        p[i] = (float)(state >> 8) / (float)(1 << 23) - 1;
    }
    return p;
}

#define DO(CALL)                                                                      \
    do {                                                                              \
        if ((CALL) != GAR_OK) {                                                       \
            fprintf(stderr, "%s: %s\n", #CALL, gar_last_error());                     \
            return 1;                                                                 \
        }                                                                             \
    } while (0)

/* Once outside the count, so that nothing is set up inside it; then once inside. */
#define COUNT(NAME, ...)                                                              \
    do {                                                                              \
        __VA_ARGS__                                                                   \
        CALLGRIND_START_INSTRUMENTATION;                                              \
        CALLGRIND_ZERO_STATS;                                                         \
        __VA_ARGS__                                                                   \
        CALLGRIND_DUMP_STATS_AT(NAME);                                                \
        CALLGRIND_STOP_INSTRUMENTATION;                                               \
    } while (0)

int main(int argc, char **argv) {
    gar_head *head;
    gar_renderer *renderer;
    gar_models *models;
    gar_image *photo;
    gar_fit *fit;
    int32_t S, L, R, N, M, V, F, I, E;
    if (argc < 2) return 2;
    DO(gar_threads_set(1));
    DO(gar_head_load(NULL, &head));
    DO(gar_renderer_load(NULL, &renderer));
    DO(gar_models_load(NULL, &models));
    DO(gar_image_load(argv[1], &photo));
    DO(gar_head_get_sizes(head, &V, &F, &I, &E));
    DO(gar_renderer_get_sizes(renderer, &S, &L, &R, &N, &M));
    float *identity = floats(I), *expression = floats(E), *vertices = floats(3 * V), *normals = floats(3 * V);
    float *points = floats(3 * 68), *d_identity = floats(I), *d_expression = floats(E);
    float *d_vertices = floats(3 * V);
    float *w_plus = floats(R * L), *maps = floats(N), *noise = floats(M), *picture = floats(3 * S * S);
    float *d_w_plus = floats(R * L), *d_maps = floats(N), *d_noise = floats(M), *d_picture = floats(3 * S * S);
    float pose[6] = {15, 5, -5, 1, 0, 0}, d_pose[6];

    COUNT("head: vertices, normals, landmarks", {
        DO(gar_head_evaluate(head, identity, expression, vertices));
        DO(gar_head_normals(head, vertices, normals));
        DO(gar_head_landmarks(head, vertices, points));
    });
    COUNT("head: gradients", {
        DO(gar_head_normals_backward(head, vertices, normals, d_vertices));
        DO(gar_head_evaluate_backward(head, d_vertices, d_identity, d_expression));
    });
    COUNT("normal maps: forward", { DO(gar_renderer_rasterize(renderer, head, vertices, pose, maps)); });
    COUNT("normal maps: backward", { DO(gar_renderer_rasterize_backward(renderer, d_maps, d_vertices, d_pose)); });
    COUNT("gar: forward", { DO(gar_renderer_render(renderer, w_plus, maps, noise, picture)); });
    COUNT("gar: backward to w+, normals, noise", {
        DO(gar_renderer_render_backward(renderer, d_picture, d_w_plus, d_maps, d_noise));
    });
    COUNT("start: find, align, invert", {
        DO(gar_fit_create(models, photo, NULL, &fit));
    });

    /* An iteration of the last standard stage is the difference between runs of three and of one. */
    static char text[16384], one[16384], three[16384];
    size_t count;
    DO(gar_schedule_get_json(GAR_RENDERER_GAR, text, sizeof text, &count));
    char *stage = strstr(text, "\"joint\"");
    while (stage && stage > text && *stage != '{') stage--;
    char *iterations = stage ? strstr(stage, "\"iterations\"") : NULL;
    char *comma = iterations ? strchr(iterations, ',') : NULL;
    if (!comma) {
        fprintf(stderr, "no stage called joint in the standard schedule\n");
        return 1;
    }
    *iterations = 0;
    snprintf(one, sizeof one, "{\"stages\":[%s\"iterations\":1%s", stage, comma);
    snprintf(three, sizeof three, "{\"stages\":[%s\"iterations\":3%s", stage, comma);
    COUNT("fit: stage of one iteration", { DO(gar_fit_run(fit, one, NULL, NULL)); });
    COUNT("fit: stage of three iterations", { DO(gar_fit_run(fit, three, NULL, NULL)); });
    return 0;
}

/* The renderer through the C interface. The weights: argv[3], or those in the library. */
#include <garface.h>
#include <math.h>

#include "check.h"

static float *floats(int32_t count) { return (float *)calloc((size_t)count, sizeof(float)); }

int main(int argc, char **argv) {
    const char *weights = argc > 3 ? argv[3] : NULL;
    gar_renderer *renderer = NULL, *other = (gar_renderer *)1;
    gar_head *head = NULL;
    gar_image *image = NULL;
    int32_t S, L, R, N, M, V, F, I, E;
    size_t count;
    char text[4096];
    EXPECT(gar_head_load(NULL, &head), GAR_OK);
    EXPECT(gar_renderer_load(weights, &renderer), GAR_OK);
    if (!renderer || !head) return check_report("test_renderer");
    EXPECT(gar_renderer_get_sizes(renderer, &S, &L, &R, &N, &M), GAR_OK);
    EXPECT(gar_head_get_sizes(head, &V, &F, &I, &E), GAR_OK);
    int32_t pyramid = 0;
    for (int32_t r = 4; r <= S; r *= 2) pyramid += 3 * r * r;
    CHECK(N == pyramid && S >= 64 && L > 0 && R > 0);
    EXPECT(gar_renderer_get_json(renderer, text, sizeof text, &count), GAR_OK);
    CHECK(strstr(text, "\"latent_size\"") != NULL);

    float *z = floats(L), *w = floats(L), *mean = floats(L), *w_plus = floats(R * L), *d_w_plus = floats(R * L);
    float *normals = floats(N), *d_normals = floats(N), *noise = floats(M), *d_noise = floats(M);
    float *picture = floats(3 * S * S), *again = floats(3 * S * S), *d_z = floats(L);
    float *identity = floats(I), *expression = floats(E), *vertices = floats(3 * V), *d_vertices = floats(3 * V);
    float pose[6] = {15, 5, -5, 1, 0, 0}, d_pose[6];

    /* The way back before the way there. */
    EXPECT(gar_renderer_render_backward(renderer, picture, d_w_plus, d_normals, d_noise), GAR_INVALID_ARGUMENT);
    EXPECT(gar_renderer_rasterize_backward(renderer, d_normals, d_vertices, d_pose), GAR_INVALID_ARGUMENT);

    EXPECT(gar_renderer_sample_z(renderer, 1, z), GAR_OK);
    EXPECT(gar_renderer_map(renderer, z, 0.7f, w), GAR_OK);
    EXPECT(gar_renderer_get_mean_w(renderer, mean), GAR_OK);
    for (int32_t r = 0; r < R; r++) memcpy(w_plus + r * L, w, (size_t)L * sizeof(float));
    EXPECT(gar_head_evaluate(head, identity, expression, vertices), GAR_OK);
    EXPECT(gar_renderer_rasterize(renderer, head, vertices, pose, normals), GAR_OK);
    EXPECT(gar_renderer_sample_noise(renderer, 3, noise), GAR_OK);
    EXPECT(gar_renderer_render(renderer, w_plus, normals, noise, picture), GAR_OK);
    EXPECT(gar_renderer_render(renderer, w_plus, normals, NULL, again), GAR_OK);
    float difference = 0;
    for (int32_t i = 0; i < 3 * S * S; i++) {
        CHECK(isfinite(picture[i]));
        difference += fabsf(picture[i] - again[i]);
    }
    CHECK(difference > 0);
    EXPECT(gar_renderer_render_backward(renderer, again, d_w_plus, d_normals, d_noise), GAR_OK);
    EXPECT(gar_renderer_render_backward(renderer, again, NULL, NULL, NULL), GAR_OK);
    EXPECT(gar_renderer_rasterize_backward(renderer, d_normals, d_vertices, d_pose), GAR_OK);
    EXPECT(gar_renderer_map_backward(renderer, z, 0.7f, d_w_plus, d_z), GAR_OK);
    EXPECT(gar_image_from_picture(picture, S, S, &image), GAR_OK);
    gar_image_release(image);

    /* Products in bfloat16, where the processor has them: nearly the same picture, and back again exactly. */
    const gar_status quick = gar_renderer_set_precision(renderer, GAR_PRECISION_BFLOAT16);
    CHECK(quick == GAR_OK || quick == GAR_INVALID_ARGUMENT);
    if (quick == GAR_OK) {
        EXPECT(gar_renderer_render_backward(renderer, again, d_w_plus, NULL, NULL), GAR_INVALID_ARGUMENT);
        EXPECT(gar_renderer_render(renderer, w_plus, normals, noise, again), GAR_OK);
        double off = 0;
        for (int32_t i = 0; i < 3 * S * S; i++) off += fabs((double)again[i] - picture[i]);
        CHECK(off > 0 && off / (3 * S * S) < 0.02);
    }
    EXPECT(gar_renderer_set_precision(renderer, GAR_PRECISION_SINGLE), GAR_OK);
    EXPECT(gar_renderer_render(renderer, w_plus, normals, noise, again), GAR_OK);
    CHECK(memcmp(again, picture, (size_t)(3 * S * S) * sizeof(float)) == 0);
    EXPECT(gar_renderer_render_backward(renderer, again, d_w_plus, d_normals, d_noise), GAR_OK);
    EXPECT(gar_renderer_set_precision(renderer, 2), GAR_INVALID_ARGUMENT);
    EXPECT(gar_renderer_set_precision(NULL, GAR_PRECISION_SINGLE), GAR_INVALID_ARGUMENT);

    /* Style mixing: every row is that of one of the two, in place too. */
    EXPECT(gar_renderer_sample_z(renderer, 2, z), GAR_OK);
    EXPECT(gar_renderer_map(renderer, z, 0.7f, w), GAR_OK);
    for (int32_t r = 0; r < R; r++) memcpy(d_w_plus + r * L, w, (size_t)L * sizeof(float));
    for (int32_t row = 0; row <= R; row++) {
        float *mixed = floats(R * L);
        EXPECT(gar_renderer_mix(renderer, w_plus, d_w_plus, row, mixed), GAR_OK);
        CHECK(memcmp(mixed, w_plus, (size_t)(row * L) * sizeof(float)) == 0);
        CHECK(memcmp(mixed + row * L, d_w_plus, (size_t)((R - row) * L) * sizeof(float)) == 0);
        memcpy(mixed, d_w_plus, (size_t)(R * L) * sizeof(float));
        EXPECT(gar_renderer_mix(renderer, w_plus, mixed, row, mixed), GAR_OK);
        CHECK(memcmp(mixed, w_plus, (size_t)(row * L) * sizeof(float)) == 0);
        free(mixed);
    }
    EXPECT(gar_renderer_mix(renderer, w_plus, d_w_plus, -1, again), GAR_INVALID_ARGUMENT);
    EXPECT(gar_renderer_mix(renderer, w_plus, d_w_plus, R + 1, again), GAR_INVALID_ARGUMENT);
    CHECK(strstr(gar_last_error(), "row") != NULL);
    EXPECT(gar_renderer_mix(NULL, w_plus, d_w_plus, 1, again), GAR_INVALID_ARGUMENT);
    EXPECT(gar_renderer_mix(renderer, NULL, d_w_plus, 1, again), GAR_INVALID_ARGUMENT);
    EXPECT(gar_renderer_mix(renderer, w_plus, NULL, 1, again), GAR_INVALID_ARGUMENT);
    EXPECT(gar_renderer_mix(renderer, w_plus, d_w_plus, 1, NULL), GAR_INVALID_ARGUMENT);

    /* NULL for every pointer argument. */
    EXPECT(gar_renderer_load(weights, NULL), GAR_INVALID_ARGUMENT);
    EXPECT(gar_renderer_load("/no/such/gar.safetensors", &other), GAR_FILE_NOT_FOUND);
    CHECK(other == NULL);
    EXPECT(gar_renderer_get_sizes(NULL, &S, &L, &R, &N, &M), GAR_INVALID_ARGUMENT);
    EXPECT(gar_renderer_get_sizes(renderer, NULL, &L, &R, &N, &M), GAR_INVALID_ARGUMENT);
    EXPECT(gar_renderer_get_sizes(renderer, &S, NULL, &R, &N, &M), GAR_INVALID_ARGUMENT);
    EXPECT(gar_renderer_get_sizes(renderer, &S, &L, NULL, &N, &M), GAR_INVALID_ARGUMENT);
    EXPECT(gar_renderer_get_sizes(renderer, &S, &L, &R, NULL, &M), GAR_INVALID_ARGUMENT);
    EXPECT(gar_renderer_get_sizes(renderer, &S, &L, &R, &N, NULL), GAR_INVALID_ARGUMENT);
    EXPECT(gar_renderer_get_json(NULL, text, sizeof text, &count), GAR_INVALID_ARGUMENT);
    EXPECT(gar_renderer_get_json(renderer, NULL, sizeof text, &count), GAR_INVALID_ARGUMENT);
    EXPECT(gar_renderer_get_json(renderer, text, sizeof text, NULL), GAR_INVALID_ARGUMENT);
    EXPECT(gar_renderer_get_mean_w(NULL, w), GAR_INVALID_ARGUMENT);
    EXPECT(gar_renderer_get_mean_w(renderer, NULL), GAR_INVALID_ARGUMENT);
    EXPECT(gar_renderer_sample_z(NULL, 1, z), GAR_INVALID_ARGUMENT);
    EXPECT(gar_renderer_sample_z(renderer, 1, NULL), GAR_INVALID_ARGUMENT);
    EXPECT(gar_renderer_map(NULL, z, 1, w), GAR_INVALID_ARGUMENT);
    EXPECT(gar_renderer_map(renderer, NULL, 1, w), GAR_INVALID_ARGUMENT);
    EXPECT(gar_renderer_map(renderer, z, 1, NULL), GAR_INVALID_ARGUMENT);
    EXPECT(gar_renderer_map(renderer, z, NAN, w), GAR_INVALID_ARGUMENT);
    EXPECT(gar_renderer_map(renderer, z, -0.1f, w), GAR_INVALID_ARGUMENT);
    EXPECT(gar_renderer_map_backward(NULL, z, 1, w, d_z), GAR_INVALID_ARGUMENT);
    EXPECT(gar_renderer_map_backward(renderer, NULL, 1, w, d_z), GAR_INVALID_ARGUMENT);
    EXPECT(gar_renderer_map_backward(renderer, z, 1, NULL, d_z), GAR_INVALID_ARGUMENT);
    EXPECT(gar_renderer_map_backward(renderer, z, 1, w, NULL), GAR_INVALID_ARGUMENT);
    EXPECT(gar_renderer_sample_noise(NULL, 1, noise), GAR_INVALID_ARGUMENT);
    EXPECT(gar_renderer_sample_noise(renderer, 1, NULL), GAR_INVALID_ARGUMENT);
    EXPECT(gar_renderer_rasterize(NULL, head, vertices, pose, normals), GAR_INVALID_ARGUMENT);
    EXPECT(gar_renderer_rasterize(renderer, NULL, vertices, pose, normals), GAR_INVALID_ARGUMENT);
    EXPECT(gar_renderer_rasterize(renderer, head, NULL, pose, normals), GAR_INVALID_ARGUMENT);
    EXPECT(gar_renderer_rasterize(renderer, head, vertices, NULL, normals), GAR_INVALID_ARGUMENT);
    EXPECT(gar_renderer_rasterize(renderer, head, vertices, pose, NULL), GAR_INVALID_ARGUMENT);
    EXPECT(gar_renderer_rasterize(renderer, (gar_head *)renderer, vertices, pose, normals), GAR_INVALID_ARGUMENT);
    EXPECT(gar_renderer_rasterize_backward(NULL, d_normals, d_vertices, d_pose), GAR_INVALID_ARGUMENT);
    EXPECT(gar_renderer_rasterize_backward(renderer, NULL, d_vertices, d_pose), GAR_INVALID_ARGUMENT);
    EXPECT(gar_renderer_rasterize_backward(renderer, d_normals, NULL, d_pose), GAR_INVALID_ARGUMENT);
    EXPECT(gar_renderer_rasterize_backward(renderer, d_normals, d_vertices, NULL), GAR_INVALID_ARGUMENT);
    EXPECT(gar_renderer_render(NULL, w_plus, normals, noise, picture), GAR_INVALID_ARGUMENT);
    EXPECT(gar_renderer_render(renderer, NULL, normals, noise, picture), GAR_INVALID_ARGUMENT);
    EXPECT(gar_renderer_render(renderer, w_plus, NULL, noise, picture), GAR_INVALID_ARGUMENT);
    EXPECT(gar_renderer_render(renderer, w_plus, normals, noise, NULL), GAR_INVALID_ARGUMENT);
    EXPECT(gar_renderer_render_backward(NULL, picture, d_w_plus, d_normals, d_noise), GAR_INVALID_ARGUMENT);
    EXPECT(gar_renderer_render_backward(renderer, NULL, d_w_plus, d_normals, d_noise), GAR_INVALID_ARGUMENT);
    EXPECT(gar_image_from_picture(NULL, S, S, &image), GAR_INVALID_ARGUMENT);
    EXPECT(gar_image_from_picture(picture, S, S, NULL), GAR_INVALID_ARGUMENT);
    EXPECT(gar_image_from_picture(picture, -1, S, &image), GAR_INVALID_ARGUMENT);
    /* Far away, and far too large: still a picture. */
    pose[4] = 1e6f;
    EXPECT(gar_renderer_rasterize(renderer, head, vertices, pose, normals), GAR_OK);
    pose[3] = 900;
    EXPECT(gar_renderer_rasterize(renderer, head, vertices, pose, normals), GAR_OK);
    pose[3] = -1;
    EXPECT(gar_renderer_rasterize(renderer, head, vertices, pose, normals), GAR_INVALID_ARGUMENT);
    for (int32_t v = 0; v < 3 * V; v++) vertices[v] = v % 2 ? 3e38f : -3e38f;
    pose[3] = 1;
    gar_status extreme = gar_renderer_rasterize(renderer, head, vertices, pose, normals);
    CHECK(extreme == GAR_OK || extreme == GAR_NUMERICAL_FAILURE);
    for (int32_t i = 0; i < N && extreme == GAR_OK; i++) if (!isfinite(normals[i])) { CHECK(!"OK, but not finite"); break; }

    /* Finite, but too large to compute with: a status, never OK with infinities. */
    for (int32_t i = 0; i < L; i++) z[i] = i % 3 ? 3e38f : -3e38f;
    EXPECT(gar_renderer_map(renderer, z, 1, w), GAR_NUMERICAL_FAILURE);
    CHECK(strstr(gar_last_error(), "z:") != NULL);
    EXPECT(gar_renderer_map_backward(renderer, z, 1, mean, d_z), GAR_NUMERICAL_FAILURE);
    for (int32_t i = 0; i < L; i++) z[i] = 1e18f; /* its squares can still be summed */
    EXPECT(gar_renderer_map(renderer, z, 1, w), GAR_OK);
    for (int32_t i = 0; i < L; i++) CHECK(isfinite(w[i]));
    EXPECT(gar_renderer_sample_z(renderer, 1, z), GAR_OK);
    for (int32_t i = 0; i < L; i++) w[i] = 3e38f;
    EXPECT(gar_renderer_map_backward(renderer, z, 1, w, d_z), GAR_NUMERICAL_FAILURE);
    EXPECT(gar_head_evaluate(head, identity, expression, vertices), GAR_OK);
    pose[3] = 1, pose[4] = 0;
    EXPECT(gar_renderer_rasterize(renderer, head, vertices, pose, normals), GAR_OK);
    for (int32_t i = 0; i < N; i++) d_normals[i] = 3e38f;
    EXPECT(gar_renderer_rasterize_backward(renderer, d_normals, d_vertices, d_pose), GAR_NUMERICAL_FAILURE);
    EXPECT(gar_renderer_render(renderer, w_plus, normals, noise, picture), GAR_OK);
    for (int32_t i = 0; i < 3 * S * S; i++) again[i] = 3e38f;
    EXPECT(gar_renderer_render_backward(renderer, again, d_w_plus, d_normals, d_noise), GAR_NUMERICAL_FAILURE);
    for (int32_t i = 0; i < R * L; i++) w_plus[i] = i % 2 ? 3e38f : -3e38f;
    EXPECT(gar_renderer_render(renderer, w_plus, normals, noise, picture), GAR_NUMERICAL_FAILURE);

    gar_renderer_release(renderer);
    EXPECT(gar_renderer_map(renderer, z, 1, w), GAR_INVALID_ARGUMENT);
    gar_renderer_release(renderer);
    gar_renderer_release(NULL);
    gar_head_release(head);
    float *all[] = {z, w, mean, w_plus, d_w_plus, normals, d_normals, noise, d_noise, picture, again, d_z, identity,
                    expression, vertices, d_vertices};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) free(all[i]);
    return check_report("test_renderer");
}

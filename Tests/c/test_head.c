/* The head model and poses through the C interface. */
#include <garface.h>
#include <math.h>

#include "check.h"

static float *floats(size_t count) { return (float *)calloc(count, sizeof(float)); }

static void poses(void) {
    float m[9], yaw, pitch, roll, nose[3];
    EXPECT(gar_pose_matrix(20, 10, -30, m), GAR_OK);
    EXPECT(gar_pose_angles(m, &yaw, &pitch, &roll), GAR_OK);
    CHECK(fabsf(yaw - 20) < 1e-3f && fabsf(pitch - 10) < 1e-3f && fabsf(roll + 30) < 1e-3f);
    /* The signs of the header: the nose, at +z, moves right with yaw and up with pitch. */
    EXPECT(gar_pose_matrix(30, 0, 0, m), GAR_OK);
    nose[0] = m[2];
    CHECK(nose[0] > 0.4f);
    EXPECT(gar_pose_matrix(0, 30, 0, m), GAR_OK);
    CHECK(m[5] > 0.4f);
    /* The forehead, at +y, tips left with roll: counter-clockwise. */
    EXPECT(gar_pose_matrix(0, 0, 30, m), GAR_OK);
    CHECK(m[1] < -0.4f);
    EXPECT(gar_pose_matrix(NAN, 0, 0, m), GAR_INVALID_ARGUMENT);
    EXPECT(gar_pose_matrix(0, INFINITY, 0, m), GAR_INVALID_ARGUMENT);
    EXPECT(gar_pose_matrix(0, 0, 0, NULL), GAR_INVALID_ARGUMENT);
    EXPECT(gar_pose_angles(NULL, &yaw, &pitch, &roll), GAR_INVALID_ARGUMENT);
    EXPECT(gar_pose_angles(m, NULL, &pitch, &roll), GAR_INVALID_ARGUMENT);
    EXPECT(gar_pose_angles(m, &yaw, NULL, &roll), GAR_INVALID_ARGUMENT);
    EXPECT(gar_pose_angles(m, &yaw, &pitch, NULL), GAR_INVALID_ARGUMENT);
    memset(m, 0, sizeof m);
    EXPECT(gar_pose_angles(m, &yaw, &pitch, &roll), GAR_INVALID_ARGUMENT);
}

static void head(void) {
    gar_head *head = NULL;
    int32_t V, F, I, E;
    size_t count;
    EXPECT(gar_head_load(NULL, &head), GAR_OK);
    EXPECT(gar_head_get_sizes(head, &V, &F, &I, &E), GAR_OK);
    CHECK(V == 15622 && F == 30730 && I == 80 && E == 55);
    float *identity = floats(I), *expression = floats(E), *d_identity = floats(I), *d_expression = floats(E);
    float *vertices = floats(3 * V), *normals = floats(3 * V), *d_vertices = floats(3 * V);
    float landmarks[68 * 3], contour[68 * 3], d_landmarks[68 * 3] = {0}, energy;

    EXPECT(gar_head_evaluate(head, identity, expression, vertices), GAR_OK);
    EXPECT(gar_head_landmarks(head, vertices, landmarks), GAR_OK);
    /* Subject's left eye at +x, chin below the eyes, nose tip in front. */
    CHECK(landmarks[3 * 45] > 30 && landmarks[3 * 36] < -30);
    CHECK(landmarks[3 * 8 + 1] < landmarks[3 * 36 + 1] - 60);
    CHECK(landmarks[3 * 30 + 2] > landmarks[3 * 36 + 2] + 20);
    /* The jaw of a turned head is another outline; the other points are where people mark them in any pose: brows
     * lower than the model's own, the corners of the eyes nearly there. */
    float ahead[68 * 3];
    EXPECT(gar_head_landmarks_contour(head, vertices, 0, 0, 0, ahead), GAR_OK);
    EXPECT(gar_head_landmarks_contour(head, vertices, 40, 0, 0, contour), GAR_OK);
    float moved = 0, kept = 0;
    for (int i = 0; i < 17; i++) moved += fabsf(contour[3 * i] - ahead[3 * i]);
    for (int i = 17 * 3; i < 68 * 3; i++) kept += fabsf(contour[i] - ahead[i]);
    CHECK(moved > 1 && kept == 0);
    CHECK(landmarks[3 * 19 + 1] - ahead[3 * 19 + 1] > 1 && fabsf(landmarks[3 * 36 + 1] - ahead[3 * 36 + 1]) < 1.5f);
    EXPECT(gar_head_normals(head, vertices, normals), GAR_OK);
    for (int v = 0; v < V; v += 100) {
        float n = hypotf(hypotf(normals[3 * v], normals[3 * v + 1]), normals[3 * v + 2]);
        CHECK(fabsf(n - 1) < 1e-4f);
    }

    /* A gradient against a finite difference: the chin's height by one coefficient each. */
    d_landmarks[3 * 8 + 1] = 1;
    EXPECT(gar_head_landmarks_backward(head, d_landmarks, d_vertices), GAR_OK);
    EXPECT(gar_head_evaluate_backward(head, d_vertices, d_identity, d_expression), GAR_OK);
    float jaw = d_expression[0], third = d_identity[3];
    d_identity[3] = d_expression[0] = -1;
    EXPECT(gar_head_evaluate_backward_at(head, identity, expression, d_vertices, d_identity, d_expression), GAR_OK);
    CHECK(fabsf(d_expression[0] - jaw) < 1e-4f && fabsf(d_identity[3] - third) < 1e-4f);
    float before = landmarks[3 * 8 + 1];
    identity[3] = 1;
    EXPECT(gar_head_evaluate(head, identity, expression, vertices), GAR_OK);
    EXPECT(gar_head_landmarks(head, vertices, landmarks), GAR_OK);
    CHECK(fabsf(landmarks[3 * 8 + 1] - before - d_identity[3]) < 1e-3f);
    EXPECT(gar_head_normals_backward(head, vertices, normals, d_vertices), GAR_OK);

    EXPECT(gar_head_sample(head, 7, identity, expression), GAR_OK);
    float first = identity[0];
    EXPECT(gar_head_sample(head, 8, identity, expression), GAR_OK);
    CHECK(identity[0] != first);
    EXPECT(gar_head_sample(head, 7, identity, expression), GAR_OK);
    CHECK(identity[0] == first);
    EXPECT(gar_head_prior(head, identity, expression, &energy, d_identity, d_expression), GAR_OK);
    CHECK(energy > 0 && fabsf(d_identity[0] - identity[0]) < 1e-5f);

    EXPECT(gar_head_get_triangles(head, NULL, 0, &count), GAR_OK);
    CHECK(count == (size_t)(3 * F));
    int32_t *triangles = (int32_t *)malloc(count * sizeof(int32_t));
    EXPECT(gar_head_get_triangles(head, triangles, count - 1, &count), GAR_BUFFER_TOO_SMALL);
    EXPECT(gar_head_get_triangles(head, triangles, count, &count), GAR_OK);
    for (size_t i = 0; i < count; i++) if (triangles[i] < 0 || triangles[i] >= V) CHECK(!"index out of range");
    uint8_t *parts = (uint8_t *)malloc((size_t)V);
    EXPECT(gar_head_get_parts(head, parts, (size_t)V, &count), GAR_OK);
    size_t rows = 0;
    EXPECT(gar_head_get_uvs(head, NULL, 0, &rows), GAR_OK);
    CHECK(rows % 2 == 0 && rows / 2 >= (size_t)V);
    float *uvs = floats(rows);
    EXPECT(gar_head_get_uvs(head, uvs, rows - 1, &rows), GAR_BUFFER_TOO_SMALL);
    EXPECT(gar_head_get_uvs(head, uvs, rows, &rows), GAR_OK);
    for (size_t i = 0; i < rows; i++) if (!(uvs[i] >= 0 && uvs[i] <= 1)) CHECK(!"texture coordinate out of range");
    int32_t *corners = (int32_t *)malloc(3 * (size_t)F * sizeof(int32_t));
    EXPECT(gar_head_get_uv_triangles(head, corners, 3 * (size_t)F, &count), GAR_OK);
    CHECK(count == 3 * (size_t)F);
    for (size_t i = 0; i < count; i++) if (corners[i] < 0 || (size_t)corners[i] >= rows / 2) CHECK(!"texture row out of range");
    EXPECT(gar_head_get_uvs(NULL, uvs, rows, &count), GAR_INVALID_ARGUMENT);
    EXPECT(gar_head_get_uvs(head, NULL, 3, &count), GAR_INVALID_ARGUMENT);
    EXPECT(gar_head_get_uvs(head, uvs, rows, NULL), GAR_INVALID_ARGUMENT);
    EXPECT(gar_head_get_uv_triangles(NULL, corners, 3, &count), GAR_INVALID_ARGUMENT);
    EXPECT(gar_head_get_uv_triangles(head, corners, 3, &count), GAR_BUFFER_TOO_SMALL);
    free(uvs);
    free(corners);
    char text[8192];
    EXPECT(gar_head_get_json(head, text, 10, &count), GAR_BUFFER_TOO_SMALL);
    EXPECT(gar_head_get_json(head, text, sizeof text, &count), GAR_OK);
    CHECK(strlen(text) + 1 == count && strstr(text, "\"jawOpen\"") != NULL);

    /* NULL for every pointer argument, and values that are no numbers. */
    gar_head *other = (gar_head *)1;
    EXPECT(gar_head_load(NULL, NULL), GAR_INVALID_ARGUMENT);
    EXPECT(gar_head_load("/no/such/head.safetensors", &other), GAR_FILE_NOT_FOUND);
    CHECK(other == NULL);
    EXPECT(gar_head_get_sizes(NULL, &V, &F, &I, &E), GAR_INVALID_ARGUMENT);
    EXPECT(gar_head_get_sizes(head, NULL, &F, &I, &E), GAR_INVALID_ARGUMENT);
    EXPECT(gar_head_get_sizes(head, &V, NULL, &I, &E), GAR_INVALID_ARGUMENT);
    EXPECT(gar_head_get_sizes(head, &V, &F, NULL, &E), GAR_INVALID_ARGUMENT);
    EXPECT(gar_head_get_sizes(head, &V, &F, &I, NULL), GAR_INVALID_ARGUMENT);
    EXPECT(gar_head_get_json(NULL, text, sizeof text, &count), GAR_INVALID_ARGUMENT);
    EXPECT(gar_head_get_json(head, NULL, sizeof text, &count), GAR_INVALID_ARGUMENT);
    EXPECT(gar_head_get_json(head, text, sizeof text, NULL), GAR_INVALID_ARGUMENT);
    EXPECT(gar_head_get_triangles(NULL, triangles, 0, &count), GAR_INVALID_ARGUMENT);
    EXPECT(gar_head_get_triangles(head, triangles, 0, NULL), GAR_INVALID_ARGUMENT);
    EXPECT(gar_head_get_parts(NULL, parts, 0, &count), GAR_INVALID_ARGUMENT);
    EXPECT(gar_head_get_parts(head, parts, 0, NULL), GAR_INVALID_ARGUMENT);
    EXPECT(gar_head_evaluate(NULL, identity, expression, vertices), GAR_INVALID_ARGUMENT);
    EXPECT(gar_head_evaluate(head, NULL, expression, vertices), GAR_INVALID_ARGUMENT);
    EXPECT(gar_head_evaluate(head, identity, NULL, vertices), GAR_INVALID_ARGUMENT);
    EXPECT(gar_head_evaluate(head, identity, expression, NULL), GAR_INVALID_ARGUMENT);
    EXPECT(gar_head_evaluate_backward(NULL, d_vertices, d_identity, d_expression), GAR_INVALID_ARGUMENT);
    EXPECT(gar_head_evaluate_backward(head, NULL, d_identity, d_expression), GAR_INVALID_ARGUMENT);
    EXPECT(gar_head_evaluate_backward(head, d_vertices, NULL, d_expression), GAR_INVALID_ARGUMENT);
    EXPECT(gar_head_evaluate_backward(head, d_vertices, d_identity, NULL), GAR_INVALID_ARGUMENT);
    EXPECT(gar_head_evaluate_backward_at(NULL, identity, expression, d_vertices, d_identity, d_expression), GAR_INVALID_ARGUMENT);
    EXPECT(gar_head_evaluate_backward_at(head, NULL, expression, d_vertices, d_identity, d_expression), GAR_INVALID_ARGUMENT);
    EXPECT(gar_head_evaluate_backward_at(head, identity, NULL, d_vertices, d_identity, d_expression), GAR_INVALID_ARGUMENT);
    EXPECT(gar_head_evaluate_backward_at(head, identity, expression, NULL, d_identity, d_expression), GAR_INVALID_ARGUMENT);
    EXPECT(gar_head_evaluate_backward_at(head, identity, expression, d_vertices, NULL, d_expression), GAR_INVALID_ARGUMENT);
    EXPECT(gar_head_evaluate_backward_at(head, identity, expression, d_vertices, d_identity, NULL), GAR_INVALID_ARGUMENT);
    EXPECT(gar_head_normals(NULL, vertices, normals), GAR_INVALID_ARGUMENT);
    EXPECT(gar_head_normals(head, NULL, normals), GAR_INVALID_ARGUMENT);
    EXPECT(gar_head_normals(head, vertices, NULL), GAR_INVALID_ARGUMENT);
    EXPECT(gar_head_normals_backward(NULL, vertices, normals, d_vertices), GAR_INVALID_ARGUMENT);
    EXPECT(gar_head_normals_backward(head, NULL, normals, d_vertices), GAR_INVALID_ARGUMENT);
    EXPECT(gar_head_normals_backward(head, vertices, NULL, d_vertices), GAR_INVALID_ARGUMENT);
    EXPECT(gar_head_normals_backward(head, vertices, normals, NULL), GAR_INVALID_ARGUMENT);
    EXPECT(gar_head_landmarks(NULL, vertices, landmarks), GAR_INVALID_ARGUMENT);
    EXPECT(gar_head_landmarks(head, NULL, landmarks), GAR_INVALID_ARGUMENT);
    EXPECT(gar_head_landmarks(head, vertices, NULL), GAR_INVALID_ARGUMENT);
    EXPECT(gar_head_landmarks_backward(NULL, d_landmarks, d_vertices), GAR_INVALID_ARGUMENT);
    EXPECT(gar_head_landmarks_backward(head, NULL, d_vertices), GAR_INVALID_ARGUMENT);
    EXPECT(gar_head_landmarks_backward(head, d_landmarks, NULL), GAR_INVALID_ARGUMENT);
    EXPECT(gar_head_landmarks_contour(NULL, vertices, 0, 0, 0, contour), GAR_INVALID_ARGUMENT);
    EXPECT(gar_head_landmarks_contour(head, NULL, 0, 0, 0, contour), GAR_INVALID_ARGUMENT);
    EXPECT(gar_head_landmarks_contour(head, vertices, 0, 0, 0, NULL), GAR_INVALID_ARGUMENT);
    EXPECT(gar_head_landmarks_contour(head, vertices, NAN, 0, 0, contour), GAR_INVALID_ARGUMENT);
    EXPECT(gar_head_sample(NULL, 0, identity, expression), GAR_INVALID_ARGUMENT);
    EXPECT(gar_head_sample(head, 0, NULL, expression), GAR_INVALID_ARGUMENT);
    EXPECT(gar_head_sample(head, 0, identity, NULL), GAR_INVALID_ARGUMENT);
    EXPECT(gar_head_prior(NULL, identity, expression, &energy, d_identity, d_expression), GAR_INVALID_ARGUMENT);
    EXPECT(gar_head_prior(head, NULL, expression, &energy, d_identity, d_expression), GAR_INVALID_ARGUMENT);
    EXPECT(gar_head_prior(head, identity, NULL, &energy, d_identity, d_expression), GAR_INVALID_ARGUMENT);
    EXPECT(gar_head_prior(head, identity, expression, NULL, d_identity, d_expression), GAR_INVALID_ARGUMENT);
    EXPECT(gar_head_prior(head, identity, expression, &energy, NULL, d_expression), GAR_INVALID_ARGUMENT);
    EXPECT(gar_head_prior(head, identity, expression, &energy, d_identity, NULL), GAR_INVALID_ARGUMENT);

    /* Depth and shading in the aligned frame: the nose is in the middle, the corners are empty. */
    enum { SIDE = 64 };
    const float front[6] = {0, 0, 0, 1, 0, 0}, flat[6] = {0, 0, 0, 0, 0, 0};
    float depth[SIDE * SIDE], picture[3 * SIDE * SIDE], light[27] = {1 / 0.282095f, 1 / 0.282095f, 1 / 0.282095f};
    uint8_t *visible = (uint8_t *)malloc((size_t)V);
    float *albedo = (float *)malloc(3 * (size_t)V * sizeof(float));
    for (int32_t i = 0; i < 3 * V; i++) albedo[i] = 0.75f;
    EXPECT(gar_head_depth(head, vertices, front, SIDE, depth, visible), GAR_OK);
    CHECK(isnan(depth[0]) && depth[(SIDE / 2) * SIDE + SIDE / 2] > 20);
    EXPECT(gar_head_depth(head, vertices, front, SIDE, NULL, visible), GAR_OK);
    EXPECT(gar_head_depth(head, vertices, front, SIDE, depth, NULL), GAR_OK);
    EXPECT(gar_head_shade(head, vertices, front, albedo, light, SIDE, picture), GAR_OK);
    CHECK(picture[0] == -1 && fabsf(picture[(SIDE / 2) * SIDE + SIDE / 2] - 0.5f) < 1e-3f);
    EXPECT(gar_head_depth(NULL, vertices, front, SIDE, depth, visible), GAR_INVALID_ARGUMENT);
    EXPECT(gar_head_depth(head, NULL, front, SIDE, depth, visible), GAR_INVALID_ARGUMENT);
    EXPECT(gar_head_depth(head, vertices, NULL, SIDE, depth, visible), GAR_INVALID_ARGUMENT);
    EXPECT(gar_head_depth(head, vertices, flat, SIDE, depth, visible), GAR_INVALID_ARGUMENT);
    EXPECT(gar_head_depth(head, vertices, front, 0, depth, visible), GAR_INVALID_ARGUMENT);
    EXPECT(gar_head_depth(head, vertices, front, 5000, depth, visible), GAR_INVALID_ARGUMENT);
    EXPECT(gar_head_depth(head, vertices, front, SIDE, NULL, NULL), GAR_INVALID_ARGUMENT);
    EXPECT(gar_head_shade(NULL, vertices, front, albedo, light, SIDE, picture), GAR_INVALID_ARGUMENT);
    EXPECT(gar_head_shade(head, NULL, front, albedo, light, SIDE, picture), GAR_INVALID_ARGUMENT);
    EXPECT(gar_head_shade(head, vertices, NULL, albedo, light, SIDE, picture), GAR_INVALID_ARGUMENT);
    EXPECT(gar_head_shade(head, vertices, front, NULL, light, SIDE, picture), GAR_INVALID_ARGUMENT);
    EXPECT(gar_head_shade(head, vertices, front, albedo, NULL, SIDE, picture), GAR_INVALID_ARGUMENT);
    EXPECT(gar_head_shade(head, vertices, front, albedo, light, SIDE, NULL), GAR_INVALID_ARGUMENT);
    EXPECT(gar_head_shade(head, vertices, front, albedo, light, 4000, picture), GAR_INVALID_ARGUMENT);
    light[5] = 3e38f;
    for (int32_t i = 0; i < 3 * V; i++) albedo[i] = 3e38f;
    EXPECT(gar_head_shade(head, vertices, front, albedo, light, SIDE, picture), GAR_NUMERICAL_FAILURE);
    free(visible), free(albedo);

    identity[5] = NAN;
    EXPECT(gar_head_evaluate(head, identity, expression, vertices), GAR_INVALID_ARGUMENT);
    CHECK(strstr(gar_last_error(), "identity") != NULL);

    /* Finite, but too large to compute with: a status, never OK with infinities. */
    enum { HUGE_RUNS = 2 };
    for (int run = 0; run < HUGE_RUNS; run++) {
        for (int32_t i = 0; i < I; i++) identity[i] = run ? 3e38f : (i % 2 ? 3e38f : -3e38f);
        for (int32_t i = 0; i < E; i++) expression[i] = 3e38f;
        EXPECT(gar_head_prior(head, identity, expression, &energy, d_identity, d_expression), GAR_NUMERICAL_FAILURE);
        EXPECT(gar_head_evaluate(head, identity, expression, vertices), GAR_NUMERICAL_FAILURE);
        CHECK(strstr(gar_last_error(), "identity or expression") != NULL);
        for (int32_t i = 0; i < 3 * V; i++) vertices[i] = run ? 3e38f : ((i / 3) % 2 ? 3e38f : -3e38f);
        EXPECT(gar_head_evaluate_backward(head, vertices, d_identity, d_expression), GAR_NUMERICAL_FAILURE);
        for (int i = 0; i < 68 * 3; i++) d_landmarks[i] = 3e38f;
        gar_status status[] = {
            gar_head_normals(head, vertices, normals), gar_head_normals_backward(head, vertices, vertices, d_vertices),
            gar_head_landmarks(head, vertices, landmarks), gar_head_landmarks_contour(head, vertices, 20, 0, 0, contour),
            gar_head_landmarks_backward(head, d_landmarks, d_vertices)};
        float *written[] = {normals, d_vertices, landmarks, contour, d_vertices};
        int32_t counts[] = {3 * V, 3 * V, 68 * 3, 68 * 3, 3 * V};
        for (int k = 0; k < 5; k++) {
            CHECK(status[k] == GAR_NUMERICAL_FAILURE || status[k] == GAR_OK);
            if (status[k] != GAR_OK || k == 1) continue; /* d_vertices of k = 1 were overwritten */
            for (int32_t i = 0; i < counts[k]; i++) if (!isfinite(written[k][i])) { CHECK(!"OK, but not finite"); break; }
        }
    }

    gar_head_release(head);
    EXPECT(gar_head_get_sizes(head, &V, &F, &I, &E), GAR_INVALID_ARGUMENT);
    gar_head_release(head);
    gar_head_release(NULL);
    free(identity); free(expression); free(d_identity); free(d_expression);
    free(vertices); free(normals); free(d_vertices); free(triangles); free(parts);
}

int main(void) {
    poses();
    head();
    return check_report("test_head");
}

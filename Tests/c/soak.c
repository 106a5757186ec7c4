/* Many reconstructions in one process, with everything around them: files, errors, cancelled fits, models loaded again.
 * Memory must stay flat.
 *
 *   soak FOLDER PHOTO [ROUNDS]      500 by default; Tests/soak.sh builds and runs it
 *
 * The resident memory after the last round is compared with that after a tenth of them. */
#include <garface.h>
#include <malloc.h>
#include <unistd.h>

#include "check.h"

/* What may be gained from the first tenth on: less than one mesh of the default head (187 KB) in every round. */
static const double allowed_mb = 6, allowed_mb_per_round = 0.01;

static const char few_steps[] =
    "{\"stages\":[{\"name\":\"points\",\"optimiser\":\"gauss_newton\",\"iterations\":3,\"blocks\":[\"identity\",\"expression\","
    "\"rotation\",\"similarity\"]},{\"name\":\"picture\",\"optimiser\":\"adam\",\"iterations\":2,\"blocks\":[\"w_plus\","
    "\"identity\",\"noise\"],\"steps\":{\"w_plus\":0.02,\"identity\":0.02,\"noise\":0.02},\"silhouettes\":true}]}";
static const char shading_steps[] =
    "{\"stages\":[{\"name\":\"shading\",\"optimiser\":\"lbfgs\",\"iterations\":2,\"blocks\":[\"albedo\",\"light\",\"identity\"],"
    "\"steps\":{\"albedo\":0.1,\"light\":0.1,\"identity\":0.1}}]}";

static double resident_mb(void) {
    long pages = 0, size = 0;
    malloc_trim(0); /* what the allocator keeps for later is no leak */
    FILE *file = fopen("/proc/self/statm", "r");
    if (!file || fscanf(file, "%ld %ld", &size, &pages) != 2) pages = 0;
    if (file) fclose(file);
    return (double)pages * (double)sysconf(_SC_PAGESIZE) / 1e6;
}

static bool stop_half_way(void *user, float fraction, const char *stage) {
    (void)user, (void)stage;
    return fraction < 0.5f;
}

static void errors(const gar_models *models, const gar_image *photo, int round) {
    gar_image *image = NULL;
    gar_result *result = NULL;
    gar_head *head = NULL;
    uint8_t noise[600];
    for (size_t i = 0; i < sizeof noise; i++) noise[i] = (uint8_t)((i + (size_t)round) * 2654435761u >> 16);
    EXPECT(gar_image_decode(noise, sizeof noise, &image), GAR_UNSUPPORTED_FORMAT);
    memcpy(noise, "\x89PNG\r\n\x1a\n", 8);
    EXPECT(gar_image_decode(noise, sizeof noise, &image), GAR_MALFORMED_FILE);
    EXPECT(gar_head_load("/no/such/head.safetensors", &head), GAR_FILE_NOT_FOUND);
    gar_options options;
    gar_options_init(&options);
    options.schedule = "{\"stages\":[{\"name\":1}]}";
    EXPECT(gar_reconstruct(models, photo, &options, &result), GAR_MALFORMED_FILE);
    uint8_t grey[64 * 64 * 3];
    memset(grey, 90, sizeof grey);
    EXPECT(gar_image_create(grey, 64, 64, 0, &image), GAR_OK);
    EXPECT(gar_reconstruct(models, image, NULL, &result), GAR_NO_FACE);
    gar_image_release(image);
}

static void read_all(const gar_result *result, const char *folder, int round) {
    size_t count = 0;
    float *values = NULL;
    for (gar_array which = 0; which <= (round % 10 ? GAR_ARRAY_PART_MAP : GAR_ARRAY_UV_VISIBILITY); which++) {
        if (gar_result_get_array(result, which, NULL, 0, &count) != GAR_OK || count == 0) continue;
        values = realloc(values, count * sizeof *values);
        EXPECT(gar_result_get_array(result, which, values, count, &count), GAR_OK);
    }
    free(values);
    if (round % 10 == 0) EXPECT(gar_result_write(result, folder, GAR_WRITE_STANDARD), GAR_OK);
}

int main(int argc, char **argv) {
    if (argc < 3) return 2;
    const char *folder = argv[1];
    const int rounds = argc > 3 ? atoi(argv[3]) : 500, settled = rounds / 10 < 5 ? 5 : rounds / 10;
    gar_models *models = NULL;
    double before = 0, now = 0, most = 0;
    EXPECT(gar_models_load(NULL, &models), GAR_OK);
    for (int round = 1; round <= rounds && check_failures == 0; round++) {
        gar_image *photo = NULL;
        gar_result *result = NULL;
        gar_options options;
        gar_options_init(&options);
        EXPECT(gar_image_load(argv[2], &photo), GAR_OK);
        if (round % 10 == 0) {
            gar_models *fresh = NULL;
            EXPECT(gar_models_load(NULL, &fresh), GAR_OK);
            gar_models_release(models);
            models = fresh;
        }
        options.renderer = round % 3 == 0 ? GAR_RENDERER_GAR : round % 3 == 1 ? GAR_RENDERER_SH : GAR_RENDERER_START;
        options.schedule = round % 3 == 0 ? few_steps : round % 3 == 1 ? shading_steps : NULL;
        EXPECT(gar_reconstruct(models, photo, &options, &result), GAR_OK);
        if (result) read_all(result, folder, round);
        gar_result_release(result);
        errors(models, photo, round);
        if (round % 5 == 0) { /* a fit that is cancelled, and goes on */
            gar_fit *fit = NULL;
            gar_options_init(&options);
            EXPECT(gar_fit_create(models, photo, NULL, &fit), GAR_OK);
            EXPECT(gar_fit_run(fit, few_steps, stop_half_way, NULL), GAR_CANCELLED);
            EXPECT(gar_fit_run(fit, few_steps, NULL, NULL), GAR_OK);
            gar_fit_release(fit);
        }
        gar_image_release(photo);
        if (round == settled || round % (rounds < 100 ? 10 : 50) == 0 || round == rounds) {
            now = resident_mb();
            if (round == settled) before = now;
            if (now > most) most = now;
            printf("round %d: %.1f MB\n", round, now);
            fflush(stdout);
        }
    }
    gar_models_release(models);
    const double allowed = allowed_mb + allowed_mb_per_round * (rounds - settled);
    printf("%d reconstructions: %.1f MB after %d, %.1f MB at the end, %.1f MB at most; %.1f MB more are allowed\n", rounds, before,
        settled, now, most, allowed);
    CHECK(before > 0 && now - before < allowed);
    return check_report("soak");
}

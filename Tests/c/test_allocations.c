/* An iteration of a fit through a renderer asks for no memory: a longer fit makes as many requests as a shorter one. This
 * program's own malloc stands in front of the C library's, for the library, too. What C++ code asks for is left out: that
 * is oneDNN, which does so at every call. argv: working folder, then the sample photo. */
#define _GNU_SOURCE
#include <garface.h>
#include <ctype.h>
#include <link.h>
#include <stdatomic.h>

#include "check.h"

static atomic_long requests;
/* Where the C++ library lies, whose operator new comes here, too. */
static uintptr_t cpp_begin, cpp_end;

static int find_cpp(struct dl_phdr_info *object, size_t size, void *unused) {
    (void)size, (void)unused;
    if (!object->dlpi_name || !strstr(object->dlpi_name, "libstdc++.so")) return 0;
    for (int k = 0; k < object->dlpi_phnum; k++) {
        const uintptr_t begin = object->dlpi_addr + object->dlpi_phdr[k].p_vaddr, end = begin + object->dlpi_phdr[k].p_memsz;
        if (object->dlpi_phdr[k].p_type != PT_LOAD) continue;
        if (!cpp_begin || begin < cpp_begin) cpp_begin = begin;
        if (end > cpp_end) cpp_end = end;
    }
    return 1;
}

#define COUNT() \
    do { \
        const uintptr_t from = (uintptr_t)__builtin_return_address(0); \
        if (from < cpp_begin || from >= cpp_end) atomic_fetch_add(&requests, 1); \
    } while (0)

void *__libc_malloc(size_t size);
void *__libc_calloc(size_t count, size_t size);
void *__libc_realloc(void *old, size_t size);
void *__libc_memalign(size_t alignment, size_t size);

void *malloc(size_t size) {
    COUNT();
    return __libc_malloc(size);
}

void *calloc(size_t count, size_t size) {
    COUNT();
    return __libc_calloc(count, size);
}

void *realloc(void *old, size_t size) {
    COUNT();
    return __libc_realloc(old, size);
}

void *aligned_alloc(size_t alignment, size_t size) {
    COUNT();
    return __libc_memalign(alignment, size);
}

int posix_memalign(void **out, size_t alignment, size_t size) {
    COUNT();
    *out = __libc_memalign(alignment, size);
    return *out ? 0 : 12;
}

/* The standard schedule with so many iterations in every stage that descends. (Landmark stages solve small systems of
 * equations a few times; they have lists of their own.) */
static void schedule_of(gar_renderer_kind renderer, int iterations, char *out, size_t capacity) {
    static char standard[1 << 16];
    size_t count, at = 0;
    CHECK(gar_schedule_get_json(renderer, standard, sizeof standard, &count) == GAR_OK);
    const char *key = "\"iterations\"", *solver = "gauss_newton";
    for (const char *s = standard; *s && at + 32 < capacity;) {
        if (strncmp(s, key, strlen(key)) != 0) {
            out[at++] = *s++;
            continue;
        }
        const char *stage = s, *end = strchr(s, '}');      /* the stage's own braces hold its optimiser */
        while (stage > standard && strncmp(stage, "\"name\"", 6) != 0) stage--;
        const char *solves = strstr(stage, solver);
        s += strlen(key) + strspn(s + strlen(key), ": ");
        const int before = (int)strtol(s, NULL, 10);
        while (isdigit((unsigned char)*s)) s++;
        at += (size_t)sprintf(out + at, "%s:%d", key, solves && end && solves < end ? before : iterations);
    }
    out[at] = 0;
}

/* Requests of a run, every stage with so many iterations. */
static long requests_of(gar_fit *fit, gar_renderer_kind renderer, int iterations) {
    static char schedule[1 << 16];
    schedule_of(renderer, iterations, schedule, sizeof schedule);
    const long before = atomic_load(&requests);
    CHECK(gar_fit_run(fit, schedule, NULL, NULL) == GAR_OK);
    return atomic_load(&requests) - before;
}

int main(int argc, char **argv) {
    if (argc < 3) return 2;
    dl_iterate_phdr(find_cpp, NULL);
    gar_models *models;
    gar_image *photo;
    CHECK(gar_models_load(NULL, &models) == GAR_OK);
    CHECK(gar_image_load(argv[2], &photo) == GAR_OK);
    const gar_renderer_kind renderers[] = {GAR_RENDERER_GAR, GAR_RENDERER_SH};
    for (int k = 0; k < 2; k++) {
        gar_options options;
        gar_options_init(&options);
        options.renderer = renderers[k];
        gar_fit *fit;
        CHECK(gar_fit_create(models, photo, &options, &fit) == GAR_OK);
        CHECK(atomic_load(&requests) > 100);      /* it does stand in front */
        requests_of(fit, renderers[k], 2);
        const long few = requests_of(fit, renderers[k], 3), many = requests_of(fit, renderers[k], 43);
        printf("requests for memory, renderer %d: %ld in stages of 3 iterations, %ld of 43\n", (int)renderers[k], few, many);
        CHECK(many - few < 40);      /* setting a fit up takes a dozen more or less; one an iteration would be 40 a stage */
        gar_fit_release(fit);
    }
    gar_image_release(photo);
    gar_models_release(models);
    return check_report("allocations");
}

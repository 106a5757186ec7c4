/* The few lines of test support the C tests need. */
#ifndef GARFACE_TEST_CHECK_H
#define GARFACE_TEST_CHECK_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int checks = 0, check_failures = 0;

#define CHECK(condition)                                                              \
    do {                                                                              \
        checks++;                                                                     \
        if (!(condition)) {                                                           \
            check_failures++;                                                         \
            fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition);           \
        }                                                                             \
    } while (0)

/* The call returns this status, and a failure comes with a sentence. */
#define EXPECT(call, expected)                                                        \
    do {                                                                              \
        gar_status status_ = (call);                                                  \
        checks++;                                                                     \
        if (status_ != (expected) || (status_ != GAR_OK && strlen(gar_last_error()) < 8)) { \
            check_failures++;                                                         \
            fprintf(stderr, "%s:%d: %s: got %s (%s), expected %s\n", __FILE__, __LINE__, #call, \
                gar_status_string(status_), gar_last_error(), gar_status_string(expected)); \
        }                                                                             \
    } while (0)

static int check_report(const char *name) {
    printf("%s: %d checks, %d failures\n", name, checks, check_failures);
    return check_failures == 0 ? 0 : 1;
}

#endif

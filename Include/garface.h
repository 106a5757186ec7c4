/* garface.h: one photo in, a 3D face out, by inverting a generative adversarial renderer (GAR).
 *
 * This header is the manual of libgarface. It goes from simple to advanced:
 *
 *   1. Basics      version, status codes, the last error, log, threads, conventions
 *   2. Simple      one call: a photo file in, a folder of results out
 *   3. Context     models, images, faces and results as objects in memory
 *   4. Advanced    the head model, the renderer and the fit on their own, with gradients
 *
 * It is valid C11 and C++17 by itself. SPDX-License-Identifier: MIT
 *
 * ---------------------------------------------------------------------------------------------
 * Rules that hold for every function
 *
 * Errors       Functions that can fail return a gar_status. After anything but GAR_OK,
 *              gar_last_error() holds a sentence that says which argument or file, and why.
 *              GAR_INVALID_ARGUMENT comes back for NULL (wherever a pointer is not said to be
 *              optional), for handles that are released, foreign or of another type, and for
 *              values out of range or not finite. No call aborts or throws. The errors listed
 *              with a function are those beyond GAR_INVALID_ARGUMENT, GAR_OUT_OF_MEMORY and
 *              GAR_INTERNAL_ERROR.
 * Outputs      On failure, `*out` handles are NULL; buffers may have been written in part.
 * Ownership    Handles are created and released in pairs; releasing NULL, or a handle already
 *              released, does nothing. Buffers belong to the caller. Strings that the library
 *              returns are its own and are not freed.
 * Sizes        Functions that fill a buffer take its capacity in elements and write the number
 *              needed to *count. With buffer NULL and capacity 0 they only write *count. With
 *              too small a capacity they write *count, leave the buffer alone and return
 *              GAR_BUFFER_TOO_SMALL. Text counts its terminating zero.
 * Threads      Distinct handles may be used on distinct threads at the same time. gar_models,
 *              gar_image, gar_result and gar_head are immutable: share them freely. gar_renderer
 *              and gar_fit change while in use: a second call on one meanwhile returns GAR_BUSY.
 * Options      Structs that begin with `struct_size` are filled with defaults by their _init
 *              function, so that a program built against this header runs with later libraries.
 * Text         Paths and text are UTF-8. Numbers are IEEE float, angles degrees, lengths
 *              millimetres, unless said otherwise.
 *
 * ---------------------------------------------------------------------------------------------
 * Conventions
 *
 * Model space  Millimetres; x to the subject's left, y up, z out of the face; right-handed;
 *              triangles counter-clockwise seen from outside.
 * Camera space Millimetres; x right in the picture, y up, z towards the viewer. A model point p
 *              is at R p, with R = Rz(roll) Rx(-pitch) Ry(yaw):
 *
 *                       | cos r  -sin r  0 |               | 1    0       0    |
 *              Rz(r)  = | sin r   cos r  0 |    Rx(-p)  =  | 0  cos p   sin p  |
 *                       |   0       0    1 |               | 0 -sin p   cos p  |
 *
 *                       |  cos y   0  sin y |
 *              Ry(y)  = |    0     1    0   |
 *                       | -sin y   0  cos y |
 *
 *              Yaw is positive when the subject turns to their left (the nose moves right in the
 *              picture), pitch when they look up, roll when the head tilts counter-clockwise as
 *              seen in the picture.
 * Photo        Pixels, u to the right and v down, pixel centres at whole numbers, the top left
 *              pixel at (0, 0). Weak perspective with scale s in pixels per millimetre:
 *
 *              u =  s (R p).x + tx
 *              v = -s (R p).y + ty
 *
 * Landmarks    The 68 Multi-PIE / iBUG points in published order: 0-16 jaw from the subject's
 *              right ear to the left, 17-21 right brow, 22-26 left brow, 27-30 nose bridge, 31-35
 *              nose base, 36-41 right eye, 42-47 left eye, 48-59 outer lip, 60-67 inner lip.
 *              Static points sit at fixed places of the mesh; contour points are the same, but
 *              the jaw (0-16) follows the outline that is visible in the photo, as people mark it.
 *              Five points, where they are accepted: right eye centre, left eye centre, nose tip,
 *              right and left mouth corner (the subject's right, which is left in the picture).
 * Images       8-bit RGB, row-major, top row first, rows `stride` bytes apart.
 * Aligned      GAR works in a square frame around the head: orthographic, 115 mm from the centre
 * frame        to each side, the centre 5 mm above the model's origin (the weight file says so).
 *              NDC in it: x right, y up, both -1 to 1, z towards the viewer.
 */
#ifndef GARFACE_H
#define GARFACE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* =============================================================================================
 * 1. Basics
 * ============================================================================================= */

/* The version of this header. Before 1.0, a minor version may change the interface; from 1.0 on
 * only a new SO version (libgarface.so.2) may. */
#define GARFACE_VERSION_MAJOR 0
#define GARFACE_VERSION_MINOR 1
#define GARFACE_VERSION_PATCH 0

/* The outcome of a call. The numbers are frozen. */
typedef int32_t gar_status;
enum {
    GAR_OK = 0,
    GAR_INVALID_ARGUMENT = 1,   /* NULL, a bad handle, a value out of range or not finite */
    GAR_BUFFER_TOO_SMALL = 2,   /* *count says how many elements are needed */
    GAR_FILE_NOT_FOUND = 3,     /* no such file or folder */
    GAR_FILE_UNREADABLE = 4,    /* it exists but cannot be read */
    GAR_FILE_UNWRITABLE = 5,    /* the file or folder cannot be written */
    GAR_MALFORMED_FILE = 6,     /* truncated or damaged */
    GAR_UNSUPPORTED_FORMAT = 7, /* a format this build does not read, see gar_build_info */
    GAR_WRONG_MODEL = 8,        /* weights of another kind, version or size than expected */
    GAR_NO_FACE = 9,            /* the picture shows no face that could be found */
    GAR_TOO_LARGE = 10,         /* a picture or file beyond the limits */
    GAR_OUT_OF_MEMORY = 11,
    GAR_CANCELLED = 12,         /* the progress callback returned false */
    GAR_NUMERICAL_FAILURE = 13, /* a computation gave no finite result */
    GAR_BUSY = 14,              /* another thread is using this handle */
    GAR_INTERNAL_ERROR = 15     /* a defect of the library: please report it */
};

/* The library's version: 10000 * major + 100 * minor + patch. Any thread. Since 0.1. */
int32_t gar_version(void);

/* What this library was built with, as a JSON object in one line: version, convolution paths,
 * image formats. The string lives as long as the process. Any thread. Since 0.1. */
const char *gar_build_info(void);

/* The name of a status, such as "GAR_NO_FACE"; "unknown status" for other numbers. The string
 * lives as long as the process. Any thread. Since 0.1. */
const char *gar_status_string(gar_status status);

/* The sentence about the last call that failed on this thread; "" when none has. Valid until the
 * next call that fails on this thread, or its end. Since 0.1. */
const char *gar_last_error(void);

/* How many threads the library's matrix and convolution routines may use in this process, 1 to
 * 256; the default is the number of cores. Results are the same from run to run for one thread
 * count, seed and machine. Not while other calls run. Since 0.1. */
gar_status gar_threads_set(int32_t count);

/* Progress: a fraction from 0 to 1 that does not fall, and what is being done. The string is valid
 * during the callback. Return true to go on, false to cancel: the call then ends with
 * GAR_CANCELLED. It runs on the thread of the call and must not throw or call the library with
 * the same mutable handle. */
typedef bool (*gar_progress_callback)(void *user, float fraction, const char *stage);

#ifdef __cplusplus
}
#endif
#endif

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
 *              values out of range or not finite. Finite numbers so large that a result is not
 *              finite give GAR_NUMERICAL_FAILURE. No call aborts or throws. The errors listed with
 *              a function are those beyond GAR_INVALID_ARGUMENT, GAR_OUT_OF_MEMORY,
 *              GAR_INTERNAL_ERROR and, in part 4, GAR_NUMERICAL_FAILURE.
 * Outputs      On failure, `*out` handles are NULL; buffers may have been written in part.
 * Ownership    Handles are created and released in pairs; releasing NULL, or a handle already
 *              released, does nothing. Buffers belong to the caller. Strings that the library
 *              returns are its own and are not freed.
 * Sizes        Functions that fill a buffer take its capacity in elements and write the number
 *              needed to *count. With buffer NULL and capacity 0 they only write *count. With
 *              too small a capacity they write *count, leave the buffer alone and return
 *              GAR_BUFFER_TOO_SMALL. Text counts its terminating zero.
 * Threads      Distinct handles may be used on distinct threads at the same time. gar_models,
 *              gar_image, gar_result and gar_head are immutable: share them freely. gar_renderer,
 *              gar_fit and gar_tracker change while in use: a second call on one meanwhile returns
 *              GAR_BUSY.
 * Options      Structs that begin with `struct_size` are filled with defaults by their _init
 *              function, so that a program built against this header runs with later libraries.
 * Files        May come from anywhere: every size, index and number is checked before it is used, and
 *              memory is only taken for what a file really holds. What is larger is refused. Photos:
 *              16,384 pixels a side, 100 million in all, 2^30 bytes, 500 scans of a progressive JPEG.
 *              safetensors: 2^32 bytes, 2^24 of them the header; head models of a million vertices,
 *              two million triangles, 1000 modes a basis and 64 joints; renderers of 1024 pixels
 *              and 8192 channels; other networks of 64 layers and 4096 channels. Landmarks: 2^20
 *              bytes. JSON: 64 levels. Files of a result that a view shows: 2^28 bytes.
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
 *              Landmarks are where people mark them in photos: at the places that the model's file
 *              names for that, which may lie some mm off the skin, and the jaw (0-16) on the outline
 *              that is visible, at equal distances in the picture between either end and the chin
 *              (or where a table of the model's file has them, as FLAME's).
 *              Static landmarks are the head model's own, fixed places of the mesh: those of the
 *              default head lie up to 10 mm from where people mark the same points, at the ends of
 *              the jaw and on brows. Of a model whose file names no such places both are the same
 *              but for jaw points that the turned head hides.
 *              Five points, where they are accepted: right eye centre, left eye centre, nose tip,
 *              right and left mouth corner (the subject's right, which is left in the picture).
 *              See gar_landmark_scheme for the points of dlib and MediaPipe. Whatever gave them, the
 *              library wants photo pixels, the first pixel's centre at (0, 0): dlib's are that; the
 *              .pts files of 300-W count from 1, so subtract 1; MediaPipe's x and y are widths and
 *              heights of the picture, so u = x * width - 0.5 and v = y * height - 0.5.
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

/* What this library was built with and runs on, as a JSON object in one line: version, convolution paths, "kernels" (the
 * instructions that its own code uses here: AVX-512, AVX2 or none), image formats. The string lives as long as the process. Any thread. Since 0.1. */
const char *gar_build_info(void);

/* The name of a status, such as "GAR_NO_FACE"; "unknown status" for other numbers. The string
 * lives as long as the process. Any thread. Since 0.1. */
const char *gar_status_string(gar_status status);

/* The sentence about the last call that failed on this thread; "" when none has. Valid until the
 * next call that fails on this thread, or its end. Since 0.1. */
const char *gar_last_error(void);

/* How many threads the library may work on in this process, 1 to 256, whoever calls it: on as many
 * less one of its own, which are started when first needed. The default is 1: a face is a small
 * problem, and several photos on several threads of yours scale better. A second one makes a fit a
 * third quicker where a core is idle, and a fifth slower where none is. A forked process has
 * threads of its own. Results are the same to the bit for any count, on one machine and
 * for one seed. Call it before loading models, not while other calls run. Since 0.1. */
gar_status gar_threads_set(int32_t count);

/* What the library has to say while it works: one line, without a line break; valid during the
 * callback. It comes on the thread of the call it is about and must not throw. */
typedef void (*gar_log_callback)(void *user, const char *message);

/* Sends the library's messages (models loaded, faces found, stages run, with times and energies) to
 * a callback; NULL, the default, drops them. The library never prints. Any thread; messages of
 * calls that run meanwhile may still reach the callback before. Since 0.1. */
void gar_log_set(gar_log_callback callback, void *user);

/* Progress: a fraction from 0 to 1 that does not fall, and what is being done. The string is valid
 * during the callback. Return true to go on, false to cancel: the call then ends with
 * GAR_CANCELLED. It runs on the thread of the call and must not throw or call the library with
 * the same mutable handle. */
typedef bool (*gar_progress_callback)(void *user, float fraction, const char *stage);

/* =============================================================================================
 * 2. Simple: a photo in, a folder out
 * ============================================================================================= */

/* What explains the photo while the face is refined. Every choice starts from the same detector
 * and inverse network. */
typedef int32_t gar_renderer_kind;
enum {
    GAR_RENDERER_GAR = 0,       /* the generative adversarial renderer: the method of this library */
    GAR_RENDERER_SH = 1,        /* spherical-harmonics shading of vertex albedo, the classical baseline */
    GAR_RENDERER_LANDMARKS = 2, /* no renderer: the 68 points only */
    GAR_RENDERER_START = 3      /* no refinement: what the inverse network says */
};

/* Which files are written to a folder: a sum of these. */
enum {
    GAR_WRITE_PARAMETERS = 1, /* parameters.json and parameters.safetensors */
    GAR_WRITE_LANDMARKS = 2,  /* landmarks.pts (as people mark them), landmarks_static.pts, landmarks.json */
    GAR_WRITE_OBJ = 4,        /* head_posed.obj and head_neutral.obj, mm */
    GAR_WRITE_PLY = 8,        /* head_posed.ply and head_neutral.ply, mm */
    GAR_WRITE_MAPS = 16,      /* normals.png, depth.png and parts.png on the photo's pixels; uv_normals.png,
                                 uv_parts.png and uv_visibility.png laid out as the texture */
    GAR_WRITE_PICTURES = 32,  /* render.png (where a renderer took part), crop.png, the photo it saw, and
                                 input.png, the whole photo at no more than 1024 pixels a side */
    GAR_WRITE_OVERLAY = 64,   /* overlay.png: photo, mesh over photo, normals and render side by side */
    GAR_WRITE_TEXTURE = 128,  /* texture.png, head_textured.obj with head_textured.mtl, and head_coloured.ply, mm */
    GAR_WRITE_GLB = 256,      /* head.glb: binary glTF 2.0, metres; texture, expressions, eyes, camera */
    GAR_WRITE_ARRAYS = 512,   /* for numpy: normals.npy, depth.npy, position.npy and parts.npy on the photo's
                                 pixels; uv_normals.npy, uv_position.npy, uv_parts.npy and uv_visibility.npy
                                 laid out as the texture. See GAR_ARRAY_... */
    GAR_WRITE_STANDARD = 511, /* everything but the arrays, which are large */
    GAR_WRITE_ALL = 1023
};

/* A face in a photo: the square that the head fills in the aligned frame. The layout is frozen. */
typedef struct gar_face {
    float centre_u; /* pixels, the square's centre */
    float centre_v;
    float size;     /* pixels, the square's side: 230 mm of the head model */
    float roll;     /* degrees, positive counter-clockwise in the picture */
    float score;    /* 0 to 1, how sure the detector is; ignored as input */
} gar_face;

/* What given points of a face are, and their order. */
typedef int32_t gar_landmark_scheme;
enum {
    GAR_LANDMARKS_BY_COUNT = 0,  /* 5, 68, 468 and 478 points say it themselves */
    GAR_LANDMARKS_FIVE = 1,      /* 5: right and left eye centre, nose tip, right and left mouth corner, as
                                    MTCNN and RetinaFace give them. They place the face, and are not fitted to */
    GAR_LANDMARKS_IBUG68 = 2,    /* the 68 of iBUG, Multi-PIE and 300-W, which dlib's predictor gives too */
    GAR_LANDMARKS_MEDIAPIPE = 3, /* the 468 of MediaPipe's face mesh, or 478 with the irises, in its order.
                                    68 of them are taken, less where they lie beside the head model's
                                    own (the mean over 12,000 photographs, up to 12 mm along the jaw;
                                    Sources/Inversion/MeshDetectorPoints.swift has the table); the
                                    jaw counts a third, and is not taken for the visible contour */
    GAR_LANDMARKS_DLIB5 = 4      /* 5 of dlib: outer and inner corner of the left eye, of the right eye, base
                                    of the nose: points 45, 42, 36, 39 and 33 of the 68 */
};

/* Options of a reconstruction. Fill with gar_options_init, then change what you want. At most one of
 * landmarks, face and box may be given; with none of them the face is searched for. */
typedef struct gar_options {
    size_t struct_size;          /* set by gar_options_init */
    uint64_t seed;               /* seeds every random choice of a fit. No step of this version makes one, so
                                    results do not depend on it; 0 */
    gar_renderer_kind renderer;  /* GAR_RENDERER_GAR */
    uint32_t files;              /* GAR_WRITE_..., for gar_reconstruct_file; GAR_WRITE_STANDARD */
    bool all_faces;              /* gar_reconstruct_file: every face; the names of the files then open
                                    with face1_, face2_, ...; false, which takes the most prominent */
    int32_t landmark_count;      /* 0, 5, 68, 468 or 478: how many points `landmarks` holds; 0 */
    const float *landmarks;      /* optional: u, v pairs in photo pixels, 68 as people mark them (of a
                                    result: GAR_ARRAY_LANDMARKS, not the static ones); finite, in the photo (cut faces may reach out)
                                    and forming a face: points on a line, mirrored or in another
                                    order are GAR_INVALID_ARGUMENT; NULL */
    const gar_face *face;        /* optional: take this face, from gar_faces_detect; NULL */
    const float *box;            /* optional: the face's box as left, top, width, height in pixels, about
                                    ear to ear and brows to chin as face detectors give it; NULL */
    const char *schedule;        /* optional: the stages of the fit as JSON, see gar_schedule_get_json;
                                    NULL takes the standard ones of `renderer`; an empty list of
                                    stages is the same as GAR_RENDERER_START */
    gar_progress_callback progress; /* optional; NULL */
    void *progress_user;         /* handed to `progress` */
    /* Programs built before these were added run without them. */
    const float *landmark_confidences; /* optional: how sure each of 5 or 68 points is, 0 to 1: a point's
                                    expected error is 1 mm divided by it, and 0 leaves the point out
                                    (3 of 5, 5 of 68 must be above 0); not for a mesh; NULL: all 1 */
    gar_landmark_scheme landmark_scheme; /* GAR_LANDMARKS_BY_COUNT */
} gar_options;

/* Fills the defaults given above. Does nothing for NULL. Any thread. Since 0.1. */
void gar_options_init(gar_options *options);

/* Reads points of a face from a text file: .pts as 300-W has it, or lines of u and v, separated by white
 * space, commas or semicolons, lines that open with # being skipped; or all pairs in one line. A third
 * number is the confidence of a point, among 468 or 478 points its depth, which is not looked at.
 * Numbers are handed out as they stand: see "Landmarks" above for where pixels are counted from.
 *
 * buffer  [points, 3] u, v and confidence (1 where the file has none); see "Sizes" above
 * Errors  GAR_FILE_NOT_FOUND, GAR_FILE_UNREADABLE, GAR_TOO_LARGE (1 MiB), GAR_MALFORMED_FILE,
 *         GAR_BUFFER_TOO_SMALL
 * Any thread. Since 0.1. */
gar_status gar_landmarks_load(const char *path, float *buffer, size_t capacity, size_t *count);

/* Reconstructs the face in a PNG or JPEG file with the models inside the library and writes the
 * result into `folder`, which is created if need be. All files are written or none. The models are
 * loaded for every call; use gar_models and gar_reconstruct for many photos.
 *
 * What an earlier call left in the folder is replaced: of the files that options->files asks for,
 * those that this result does not have are removed (render.png where no renderer took part; with
 * all_faces the face3_... of a call that found more faces). Nothing else is touched. A photo that a
 * file of the result would replace is GAR_INVALID_ARGUMENT, before any work.
 *
 * options   optional: NULL takes the defaults
 * Errors    GAR_FILE_NOT_FOUND, GAR_FILE_UNREADABLE, GAR_MALFORMED_FILE, GAR_UNSUPPORTED_FORMAT,
 *           GAR_TOO_LARGE (the photo), GAR_MALFORMED_FILE (the schedule), GAR_NO_FACE,
 *           GAR_FILE_UNWRITABLE (the folder), GAR_CANCELLED, GAR_NUMERICAL_FAILURE
 * Any thread. Since 0.1. */
gar_status gar_reconstruct_file(const char *photo, const char *folder, const gar_options *options);

/* Makes one HTML page, view.html, to look at a result in a browser: photo, a head to turn, normals,
 * losses, and a slider for each expression. The page needs no network and no other file.
 *
 * folder    holds input.png, normals.png, head.glb and parameters.json as GAR_WRITE_STANDARD writes
 *           them; the page is written there
 * face      0; or the number of the face, where names open with face1_, face2_, ... (all_faces)
 * Errors    GAR_FILE_NOT_FOUND, GAR_FILE_UNREADABLE, GAR_MALFORMED_FILE, GAR_TOO_LARGE,
 *           GAR_FILE_UNWRITABLE
 * Any thread. Since 0.1. */
gar_status gar_view_write(const char *folder, int32_t face);

/* =============================================================================================
 * 3. Context: models, images, faces, results
 * ============================================================================================= */

/* Everything that was learnt: head model, renderer, inverse network, face detector. Immutable. */
typedef struct gar_models gar_models;
/* A picture. Immutable. */
typedef struct gar_image gar_image;
/* A reconstructed face. Immutable. */
typedef struct gar_result gar_result;

/* Files that replace the models inside the library; NULL keeps the one inside. Each is a
 * safetensors file with a `garface` metadata entry (kind, version, sizes).
 *
 * A head model of another family than the default one (Basel, FLAME, ...: see the README) works with
 * the inverse network inside: it then says where the face is and how it is turned, and identity and
 * expression start at zero. */
typedef struct gar_model_files {
    size_t struct_size;          /* set by gar_model_files_init */
    const char *head_model;      /* kind "head-model" */
    const char *renderer;        /* kind "gar" */
    const char *inverse_network; /* kind "inverse-network"; with a close-up network, or without */
    const char *face_detector;   /* kind "face-detector" */
} gar_model_files;

/* Fills the defaults (NULL everywhere). Does nothing for NULL. Any thread. Since 0.1. */
void gar_model_files_init(gar_model_files *files);

/* Loads models once, to be shared by all threads.
 *
 * files   optional: NULL takes all models inside the library
 * out     receives the handle; release it with gar_models_release
 * Errors  GAR_FILE_NOT_FOUND, GAR_FILE_UNREADABLE, GAR_MALFORMED_FILE, GAR_WRONG_MODEL (another
 *         kind, version or size, or models that do not fit each other), GAR_TOO_LARGE
 * Any thread. Since 0.1. */
gar_status gar_models_load(const gar_model_files *files, gar_models **out);

/* Releases models; results and fits made with them stay valid. Any thread. Since 0.1. */
void gar_models_release(gar_models *models);

/* What the models are, as a JSON object: kinds, sizes, where each came from. Any thread.
 * Errors  GAR_BUFFER_TOO_SMALL. Since 0.1. */
gar_status gar_models_get_json(const gar_models *models, char *buffer, size_t capacity, size_t *count);

/* Reads a PNG file, or a JPEG file if this build reads JPEG (see gar_build_info). EXIF orientation
 * is honoured, alpha is laid over white, 16 bits are reduced to 8. At most 16,384 pixels a
 * side and 100 million in all, and a file of at most 2^30 bytes.
 *
 * out     receives the handle; release it with gar_image_release
 * Errors  GAR_FILE_NOT_FOUND, GAR_FILE_UNREADABLE, GAR_MALFORMED_FILE, GAR_UNSUPPORTED_FORMAT,
 *         GAR_TOO_LARGE
 * Any thread. Since 0.1. */
gar_status gar_image_load(const char *path, gar_image **out);

/* The same from the bytes of a PNG or JPEG file in memory, which are not kept. Any thread.
 * Errors as gar_image_load, without those of files. Since 0.1. */
gar_status gar_image_decode(const uint8_t *bytes, size_t byte_count, gar_image **out);

/* Copies an 8-bit RGB picture of at most 16,384 pixels a side and 2^28 (268 million) in all: more
 * than gar_image_load reads, for the pixels are in memory already.
 *
 * pixels   `height` rows of 3 * width bytes, R G B; rows `stride` bytes apart (at least 3 * width,
 *          or 0 for exactly that)
 * Errors   GAR_TOO_LARGE
 * Any thread. Since 0.1. */
gar_status gar_image_create(
    const uint8_t *pixels, int32_t width, int32_t height, size_t stride, gar_image **out);

/* Releases an image. Any thread. Since 0.1. */
void gar_image_release(gar_image *image);

/* Width and height in pixels. Any thread. Since 0.1. */
gar_status gar_image_get_size(const gar_image *image, int32_t *width, int32_t *height);

/* Copies out 3 * width * height bytes of RGB without gaps. See "Sizes" above. Any thread.
 * Errors  GAR_BUFFER_TOO_SMALL. Since 0.1. */
gar_status gar_image_get_pixels(
    const gar_image *image, uint8_t *buffer, size_t capacity, size_t *count);

/* Writes an image to a .png, .jpg or .jpeg file, whole or not at all. Any thread.
 * Errors  GAR_UNSUPPORTED_FORMAT, GAR_FILE_UNWRITABLE. Since 0.1. */
gar_status gar_image_write(const gar_image *image, const char *path);

/* Finds faces, the most prominent first (large, certain, near the middle); upright or rolled by up
 * to about 60 degrees, and, where there are none of these, on their sides or upside down. A picture
 * without faces is no error: *count is 0. See "Sizes" above; every call searches, so a buffer of,
 * say, 64 faces saves asking for the size.
 *
 * Any thread. Errors  GAR_BUFFER_TOO_SMALL. Since 0.1. */
gar_status gar_faces_detect(
    const gar_models *models, const gar_image *image, gar_face *buffer, size_t capacity,
    size_t *count);

/* Reconstructs one face: the one that options->landmarks, ->face or ->box points at, else the
 * most prominent that is found. options->files and ->all_faces are not looked at.
 *
 * options   optional: NULL takes the defaults
 * out       receives the handle; release it with gar_result_release
 * Errors    GAR_NO_FACE, GAR_CANCELLED, GAR_NUMERICAL_FAILURE, GAR_MALFORMED_FILE (the schedule)
 * Any thread; `progress` is called on it. Since 0.1. */
gar_status gar_reconstruct(
    const gar_models *models, const gar_image *image, const gar_options *options,
    gar_result **out);

/* Reconstructs one person from several photos: one identity for all of them, an expression, pose and look
 * for each. What is minimised is the sum of the photos' energies. A photo in which no face is found gives
 * no result and does not hinder the others.
 *
 * images    `count` of them, 1 to 64; each photo needs working memory of its own, about 100 MB with GAR
 * faces     optional: [count] where the faces are; those of size 0 are searched, and so are all where NULL;
 *           the most prominent face of a photo is taken: large, certain and near the middle
 * options   optional: `renderer`, `schedule`, `seed` and `progress` are looked at
 * results   [count] receives handles, NULL for photos without a face; release each with
 *           gar_result_release. Losses and stages of a result are those of all photos together
 * found     optional: how many results there are
 * Errors    GAR_NO_FACE (in none of the photos), GAR_CANCELLED, GAR_NUMERICAL_FAILURE, GAR_MALFORMED_FILE
 *           (the schedule)
 * Any thread; `progress` is called on it. Since 0.1. */
gar_status gar_reconstruct_person(
    const gar_models *models, const gar_image *const *images, int32_t count, const gar_face *faces,
    const gar_options *options, gar_result **results, int32_t *found);

/* How a batch gets on: photos that are through, of how many, and, where one just was, its row of the
 * manifest as a JSON object with its "index" in the list of photos; row is NULL about ten times a second,
 * only to ask. Return true to go on, false to end the batch. It runs on the thread of the call. */
typedef bool (*gar_batch_callback)(void *user, int32_t through, int32_t total, const char *row);

/* Options of a batch. Fill with gar_batch_options_init. */
typedef struct gar_batch_options {
    size_t struct_size;          /* set by gar_batch_options_init */
    int32_t threads;             /* photos at a time, to 256; 0: one per core of the machine */
    bool retry_failures;         /* whether photos that failed in an earlier call are tried again; true */
    bool write_manifest;         /* whether manifest.csv and manifest.json are written; true */
    gar_batch_callback progress; /* optional; NULL */
    void *progress_user;         /* handed to `progress` */
} gar_batch_options;

/* Fills the defaults given above. Does nothing for NULL. Any thread. Since 0.1. */
void gar_batch_options_init(gar_batch_options *options);

/* Reconstructs many photos, several at a time, each into a folder of its own below `output`: the photo's
 * path below the folder that was searched, or as it was given (a leading / dropped, .. as __). Each thread
 * of the call has working memory of its own; the models are shared. A photo that fails does not end the
 * batch.
 *
 * A folder's batch.json is written last and says which photo, files (and their sizes) and options it is of:
 * the same call again does only what is missing or of another size, what failed, and photos or options that
 * have changed. A photo that does not exist gets no folder. manifest.csv and manifest.json in `output` have a
 * row for each photo of the call: "status" ("done" or "failed"), "code" and "error"
 * (a gar_status and its name), "message", faces with their angles, files, and seconds.
 *
 * inputs    paths, `input_count` of them: each a .png, .jpg or .jpeg file, a folder, searched with all below
 *           it, or a UTF-8 text file with a path in each line (empty lines and those with # in front are
 *           skipped)
 * options   optional: `renderer`, `schedule`, `files`, `all_faces` and `seed` are looked at; `progress` is
 *           not; with landmarks, face or box: GAR_INVALID_ARGUMENT
 * batch     optional: NULL takes the defaults
 * done, failed  optional: how many photos are done, and have failed, earlier calls included
 * Errors    GAR_FILE_NOT_FOUND (also: no photo in any input), GAR_FILE_UNREADABLE (an input that is no photo),
 *           GAR_FILE_UNWRITABLE (`output`), GAR_MALFORMED_FILE (the schedule; an input that is neither a
 *           picture nor a list), GAR_INVALID_ARGUMENT (an input that is `output`), GAR_CANCELLED (the manifest then has what was done)
 * Any thread. Since 0.1. */
gar_status gar_batch_run(
    const gar_models *models, const char *const *inputs, size_t input_count, const char *output,
    const gar_options *options, const gar_batch_options *batch, int32_t *done, int32_t *failed);

/* Releases a result. Any thread. Since 0.1. */
void gar_result_release(gar_result *result);

/* The arrays of a result, row-major. Some are absent (0 elements) where no renderer took part. */
typedef int32_t gar_array;
enum {
    GAR_ARRAY_IDENTITY = 0,          /* [I] identity coefficients, unit variance; a fit to points
                                      * keeps each within 4 of the mean */
    GAR_ARRAY_EXPRESSION = 1,        /* [E] expression coefficients, 0 to 1 (default head) */
    GAR_ARRAY_POSE = 2,              /* [3] yaw, pitch, roll in degrees */
    GAR_ARRAY_CAMERA = 3,            /* [3, 4] (u, v, depth) = M (x, y, z, 1), model mm to photo pixels;
                                        depth, in pixels too, grows towards the viewer */
    GAR_ARRAY_WPLUS = 4,             /* [R, L] styles of the renderer; may be absent */
    GAR_ARRAY_NOISE = 5,             /* [M] noise maps, coarse to fine; may be absent */
    GAR_ARRAY_LANDMARKS = 6,         /* [68, 2] photo pixels, as people mark them: the jaw on the visible contour */
    GAR_ARRAY_LANDMARKS_STATIC = 7,  /* [68, 2] photo pixels, the model's own, fixed to the surface */
    GAR_ARRAY_LANDMARKS_3D = 8,      /* [68, 3] the model's own, model space, mm */
    GAR_ARRAY_VERTICES = 9,          /* [V, 3] with expression, model space, mm */
    GAR_ARRAY_VERTICES_POSED = 10,   /* [V, 3] with expression, camera space (R p), mm */
    GAR_ARRAY_VERTICES_NEUTRAL = 11, /* [V, 3] without expression, model space, mm */
    GAR_ARRAY_NORMALS_POSED = 12,    /* [V, 3] unit normals, camera space */
    GAR_ARRAY_NORMAL_MAP = 13,       /* [h, w, 3] unit normals, camera space, on the photo's pixels; 0
                                        beside the head. Above 2048 pixels a side, whole blocks of
                                        photo pixels share one: see gar_result_get_shape */
    GAR_ARRAY_DEPTH_MAP = 14,        /* [h, w] mm towards the viewer, 0 at the model's origin, on the
                                        same pixels; NaN beside the head */
    GAR_ARRAY_POSITION_MAP = 15,     /* [h, w, 3] the point with expression, model space, mm, that each of
                                        these pixels shows; NaN beside the head */
    GAR_ARRAY_PART_MAP = 16,         /* [h, w] index into part_names (see gar_head_get_json) of what each of
                                        these pixels shows; -1 beside the head */
    GAR_ARRAY_COLOURS = 17,          /* [V, 3] red, green, blue, 0 to 1 (sRGB): the texture at the vertices */
    GAR_ARRAY_VISIBILITY = 18,       /* [V] 0 to 1: how far the photo shows the vertex and gives its colour */
    GAR_ARRAY_UV_POSITION_MAP = 19,  /* [1024, 1024, 3] laid out as the texture: the surface's points with
                                        expression, model space, mm; NaN beside the islands */
    GAR_ARRAY_UV_NORMAL_MAP = 20,    /* [1024, 1024, 3] unit normals, model space; 0 beside the islands */
    GAR_ARRAY_UV_PART_MAP = 21,      /* [1024, 1024] index into part_names; -1 beside the islands */
    GAR_ARRAY_UV_VISIBILITY = 22,    /* [1024, 1024] 0 to 1: how much of the texel is the photo */
    GAR_ARRAY_GAZE = 23,             /* [2] where the eyes look, degrees against the head, to its left and up; NaN
                                        where the photo does not tell: eyes shut or hidden, glasses that mirror */
    GAR_ARRAY_COVERED_MAP = 24       /* [h, w] 0 to 1, on the pixels of the normal map: how far something else (a hand, a
                                        mask, sunglasses) covers what they show of the head; 0 beside it. What is covered is
                                        neither fitted nor painted on the texture: the renderer says what is below */
};

/* The shape of an array: its rank (1 to 3) and, written to shape[0], [1], [2], its dimensions, 1
 * beyond the rank. Absent arrays have a dimension of 0. Any thread. Since 0.1. */
gar_status gar_result_get_shape(
    const gar_result *result, gar_array which, int32_t *rank, int32_t shape[3]);

/* Copies an array out. See "Sizes" above. Any thread.
 * Errors  GAR_BUFFER_TOO_SMALL. Since 0.1. */
gar_status gar_result_get_array(
    const gar_result *result, gar_array which, float *buffer, size_t capacity, size_t *count);

/* [F, 3] vertex indices of the meshes, counter-clockwise from outside. Any thread.
 * Errors  GAR_BUFFER_TOO_SMALL. Since 0.1. */
gar_status gar_result_get_triangles(
    const gar_result *result, int32_t *buffer, size_t capacity, size_t *count);

/* The pictures of a result. */
typedef int32_t gar_picture;
enum {
    GAR_PICTURE_CROP = 0,    /* the photo in the aligned frame */
    GAR_PICTURE_RENDER = 1,  /* what the renderer made, in the aligned frame; may be absent */
    GAR_PICTURE_NORMALS = 2, /* the normal map, 127.5 (n + 1) */
    GAR_PICTURE_OVERLAY = 3, /* photo, mesh over photo, normals and render side by side */
    GAR_PICTURE_TEXTURE = 4, /* 1024 x 1024, laid out as gar_head_get_uvs says, top row v = 1: the photo where it
                                shows the head, completed by its mirror image, by GAR (where it took part) and by
                                colour carried on; eyes in rings around the line of sight */
    GAR_PICTURE_PHOTO = 5    /* the photo; of an edited face, the photo with it */
};

/* A picture of a result, as an image of its own; release it with gar_image_release.
 * GAR_INVALID_ARGUMENT for a render where no renderer took part. Any thread. Since 0.1. */
gar_status gar_result_get_picture(
    const gar_result *result, gar_picture which, gar_image **out);

/* The head as a binary glTF 2.0 file (.glb) in memory: metres, y up, z out of the face; the neutral
 * face with its texture inside, the E expressions as morph targets under their names, those of the
 * photo switched on; eyeballs that no expression moves as nodes eye_left and eye_right, turned as in the photo (without
 * rotation they look straight ahead); the photo's camera; a neck that ends in an even edge. Morph targets add up: that is the head model itself where it is linear, and its
 * first approximation for other kinds. The material is unlit, for the texture has the photo's light. Some MB; asking for the size takes as long as making it.
 * Any thread. Errors  GAR_BUFFER_TOO_SMALL. Since 0.1. */
gar_status gar_result_get_glb(
    const gar_result *result, uint8_t *buffer, size_t capacity, size_t *count);

/* Parameters, camera, landmarks, timing and the history of every loss as a JSON object: what
 * parameters.json holds. "stages" says of every stage of the fit its iterations, why it "ended"
 * ("finished": all iterations done; "tolerance": little was gained any more; "no descent": no step
 * lowered the energy; "no landmarks") and its energy at the start and at the end. "converged" is
 * false where the last stage ended with a higher energy than it began with (by more than a
 * thousandth): the fit diverged, the face is not to be trusted, and the log says so. Any thread.
 * Errors  GAR_BUFFER_TOO_SMALL. Since 0.1. */
gar_status gar_result_get_json(
    const gar_result *result, char *buffer, size_t capacity, size_t *count);

/* Writes files into a folder, which is created if need be; all of them or none. A render.png of an
 * earlier result is removed where `files` asks for pictures and this result has none; other files
 * in the folder stay. GAR_INVALID_ARGUMENT where a file would take the place of the one that the
 * photo was loaded from.
 *
 * files   a sum of GAR_WRITE_..., not 0
 * Errors  GAR_FILE_UNWRITABLE
 * Any thread. Since 0.1. */
gar_status gar_result_write(const gar_result *result, const char *folder, uint32_t files);

/* A face followed through the frames of a film. It holds working memory: one thread at a time, GAR_BUSY
 * otherwise.
 *
 * Each frame is looked at where the face was in the one before; a face that is lost (the inverse network
 * gives its place less than half, or the points it reads do not lie on a head) is searched in every frame
 * until it is found again. The identity is settled from the first frames together and held; pose, camera and
 * expression are smoothed. One person is followed: after a cut to another one, use another tracker. */
typedef struct gar_tracker gar_tracker;

/* Options of a tracker. Fill with gar_tracker_options_init. */
typedef struct gar_tracker_options {
    size_t struct_size;         /* set by gar_tracker_options_init */
    gar_renderer_kind renderer; /* GAR_RENDERER_LANDMARKS, tens of milliseconds a frame; GAR_RENDERER_START:
                                   the inverse network's reading as it is; GAR_RENDERER_GAR: refined through
                                   the renderer as well, seconds a frame */
    int32_t lag;                /* 0 to 250: a frame is given out when so many later ones have been seen, which
                                   smooth it; 0: at once, smoothed from the past alone; 3 */
    int32_t identity_frames;    /* 1 to 250: how many of the first frames with the face settle the identity;
                                   they are held back until then; 10 */
    float frames_per_second;    /* for frames without a time; 25 */
    float smoothing;            /* 0 to 100: how much noise is reckoned with, beside what was measured; 0:
                                   nothing is smoothed and there is no lag; 1 */
    bool keep_frames;           /* whether frames are kept for gar_tracker_write, 1.5 kB each; true */
    const float *identity;      /* optional: [I] who it is, where that is known: nothing is held back; NULL */
    const gar_face *face;       /* optional: the face to follow, in the first frame; NULL: the most prominent */
} gar_tracker_options;

/* Fills the defaults given above. Does nothing for NULL. Any thread. Since 0.1. */
void gar_tracker_options_init(gar_tracker_options *options);

/* Begins to follow a face.
 *
 * options   optional: NULL takes the defaults
 * out       receives the handle; release it with gar_tracker_release
 * Any thread. Since 0.1. */
gar_status gar_tracker_create(
    const gar_models *models, const gar_tracker_options *options, gar_tracker **out);

/* Releases a tracker. Any thread. Since 0.1. */
void gar_tracker_release(gar_tracker *tracker);

/* Takes the next frame. A frame without the face is no error.
 *
 * image     all of one size; gar_image_create makes one of raw pixels
 * time      seconds, growing from frame to frame; below 0: counted on by frames_per_second
 * ready     optional: how many frames gar_tracker_pop can fetch now: none while the identity is not settled,
 *           then those that were held back, then usually one for each frame
 * Errors    GAR_NUMERICAL_FAILURE, GAR_BUSY. Since 0.1. */
gar_status gar_tracker_push(gar_tracker *tracker, const gar_image *image, double time, int32_t *ready);

/* Makes the last frames ready; after it no frame is taken. Errors as gar_tracker_push. Since 0.1. */
gar_status gar_tracker_finish(gar_tracker *tracker, int32_t *ready);

/* The face in one frame; the numbers are NaN where it was not found. */
typedef struct gar_tracked_frame {
    int32_t index;          /* from 0 */
    bool found;
    float face_probability; /* what the inverse network thinks of the place that was looked at */
    double time;            /* seconds */
    float yaw;              /* degrees, as are the next two; they run on past half a turn */
    float pitch;
    float roll;
    float scale;            /* the camera: pixels per mm */
    float tx;               /* and the pixel of the model's origin */
    float ty;
    float gaze_yaw;         /* where the eyes look, degrees to the head's left; NaN where the frame does not tell */
    float gaze_pitch;       /* and up */
} gar_tracked_frame;

/* Fetches the next frame that is ready, in order.
 *
 * expression, landmarks, landmarks_static  optional: [E], and [68, 2] photo pixels, as people mark them and the
 *           head model's own; written
 * Errors    GAR_INVALID_ARGUMENT where none is ready, GAR_BUSY. Since 0.1. */
gar_status gar_tracker_pop(
    gar_tracker *tracker, gar_tracked_frame *frame, float *expression, float *landmarks,
    float *landmarks_static);

/* [I] who it is; no elements before that is settled. Errors  GAR_BUFFER_TOO_SMALL, GAR_BUSY. Since 0.1. */
gar_status gar_tracker_get_identity(
    gar_tracker *tracker, float *buffer, size_t capacity, size_t *count);

/* Which files a track is written to: a sum of these. */
enum {
    GAR_TRACK_CSV = 1,    /* track.csv: a row for each frame, expressions by name */
    GAR_TRACK_ARRAYS = 2, /* track.safetensors, described by track.json */
    GAR_TRACK_GLB = 4,    /* track.glb: the head with its texture, animated: weights of the expressions, turn
                             and place of its node, and the frames' camera. Distances follow from sizes as
                             through a lens whose focal length is 1.2 times the frames' longer side */
    GAR_TRACK_ALL = 7
};

/* Writes the frames that have been ready so far, fetched or not; all files or none.
 *
 * files     a sum of GAR_TRACK_..., not 0
 * Errors    GAR_FILE_UNWRITABLE, GAR_NO_FACE (GAR_TRACK_GLB, where no frame shows a face), GAR_BUSY
 * Since 0.1. */
gar_status gar_tracker_write(gar_tracker *tracker, const char *folder, uint32_t files);

/* Loads a result that was written before, to be edited, written anew or fitted further: everything
 * is made of its parameters. Losses, timing and what the detector said are not kept.
 *
 * path    parameters.safetensors as GAR_WRITE_PARAMETERS writes it
 * photo   optional: the photo it was reconstructed from; NULL makes a grey one with the render in it
 * out     receives the handle; release it with gar_result_release
 * Errors  GAR_FILE_NOT_FOUND, GAR_FILE_UNREADABLE, GAR_MALFORMED_FILE, GAR_WRONG_MODEL (of other models,
 *         or another kind of file), GAR_TOO_LARGE (no photo given, and it had more than 4096 pixels a side),
 *         GAR_INVALID_ARGUMENT (a photo of another size), GAR_NUMERICAL_FAILURE
 * Any thread. Since 0.1. */
gar_status gar_result_load(
    const gar_models *models, const char *path, const gar_image *photo, gar_result **out);

/* What is changed in a face: everything left at its default stays. Fill with gar_edit_init. Identity,
 * expression and look are each made in this order: what there is or what replaces it, mixed with
 * another's, times a gain, and at last single expressions. Shares, gains and coefficients are -100 to
 * 100. */
typedef struct gar_edit {
    size_t struct_size;         /* set by gar_edit_init */
    float yaw;                  /* degrees in the photo, -360 to 360; NAN, the default, keeps */
    float pitch;                /* the same */
    float roll;                 /* the same */
    float turn_yaw;             /* degrees added; 0 */
    float turn_pitch;           /* the same */
    float turn_roll;            /* the same */
    const float *identity;      /* optional: [I] instead of the result's; NULL */
    const float *expression;    /* optional: [E] instead of the result's; NULL */
    const char *expressions;    /* optional: single ones, "jawOpen=0.6, mouthSmile=0.3"; a name without its _L or
                                   _R means both, ARKit's eyeBlinkLeft is eyeBlink_L; a blink takes, by its share, eyeWide and eyeLookUp from its eye,
                                   unless they are named; NULL */
    float identity_gain;        /* 0 the mean face, 1 as it is (the default), above 1 a caricature */
    float expression_gain;      /* 0 at rest, 1 as it is (the default), above 1 exaggerated */
    const gar_result *other;    /* optional: whose identity, expression and look are mixed in; NULL */
    float mix_identity;         /* 0 none of the other's (the default), 0.5 half way, 1 the other's */
    float mix_expression;       /* the same */
    float mix_look;             /* the same for w+ */
    int32_t mix_row;            /* rows of w+ that the other look takes part in: from this one, coarse to fine, */
    int32_t mix_row_end;        /* to the one before this; 0 and 0, the default, are all */
    const float *w_plus;        /* optional: [R, L] instead of the result's; NULL */
    const uint64_t *look_seed;  /* optional: seeds a random look (z) instead; NULL */
    const uint64_t *mix_seed;   /* optional: seeds the look that mix_look mixes in, instead of other's; with
                                   look_seed z is mixed, along the great circle, else w+; NULL */
    float truncation;           /* how far random looks go from the mean, 0 to 1; 0.7 */
    float look_gain;            /* times the distance of w+ from the mean w; less than 1 calms down a look that
                                   was fitted closely, in other poses; 1 */
    float detail;               /* how much of the photo's detail goes along, 0 to 1; 1 */
    const gar_image *into;      /* optional: the photo to put the face into, instead of the result's own: of
                                   the same size, as one in which another face was edited; NULL */
} gar_edit;

/* Fills the defaults given above. Does nothing for NULL. Any thread. Since 0.1. */
void gar_edit_init(gar_edit *edit);

/* A face changed and rendered again through GAR, and put back into its photo. The new result is one
 * as any other, in the edited photo: meshes, files, pictures, further edits. GAR_PICTURE_RENDER is the
 * render, GAR_PICTURE_PHOTO the photo.
 *
 * Where the photo shows the surface, the surface takes the photo's colours along, changed as GAR says;
 * where it does not (the mouth's inside, a side turned to view), GAR's picture is laid in, its colours
 * matched. Hair and surroundings are drawn along and come to rest within 80 mm of the head; beyond, and
 * wherever nothing changes, the photo stays as it is. Good to about 25 degrees of yaw.
 *
 * Its texture is that of the face before the edit, unless the look was changed.
 *
 * edit    optional: NULL changes nothing
 * out     receives the handle; release it with gar_result_release
 * Errors  GAR_INVALID_ARGUMENT also for a face fitted without GAR, which has no look, unless the edit
 *         gives it one; GAR_NUMERICAL_FAILURE
 * Any thread. Since 0.1. */
gar_status gar_result_edit(const gar_result *result, const gar_edit *edit, gar_result **out);

/* An edit whose numbers run from one value to another, as a strip of pictures or as frames.
 *
 * edit      optional: what is changed in all pictures; NULL for nothing else
 * sweep     "name=from:to:count", 1 to 1000 pictures, both ends included; several, with commas between,
 *           run together and need the count once: "yaw=-20:20:9,jawOpen=0:1". Names: yaw, pitch, roll,
 *           an expression, identity, expression and look (the gains), mix-identity, mix-expression, mix-look
 * which     GAR_PICTURE_PHOTO, or GAR_PICTURE_RENDER for GAR's pictures alone
 * folder    optional: receives the whole pictures as frame_0001.png, ..., all or none, and frames.json,
 *           which names them; frames that an earlier call listed there are removed. Refused where a frame
 *           would take the place of a picture that no sweep wrote, or of the photo; NULL
 * progress  optional
 * strip     optional where folder is given: receives the pictures side by side, 256 pixels a side where
 *           there is room, photos cut to the face; release it with gar_image_release
 * Errors    as gar_result_edit; GAR_FILE_UNWRITABLE, GAR_CANCELLED
 * Any thread. Since 0.1. */
gar_status gar_result_sweep(
    const gar_result *result, const gar_edit *edit, const char *sweep, gar_picture which,
    const char *folder, gar_progress_callback progress, void *progress_user, gar_image **strip);

/* =============================================================================================
 * 4. Advanced: the parts on their own
 * ============================================================================================= */

/* The head model: a 3D morphable model, vertices = mean + identity basis * a + expression basis * b.
 * Immutable. V vertices, F triangles, I identity and E expression coefficients, see
 * gar_head_get_sizes; arrays are float32, row-major, of exactly the sizes stated.
 *
 * The default head is linear, as above. A bilinear one (FaceWarehouse) adds a displacement for every
 * product of an identity and an expression coefficient. A skinned one (FLAME) is turned at its joints:
 * its last expression coefficients are, joint by joint, the three components of an axis times an angle
 * in radians ("neck_x", "jaw_x", ...); the whole head's own turn is the pose. */
typedef struct gar_head gar_head;

/* Loads a head model.
 *
 * path    optional: a safetensors file of kind "head-model"; NULL takes the one in the library
 * out     receives the handle; release it with gar_head_release
 * Errors  as gar_models_load
 * Any thread. Since 0.1. */
gar_status gar_head_load(const char *path, gar_head **out);

/* Releases a head model. Any thread. Since 0.1. */
void gar_head_release(gar_head *head);

/* V, F, I and E. Any thread. Since 0.1. */
gar_status gar_head_get_sizes(
    const gar_head *head, int32_t *vertices, int32_t *triangles, int32_t *identity,
    int32_t *expression);

/* Names and sizes as a JSON object: expression_names (E of them, in order), part_names, geometry
 * ("linear", "bilinear" or "skinned"), expression_prior ("unit-interval": each coefficient 0 to 1, or
 * "normal": deviations, about 0), family (whose coefficients they are; null for the default head's,
 * which the inverse network reads). Any thread.
 * Errors  GAR_BUFFER_TOO_SMALL. Since 0.1. */
gar_status gar_head_get_json(const gar_head *head, char *buffer, size_t capacity, size_t *count);

/* [F, 3] vertex indices, counter-clockwise from outside. Any thread.
 * Errors  GAR_BUFFER_TOO_SMALL. Since 0.1. */
gar_status gar_head_get_triangles(
    const gar_head *head, int32_t *buffer, size_t capacity, size_t *count);

/* [V] for each vertex an index into part_names (skin, eyes, teeth, ...). Any thread.
 * Errors  GAR_BUFFER_TOO_SMALL. Since 0.1. */
gar_status gar_head_get_parts(
    const gar_head *head, uint8_t *buffer, size_t capacity, size_t *count);

/* [U, 2] texture coordinates: u right and v up, 0 to 1, (0, 0) being the lower left corner of the
 * texture. Every row belongs to one vertex; a vertex on a seam has several rows. The layout is the one
 * that the model's file brings (tensors "uv" [U, 2] and "uv_triangles" [F, 3]) or else the mean head
 * unwrapped: one island for each connected part, skin on top with its seam down the back of the head,
 * then eyes, mouth and teeth, without overlap. The default model's file has such a layout; for others
 * the first call, be it for the size, takes about a second. Any thread.
 * Errors  GAR_BUFFER_TOO_SMALL. Since 0.1. */
gar_status gar_head_get_uvs(const gar_head *head, float *buffer, size_t capacity, size_t *count);

/* [F, 3] rows of gar_head_get_uvs for the corners of the triangles, in the order of
 * gar_head_get_triangles. Any thread.
 * Errors  GAR_BUFFER_TOO_SMALL. Since 0.1. */
gar_status gar_head_get_uv_triangles(
    const gar_head *head, int32_t *buffer, size_t capacity, size_t *count);

/* Vertices of a head.
 *
 * identity    [I] unit variance        expression  [E] each 0 to 1 (or as expression_prior says)
 * vertices    [V, 3] written, mm, model space
 * Any thread. Since 0.1. */
gar_status gar_head_evaluate(
    const gar_head *head, const float *identity, const float *expression, float *vertices);

/* The gradients of a loss by the coefficients of a linear head, given its gradient by the vertices;
 * heads of other geometries are GAR_INVALID_ARGUMENT.
 *
 * d_vertices  [V, 3]        d_identity  [I] written        d_expression  [E] written
 * Any thread. Since 0.1. */
gar_status gar_head_evaluate_backward(
    const gar_head *head, const float *d_vertices, float *d_identity, float *d_expression);

/* The same for heads of every geometry, whose gradients depend on the coefficients.
 *
 * identity    [I]           expression  [E]
 * d_vertices  [V, 3]        d_identity  [I] written        d_expression  [E] written
 * Any thread. Since 0.1. */
gar_status gar_head_evaluate_backward_at(
    const gar_head *head, const float *identity, const float *expression, const float *d_vertices,
    float *d_identity, float *d_expression);

/* Area-weighted unit normals [V, 3] of any vertices [V, 3] (zero where they are not defined).
 * Any thread. Since 0.1. */
gar_status gar_head_normals(const gar_head *head, const float *vertices, float *normals);

/* The gradient of a loss by the vertices [V, 3], written, given its gradient by the normals.
 * Any thread. Since 0.1. */
gar_status gar_head_normals_backward(
    const gar_head *head, const float *vertices, const float *d_normals, float *d_vertices);

/* The head model's own 68 landmarks [68, 3] of vertices [V, 3], fixed places of the mesh, in the space of
 * the vertices. Any thread. Since 0.1. */
gar_status gar_head_landmarks(const gar_head *head, const float *vertices, float *landmarks);

/* The gradient of a loss by the vertices [V, 3], written, given its gradient by the landmarks
 * [68, 3]. Any thread. Since 0.1. */
gar_status gar_head_landmarks_backward(
    const gar_head *head, const float *d_landmarks, float *d_vertices);

/* The 68 landmarks [68, 3] where people mark them, the jaw on the outline that is visible in a pose
 * (degrees), in the space of the vertices, which is model space. Any thread. Since 0.1. */
gar_status gar_head_landmarks_contour(
    const gar_head *head, const float *vertices, float yaw, float pitch, float roll,
    float *landmarks);

/* A random person: identity [I] ~ N(0, 1) over all modes, expression [E] of the kind real faces
 * were fitted with; both written. The same seed gives the same person. Any thread. Since 0.1. */
gar_status gar_head_sample(
    const gar_head *head, uint64_t seed, float *identity, float *expression);

/* Minus the log prior of coefficients, up to a constant, and its gradients [I] and [E], written.
 * Any thread. Since 0.1. */
gar_status gar_head_prior(
    const gar_head *head, const float *identity, const float *expression, float *energy,
    float *d_identity, float *d_expression);

/* Depth and visibility of a head in the aligned frame, orthographic.
 *
 * vertices  [V, 3] model space, mm        pose  as gar_renderer_rasterize takes it
 * size      pixels a side, 1 to 4096
 * depth     optional where visible is given: [S, S] written, mm towards the viewer times the pose's scale, 0 at
 *           the model's origin; NaN beside the head
 * visible   optional where depth is given: [V] written, 1 for vertices that nothing hides (by more than 2 %
 *           of half the frame), 0 for others and those outside the picture
 * Any thread. Since 0.1. */
gar_status gar_head_depth(
    const gar_head *head, const float *vertices, const float pose[6], int32_t size, float *depth,
    uint8_t *visible);

/* The classical renderer: a head with a colour at every vertex under spherical-harmonics light of order
 * 2, in the aligned frame, four samples a pixel: 2 albedo (light . h(n)) - 1, black (-1) beside the head.
 * h(n) is 0.282095, 0.325735 (y, z, x), 0.273137 (xy, yz), 0.078848 (3 z^2 - 1), 0.273137 xz and 0.136569
 * (x^2 - y^2) of the unit normal in camera space: the cosine lobe is in it.
 *
 * vertices  [V, 3] model space, mm        pose   as gar_renderer_rasterize takes it
 * albedo    [V, 3] red, green, blue       light  [9, 3]
 * size      pixels a side, 1 to 2048      picture  [3, S, S] written, red, green, blue planes
 * Any thread. Since 0.1. */
gar_status gar_head_shade(
    const gar_head *head, const float *vertices, const float pose[6], const float *albedo, const float *light,
    int32_t size, float *picture);

/* R = Rz(roll) Rx(-pitch) Ry(yaw), angles in degrees, row-major, written. Any thread. Since 0.1. */
gar_status gar_pose_matrix(float yaw, float pitch, float roll, float matrix[9]);

/* The angles, in degrees, of a rotation matrix: yaw and roll in (-180, 180], pitch in [-90, 90].
 * Any thread. Since 0.1. */
gar_status gar_pose_angles(const float matrix[9], float *yaw, float *pitch, float *roll);

/* GAR, the renderer: normal maps, styles and noise in, a picture out. It holds working memory: one
 * thread at a time, GAR_BUSY otherwise. Sizes: S pixels a side, L latent, R rows of w+ (which is
 * 2 log2(S) - 2); see gar_renderer_get_sizes.
 *
 * Normal maps come as a pyramid: [3, r, r] for r = 4, 8, ... S, one after the other. Noise: one map
 * [r, r] per layer, of sides 4, 8, 8, 16, 16, ... S, S, one after the other. */
typedef struct gar_renderer gar_renderer;

/* Loads a renderer.
 *
 * path    optional: a safetensors file of kind "gar"; NULL takes the one in the library
 * out     receives the handle; release it with gar_renderer_release
 * Errors  as gar_models_load
 * Any thread. Since 0.1. */
gar_status gar_renderer_load(const char *path, gar_renderer **out);

/* Releases a renderer. Any thread. Since 0.1. */
void gar_renderer_release(gar_renderer *renderer);

/* S, L and R, and how many floats the pyramid of normal maps and the noise maps have.
 * Since 0.1. */
gar_status gar_renderer_get_sizes(
    const gar_renderer *renderer, int32_t *size, int32_t *latent, int32_t *rows, int32_t *normals,
    int32_t *noise);

/* In what a renderer's convolutions multiply. Maps and sums are in single precision either way. */
typedef int32_t gar_precision;
enum {
    GAR_PRECISION_SINGLE = 0,
    GAR_PRECISION_BFLOAT16 = 1 /* both factors rounded to 8 bits: about a quarter less time */
};

/* Sets the precision of the calls that follow; GAR_PRECISION_SINGLE until then. The default renderer's
 * picture is then off by 0.003 on average (of values from -1 to 1), gradients by a tenth.
 *
 * Errors  GAR_INVALID_ARGUMENT where this processor (it needs AVX-512 BF16) or this renderer (all its
 *         numbers of channels multiples of 16) cannot; it goes on as before. Since 0.1. */
gar_status gar_renderer_set_precision(gar_renderer *renderer, gar_precision precision);

/* The configuration as a JSON object: size, latent_size, n_mlp, n_stylemap, channels, half_mm,
 * centre_y_mm, normal_sampling. Errors  GAR_BUFFER_TOO_SMALL. Since 0.1. */
gar_status gar_renderer_get_json(
    const gar_renderer *renderer, char *buffer, size_t capacity, size_t *count);

/* The mean w, [L] written. Since 0.1. */
gar_status gar_renderer_get_mean_w(const gar_renderer *renderer, float *w);

/* z [L] ~ N(0, 1) from a seed, written. Since 0.1. */
gar_status gar_renderer_sample_z(const gar_renderer *renderer, uint64_t seed, float *z);

/* w of z, moved towards the mean w: w = mean + truncation * (mapping(z) - mean).
 *
 * z  [L]        truncation  0 to 1: 1 leaves w alone        w  [L] written. Since 0.1. */
gar_status gar_renderer_map(
    const gar_renderer *renderer, const float *z, float truncation, float *w);

/* The gradient of a loss by z [L], written, given its gradient by w [L]. Since 0.1. */
gar_status gar_renderer_map_backward(
    const gar_renderer *renderer, const float *z, float truncation, const float *d_w, float *d_z);

/* Style mixing: rows of two w+ joined. The first rows style the coarse layers of the picture, the
 * last ones the fine layers; the gradients by the two w+ are the rows of the gradient by the result.
 *
 * first, second  [R, L]        row  0 to R: rows before it come from `first`, from it on from `second`
 * w_plus         [R, L] written; may be `first` or `second`. Since 0.1. */
gar_status gar_renderer_mix(
    const gar_renderer *renderer, const float *first, const float *second, int32_t row,
    float *w_plus);

/* Gaussian noise maps from a seed, written. Since 0.1. */
gar_status gar_renderer_sample_noise(const gar_renderer *renderer, uint64_t seed, float *noise);

/* The pyramid of camera-space normal maps of a head in the aligned frame.
 *
 * vertices  [V, 3] model space, mm
 * pose      yaw, pitch, roll in degrees, scale (1), shift right and up in mm: the point p appears
 *           in the aligned frame at scale * R p + shift
 * normals   written; background 0
 * Since 0.1. */
gar_status gar_renderer_rasterize(
    gar_renderer *renderer, const gar_head *head, const float *vertices, const float pose[6],
    float *normals);

/* The gradients of a loss by vertices [V, 3] and pose [6], both written, given its gradient by the
 * normal maps of the last gar_renderer_rasterize. d_pose is in the units of pose: per degree, per
 * unit of scale, per mm. Which triangle a pixel shows is held fixed.
 * GAR_INVALID_ARGUMENT where nothing has been rasterised before. Since 0.1. */
gar_status gar_renderer_rasterize_backward(
    gar_renderer *renderer, const float *d_normals, float *d_vertices, float d_pose[6]);

/* Renders.
 *
 * w_plus   [R, L]        normals  the pyramid        noise  optional: the maps; NULL for none
 * picture  [3, S, S] written, red, green, blue planes, -1 to 1 (a little beyond at times)
 * Since 0.1. */
gar_status gar_renderer_render(
    gar_renderer *renderer, const float *w_plus, const float *normals, const float *noise,
    float *picture);

/* The gradients of a loss given its gradient by the last picture; each is optional (NULL saves its
 * work) and written whole. GAR_INVALID_ARGUMENT where nothing has been rendered before.
 *
 * d_picture  [3, S, S]        d_w_plus  [R, L]        d_normals, d_noise  as rendered. Since 0.1. */
gar_status gar_renderer_render_backward(
    gar_renderer *renderer, const float *d_picture, float *d_w_plus, float *d_normals,
    float *d_noise);

/* An image of a picture [3, height, width] of values from -1 to 1, as gar_renderer_render makes
 * them; values beyond are cut off. Release it with gar_image_release. Any thread.
 * Errors  GAR_TOO_LARGE. Since 0.1. */
gar_status gar_image_from_picture(
    const float *picture, int32_t width, int32_t height, gar_image **out);

/* A fit, stage by stage. It holds working memory: one thread at a time, GAR_BUSY otherwise. */
typedef struct gar_fit gar_fit;

/* The standard stages of a renderer as JSON, to be edited and given back:
 * {"stages": [{"name", "optimiser": "gauss_newton" | "adam" | "lbfgs", "iterations", "blocks":
 * ["identity", "expression", "rotation", "similarity", ...], "weights": {...}, "steps": {...},
 * "tolerance", "silhouettes", "picture_limit", "precision"}]}. The list is empty for
 * GAR_RENDERER_START: the inverse network's start, nothing refined.
 *
 * blocks       what moves: the four above with every renderer and optimiser; "w_plus" and "noise"
 *              with GAR, "albedo" and "light" with GAR_RENDERER_SH, not under gauss_newton. Blocks
 *              that the renderer does not have are GAR_MALFORMED_FILE
 * weights      how much each term of the energy counts; those left out keep their defaults.
 *              "photometric" is the number of independent observations that the picture counts
 *              for: its energy is weight * log(1 + difference / 0.02), the difference a robust mean
 *              over the face's pixels at several scales, on values from -1 to 1
 * steps        of a block, 0 to 1: how far Adam moves its numbers in an iteration at most, and
 *              their natural scale for L-BFGS: deviations of identity, radians, and mm of shift
 *              for "similarity", whose scale moves by a hundredth of that
 * tolerance    the stage ends when the energy falls by less than this share in an iteration (Adam:
 *              in ten); 0 for Adam: never
 * silhouettes  whether the gradient has what moving outlines do to the picture; false
 * picture_limit  the picture is compared at no more than so many pixels a side, 16 to 4096: a larger
 *              one is halved until it is, and GAR stops at that level; all of it where left out
 * precision    "bfloat16": GAR multiplies so, where the processor can (see gar_renderer_set_precision;
 *              a fit takes a tenth less time, and ends as near to the truth); "single" where left out
 * Any thread. Errors  GAR_BUFFER_TOO_SMALL. Since 0.1. */
gar_status gar_schedule_get_json(
    gar_renderer_kind renderer, char *buffer, size_t capacity, size_t *count);

/* Finds and aligns a face and starts from the inverse network, as gar_reconstruct does; nothing is
 * refined yet.
 *
 * options   optional: NULL takes the defaults. `progress`, `schedule`, `files` and `all_faces` are
 *           not looked at
 * out       receives the handle; release it with gar_fit_release
 * Errors    GAR_NO_FACE
 * Any thread. Since 0.1. */
gar_status gar_fit_create(
    const gar_models *models, const gar_image *image, const gar_options *options, gar_fit **out);

/* A fit that begins where a result ends, with the result's models: as gar_result_load gives it, or one
 * that was edited.
 *
 * image     optional: the photo, of the size that the result's has; NULL takes the result's own
 * options   optional: as gar_fit_create takes them, but for where the face is, which is known
 * out       receives the handle; release it with gar_fit_release
 * Any thread. Since 0.1. */
gar_status gar_fit_resume(
    const gar_result *result, const gar_image *image, const gar_options *options, gar_fit **out);

/* Releases a fit; its results stay valid. Any thread. Since 0.1. */
void gar_fit_release(gar_fit *fit);

/* Runs stages from where the fit stands: one, several, or the same again.
 *
 * schedule  optional: JSON as gar_schedule_get_json gives it; NULL takes the standard stages, an
 *           empty list moves nothing
 * progress  optional
 * Errors    GAR_MALFORMED_FILE (the schedule), GAR_CANCELLED (the fit then stands where the stage
 *           before ended), GAR_NUMERICAL_FAILURE, GAR_BUSY
 * Since 0.1. */
gar_status gar_fit_run(
    gar_fit *fit, const char *schedule, gar_progress_callback progress, void *progress_user);

/* The face as the fit stands, with the history so far; release it with gar_result_release.
 * Errors  GAR_NUMERICAL_FAILURE, GAR_BUSY. Since 0.1. */
gar_status gar_fit_get_result(gar_fit *fit, gar_result **out);

#ifdef __cplusplus
}
#endif

#endif /* GARFACE_H */

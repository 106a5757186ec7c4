// Each kernel as the processor can run it.
#include "candidates.h"

#if defined(__x86_64__)
#define KERNEL(result, name, parameters, arguments)                                \
    result name##_avx512 parameters;                                               \
    result name##_avx2 parameters;                                                 \
    result name parameters { return garface_kernel_width() == 16 ? name##_avx512 arguments : name##_avx2 arguments; }
#else
// Never called.
#define KERNEL(result, name, parameters, arguments) \
    result name parameters { return (result)0; }
#endif

KERNEL(void, garface_half_weights,
       (const float *u, int depth, int columns, unsigned short *half),
       (u, depth, columns, half))
KERNEL(size_t, garface_winograd_weight_count,
       (int inputs, int outputs),
       (inputs, outputs))
KERNEL(void, garface_winograd_weights,
       (const float *w, int inputs, int outputs, bool mirrored, float *u),
       (w, inputs, outputs, mirrored, u))
KERNEL(size_t, garface_winograd_scratch,
       (int inputs, int outputs, int height, int width),
       (inputs, outputs, height, width))
KERNEL(void, garface_winograd,
       (const float *x, const float *scale, const void *u, bool half, float *y, int inputs, int outputs, int height, int width, float *scratch, int part, int parts),
       (x, scale, u, half, y, inputs, outputs, height, width, scratch, part, parts))
KERNEL(size_t, garface_small_weight_count,
       (int inputs, int outputs),
       (inputs, outputs))
KERNEL(void, garface_small_weights,
       (const float *w, int inputs, int outputs, bool mirrored, float *u),
       (w, inputs, outputs, mirrored, u))
KERNEL(size_t, garface_small_scratch,
       (int inputs, int outputs, int height, int width),
       (inputs, outputs, height, width))
KERNEL(void, garface_small,
       (const float *x, const float *scale, const float *u, float *y, int inputs, int outputs, float *scratch, int part, int parts),
       (x, scale, u, y, inputs, outputs, scratch, part, parts))
KERNEL(void, garface_small_up_weights,
       (const float *w, int inputs, int outputs, bool adjoint, float *u),
       (w, inputs, outputs, adjoint, u))
KERNEL(void, garface_small_up,
       (const float *x, const float *scale, const float *u, float *y, int inputs, int outputs, float *scratch, int part, int parts),
       (x, scale, u, y, inputs, outputs, scratch, part, parts))
KERNEL(void, garface_small_up_adjoint,
       (const float *dy, const float *u, float *dx, int inputs, int outputs, int part, int parts),
       (dy, u, dx, inputs, outputs, part, parts))
KERNEL(size_t, garface_up_weight_count,
       (int inputs, int outputs),
       (inputs, outputs))
KERNEL(void, garface_up_weights,
       (const float *w, int inputs, int outputs, bool adjoint, float *u),
       (w, inputs, outputs, adjoint, u))
KERNEL(size_t, garface_up_scratch,
       (int inputs, int outputs, int height, int width),
       (inputs, outputs, height, width))
KERNEL(void, garface_up,
       (const float *x, const float *scale, const void *u, bool half, float *y, int inputs, int outputs, int height, int width, float *scratch, int part, int parts),
       (x, scale, u, half, y, inputs, outputs, height, width, scratch, part, parts))
KERNEL(void, garface_up_adjoint,
       (const float *dy, const void *u, bool half, float *dx, int inputs, int outputs, int height, int width, float *scratch, int part, int parts),
       (dy, u, half, dx, inputs, outputs, height, width, scratch, part, parts))
KERNEL(size_t, garface_narrow_scratch,
       (int inputs, int width),
       (inputs, width))
KERNEL(void, garface_narrow,
       (const struct garface_narrow *n, float *scratch, int part, int parts),
       (n, scratch, part, parts))
KERNEL(size_t, garface_render_scratch,
       (int width),
       (width))
KERNEL(void, garface_render,
       (const struct garface_render *r, float *scratch, int part, int parts),
       (r, scratch, part, parts))
KERNEL(void, garface_render_backward,
       (const struct garface_render_backward *r, int part, int parts),
       (r, part, parts))
KERNEL(void, garface_blur_adjoint,
       (const float *dy, float *du, int channels, int height, int width, float *scratch, int part, int parts),
       (dy, du, channels, height, width, scratch, part, parts))
KERNEL(void, garface_raster_rows,
       (const double *screen, const int *triangles, const int *list, int n, int width, int first, int end, int *ids, double *depth),
       (screen, triangles, list, n, width, first, end, ids, depth))
KERNEL(void, garface_barycentrics,
       (const float *vertices, const int *triangles, const int *ids, int width, int height, int first, int end, float *barycentrics, float *depth),
       (vertices, triangles, ids, width, height, first, end, barycentrics, depth))
KERNEL(void, garface_interpolate,
       (const struct garface_interpolation *n, size_t first, size_t end, float *map),
       (n, first, end, map))
KERNEL(void, garface_interpolate_backward,
       (const struct garface_interpolation *n, const float *gradient, float *d_attributes, float *d_vertices),
       (n, gradient, d_attributes, d_vertices))
KERNEL(void, garface_triangle_slopes,
       (const float *vertices, const int *triangles, int count, const int *list, int n, float *slopes),
       (vertices, triangles, count, list, n, slopes))
KERNEL(int, garface_depth_steps,
       (const int *ids, const float *depth, size_t step, int count, float least, const float *slopes, float move, int *found),
       (ids, depth, step, count, least, slopes, move, found))
KERNEL(int, garface_near_centres,
       (const float *boxes, int count, int n, const int *ids, int width, int height, int *chosen, int *seen),
       (boxes, count, n, ids, width, height, chosen, seen))

// Kernels for the vectors of AVX-512 and of AVX2 that Swift code cannot express: the convolutions of the renderer, the
// element-wise work between them, and the rasteriser's. Every one has a plain counterpart in Swift and is tested against it.
//
// "Blocked" maps hold 16 channels of a pixel side by side: [channels / 16][height][width][16].
#pragma once
#include <stdbool.h>
#include <stddef.h>

/// Whether this processor has the instructions; nothing else here may be called where it has not. The variable
/// GARFACE_MAX_ISA of the environment (AVX2, or NONE), when it is first asked, takes instructions away.
bool garface_kernels_available(void);
/// Floats in their vectors: 16 (AVX-512), 8 (AVX2), or 0 where there are none.
int garface_kernel_width(void);
/// Whether it can multiply in bfloat16, too.
bool garface_bfloat_available(void);

/// Transformed weights of either kind of convolution below, `depth` inputs by `columns` outputs of the call, in bfloat16.
void garface_half_weights(const float *u, int depth, int columns, unsigned short *half);

// 3x3 convolution, padding 1, by Winograd's algorithm F(4x4, 3x3), on blocked maps of one sample.

/// Numbers of transformed weights.
size_t garface_winograd_weight_count(int inputs, int outputs);
/// `w` is [outputs][inputs][3][3]. `mirrored`: the weights of the adjoint, which takes `outputs` channels to `inputs`.
void garface_winograd_weights(const float *w, int inputs, int outputs, bool mirrored, float *u);
/// Numbers of working memory for each part.
size_t garface_winograd_scratch(int inputs, int outputs, int height, int width);
/// Part `part` of `parts` of `y = conv(x * scale)`; `scale` [inputs], or NULL. `half`: products in bfloat16, sums in single
/// precision; `u` is then of `garface_half_weights`.
void garface_winograd(const float *x, const float *scale, const void *u, bool half, float *y, int inputs, int outputs, int height,
                      int width, float *scratch, int part, int parts);

// The same of maps of 4 x 4 pixels, and the transposed convolution below, which takes them to 9 x 9, with its adjoint: directly.

/// Of either kind.
size_t garface_small_weight_count(int inputs, int outputs);
void garface_small_weights(const float *w, int inputs, int outputs, bool mirrored, float *u);
size_t garface_small_scratch(int inputs, int outputs, int height, int width);
void garface_small(const float *x, const float *scale, const float *u, float *y, int inputs, int outputs, float *scratch, int part,
                   int parts);
void garface_small_up_weights(const float *w, int inputs, int outputs, bool adjoint, float *u);
void garface_small_up(const float *x, const float *scale, const float *u, float *y, int inputs, int outputs, float *scratch, int part,
                      int parts);
void garface_small_up_adjoint(const float *dy, const float *u, float *dx, int inputs, int outputs, int part, int parts);

// Transposed 3x3 convolution of stride 2, [height][width] to [2 height + 1][2 width + 1], and its adjoint, by a nested
// algorithm F(4, 2): even outputs along a side see two taps, 5 multiplications for 4 of them; odd ones see one tap.

size_t garface_up_weight_count(int inputs, int outputs);
/// `w` is [outputs][inputs][3][3] of the transposed convolution; `adjoint`: the weights for `garface_up_adjoint`.
void garface_up_weights(const float *w, int inputs, int outputs, bool adjoint, float *u);
/// `height` and `width` are those of the small map; `inputs` and `outputs` those of the call.
size_t garface_up_scratch(int inputs, int outputs, int height, int width);
void garface_up(const float *x, const float *scale, const void *u, bool half, float *y, int inputs, int outputs, int height,
                int width, float *scratch, int part, int parts);
/// `dx` [inputs of the convolution] from `dy`; `inputs` are the channels of `dy`.
void garface_up_adjoint(const float *dy, const void *u, bool half, float *dx, int inputs, int outputs, int height, int width,
                        float *scratch, int part, int parts);

// 3x3 convolution, padding 1, between few channels of ordinary (planar) maps [channels][height][width] of one sample:
//   y = a(conv(x * g))  and, where asked for,  sum = y / sqrt 2 + the 1x1 convolution of `skip`
// a: `+ bias`, then leaky ReLU (slope 0.2, gain sqrt 2), where there is a bias. g: the derivative of that ReLU whose output
// was `gate`, times `gate_gain`, where there is a gate. Every result is computed from the same sums in any number of parts.
struct garface_narrow {
    int inputs, outputs, height, width;
    const float *x, *gate;
    float gate_gain;
    /// [outputs][inputs][3][3]
    const float *weights;
    const float *bias;
    /// [skip_inputs][height][width] and [outputs][skip_inputs].
    int skip_inputs;
    const float *skip, *skip_weights;
    /// `y`, or with `adds` what is added to it; may be NULL where there is `sum`.
    float *y;
    bool adds;
    float *sum;
    /// The share of y in `sum`.
    float sum_gain;
};
/// Numbers of working memory for each part.
size_t garface_narrow_scratch(int inputs, int width);
void garface_narrow(const struct garface_narrow *n, float *scratch, int part, int parts);

// The element-wise work of one render layer on one sample, blocked maps of `channels` (a multiple of 16) and of `height` x
// `width` pixels, whose number is a multiple of 16:
//   out = act(y * d[c] * scale[p] + shift[p] + noise_weight * noise[p] + bias[c])

struct garface_render {
    int channels, height, width;
    /// Of the convolution; or, for an up-sampling layer, NULL where `unblurred` [height + 1][width + 1] is given.
    const float *unblurred;
    float *y;
    const float *d, *scale, *shift, *noise, *bias;
    float noise_weight;
    float *out;
    /// [3][channels]: the picture `rgb[k] = rgb_bias[k] + sum over c of rgb_weights[k, c] * out[c]`, [3][height][width]; or NULL.
    const float *rgb_weights, *rgb_bias;
    float *rgb;
};
/// Numbers of working memory for each part.
size_t garface_render_scratch(int width);
void garface_render(const struct garface_render *r, float *scratch, int part, int parts);

/// The gradient to `y` from those to `out`: from the layer above (to its modulated input), and from the picture.
struct garface_render_backward {
    int channels, height, width;
    const float *above, *above_style;
    const float *rgb_gradient, *rgb_weights;
    const float *out, *y, *d, *scale;
    float *dy;
    /// Added to, unless NULL.
    float *d_scale, *d_shift, *d_noise;
    float noise_weight;
    /// For each part 5 x [channels], overwritten: over the part's pixels the sums of above * out, dy * y, and of
    /// rgb_gradient[k] * out; or NULL.
    float *sums;
};
void garface_render_backward(const struct garface_render_backward *r, int part, int parts);

/// The adjoint of the blur after an up-convolution: [height][width] to [height + 1][width + 1].
void garface_blur_adjoint(const float *dy, float *du, int channels, int height, int width, float *scratch, int part, int parts);

// Which triangles a rasteriser has to look at. The first two run on every processor.

/// Triangles of `count` that may face the viewer, ascending, into `ids`, and their boxes (left, right, bottom, top; each
/// [count], of which the first so many are set) into `boxes`; vertices are [..][3] in -1...1, y up. Returns how many.
int garface_front_triangles(const float *vertices, const int *triangles, int count, int *ids, float *boxes);
/// Of the `n` triangles found those whose box may hold a pixel's centre, into `chosen` [count + 16]. Returns how many.
int garface_triangles_near_centres(const float *boxes, int count, int n, const int *ids, int width, int height, int *chosen);

/// Draws the `n` triangles of `list`, ascending (NULL: triangles 0 to n - 1), into rows first..<end of `ids` and `depth`
/// [height][width], which hold -1 and minus infinity there. `screen` [..][3]: pixels, y down, and depth; x that is not a number
/// marks vertices not to be used. Larger depth wins, the lower number where equal. 0 <= first < end <= height.
void garface_raster_rows(const double *screen, const int *triangles, const int *list, int n, int width, int first, int end,
                         int *ids, double *depth);

/// Barycentrics [height][width][3] and depth of the centres of rows first..<end of pixels that show the triangles `ids` (-1:
/// none; zeros and minus infinity there). `vertices` [..][3] are in -1...1, y up. Numbers of elements fit 32 bits.
void garface_barycentrics(const float *vertices, const int *triangles, const int *ids, int width, int height, int first, int end,
                          float *barycentrics, float *depth);

/// A picture of three channels, planar, interpolated from attributes at the vertices.
struct garface_interpolation {
    /// Of the picture; the triangle of each (-1: none) and its barycentrics [pixels][3].
    size_t pixels;
    const int *ids;
    const float *barycentrics;
    const int *triangles;
    /// [..][3] both.
    const float *attributes, *vertices;
};
/// Pixels first..<end of the picture, [3][pixels]; zeros where there is no triangle.
void garface_interpolate(const struct garface_interpolation *n, size_t first, size_t end, float *map);
/// Adds the gradients to the attributes and to x and y of the vertices, triangles held; either may be NULL. `gradient` [3][pixels].
void garface_interpolate_backward(const struct garface_interpolation *n, const float *gradient, float *d_attributes,
                                  float *d_vertices);
/// How depth changes with x, into slopes [count], and with y, into the next [count], over the `n` triangles of `list`.
void garface_triangle_slopes(const float *vertices, const int *triangles, int count, const int *list, int n, float *slopes);
/// The pixels i of 0..<count between which and pixel i + step there may be an outline: they show different triangles, at depths
/// that differ by `least` or more, and the surfaces do not meet within `least` where each is followed to the other's pixel.
/// `slopes`: of depth along that way, for each triangle; `move`: how far. Returns how many, ascending in `found` [count].
int garface_depth_steps(const int *ids, const float *depth, size_t step, int count, float least, const float *slopes, float move,
                        int *found);

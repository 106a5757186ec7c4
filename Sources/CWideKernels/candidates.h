// Choosing triangles by their boxes: as `garface_triangles_near_centres`, of whole vectors only.
#pragma once
#include "kernels.h"

// A box is kept when a whole number lies between its sides, in pixels, with this much to spare: rounding in single
// precision is less for pictures of up to 16384 pixels and boxes near the picture.
#define SLACK 4e-3f

/// `seen` becomes how many of the `n` were looked at.
int garface_near_centres(const float *boxes, int count, int n, const int *ids, int width, int height, int *chosen, int *seen);

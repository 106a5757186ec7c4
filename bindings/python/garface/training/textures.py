"""A photo as a texture on its fitted head, seen with another pose, shape or expression."""
import cv2
import numpy as np

from . import eyelids
from .data import CENTRE_Y_MM, HALF_MM
from .normals import _vertex_normals, interpolate, rasterise


def to_ndc(points):
    """Camera mm to NDC of the aligned frame."""
    return ((points - np.array([0, CENTRE_Y_MM, 0], np.float32)) / np.float32(HALF_MM)).astype(np.float32)


def to_pixels(points, size):
    """[n,2 or 3] camera mm to [n,2] pixels of an aligned picture."""
    ndc = to_ndc(points)
    return np.stack([(1 + ndc[:, 0]) * size / 2 - 0.5, (1 - ndc[:, 1]) * size / 2 - 0.5], 1).astype(np.float32)


class View:
    """skin [S,S,3] uint8; triangle [S,S], -1 outside the head, and weights [S,S,3] in it; place: where in the photo each pixel is
    from, for cv2.remap."""

    def __init__(self, skin, triangle, weights, place):
        self.skin, self.triangle, self.weights, self.place = skin, triangle, weights, place


class TexturedHead:
    def __init__(self, head):
        from scipy.spatial import cKDTree
        self.head = head
        self.partner = cKDTree(head.mean).query(head.mean * np.array([-1, 1, 1], np.float32))[1].astype(np.int32)
        part = head.part[head.triangles[:, 0]]
        self.is_skin = part == head.part_names.index("skin")

    def posed(self, identity, expression, rotations):
        """[(vertices [V,3], 68 points [68,3]) camera mm] of N heads"""
        heads = zip(self.head.vertices(identity, expression), self.head.landmarks(identity, expression), rotations)
        return [(v @ r.T, points @ r.T) for v, points, r in heads]

    def view(self, photo, before, after, rng=None, mirrored=True):
        """The photo [S,S,3] of the head `before` on the head `after`, (vertices, points) each.

        mirrored: parts that the photo does not show borrow the texture of their mirror image. Lids that come down are skin,
        with a line of lashes (`rng`: each its own).
        """
        (before, points_before), (after, points_after) = before, after
        size, triangles = photo.shape[0], self.head.triangles
        source = triangles
        if mirrored:
            normals = np.empty_like(before)
            _vertex_normals(before, triangles, normals)
            facing, other = normals[triangles, 2].mean(1), normals[self.partner[triangles], 2].mean(1)
            borrowed = ((facing < 0.25) & (other > facing))[:, None]
            source = np.where(borrowed, self.partner[triangles], triangles).astype(np.int32)
        depth, place = np.empty((size, size), np.float32), np.empty((size, size, 2), np.float32)
        triangle, weights = np.empty((size, size), np.int32), np.empty((size, size, 3))
        rasterise(to_ndc(after), triangles, size, depth, triangle, weights)
        interpolate(triangle, weights, source, to_pixels(before, size), place)
        place = (place[:, :, 0], place[:, :, 1])

        def seen(texture):
            return cv2.remap(np.ascontiguousarray(texture), *place, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        skin = seen(photo)
        if eyelids.closing(points_before, points_after):
            lids = seen(eyelids.without_eyes(photo, to_pixels(points_before, size)))
            skin = np.where(self.is_skin[triangle][..., None], lids, skin)
            points = np.hstack([to_pixels(points_after, size), to_ndc(points_after)[:, 2:]])
            skin = eyelids.draw_lashes(rng, skin, points, depth, size / (2 * HALF_MM))
        return View(skin, triangle, weights, place)

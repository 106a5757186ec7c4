"""A photo as a texture on its fitted head, seen with another pose, shape or expression."""
import cv2
import numba
import numpy as np

from . import eyelids
from .data import CENTRE_Y_MM, HALF_MM
from .normals import _vertex_normals


@numba.njit(cache=True)
def texture_map(v, tri, uv, source, size, depth, out):
    """out [size,size,3] = texture u, v and triangle number + 1 (0: background); corner c of t takes uv[source[t,c]]."""
    out[:] = 0
    depth[:] = -1e30
    for t in range(tri.shape[0]):
        i, j, k = tri[t, 0], tri[t, 1], tri[t, 2]
        ax, ay = (1 + v[i, 0]) * size / 2 - 0.5, (1 - v[i, 1]) * size / 2 - 0.5
        bx, by = (1 + v[j, 0]) * size / 2 - 0.5, (1 - v[j, 1]) * size / 2 - 0.5
        cx, cy = (1 + v[k, 0]) * size / 2 - 0.5, (1 - v[k, 1]) * size / 2 - 0.5
        det = (bx - ax) * (cy - ay) - (by - ay) * (cx - ax)
        if det > -1e-9:
            continue
        x0, x1 = max(0, int(np.ceil(min(ax, bx, cx)))), min(size - 1, int(np.floor(max(ax, bx, cx))))
        y0, y1 = max(0, int(np.ceil(min(ay, by, cy)))), min(size - 1, int(np.floor(max(ay, by, cy))))
        for y in range(y0, y1 + 1):
            for x in range(x0, x1 + 1):
                wb = ((x - ax) * (cy - ay) - (y - ay) * (cx - ax)) / det
                wc = ((bx - ax) * (y - ay) - (by - ay) * (x - ax)) / det
                wa = 1 - wb - wc
                if wa < -1e-6 or wb < -1e-6 or wc < -1e-6:
                    continue
                z = wa * v[i, 2] + wb * v[j, 2] + wc * v[k, 2]
                if z > depth[y, x]:
                    depth[y, x] = z
                    a, b, c = source[t, 0], source[t, 1], source[t, 2]
                    out[y, x, 0] = wa * uv[a, 0] + wb * uv[b, 0] + wc * uv[c, 0]
                    out[y, x, 1] = wa * uv[a, 1] + wb * uv[b, 1] + wc * uv[c, 1]
                    out[y, x, 2] = t + 1


def to_ndc(points):
    """Camera mm to NDC of the aligned frame."""
    return ((points - np.array([0, CENTRE_Y_MM, 0], np.float32)) / np.float32(HALF_MM)).astype(np.float32)


def to_pixels(points, size):
    """[n,2 or 3] camera mm to [n,2] pixels of an aligned picture."""
    ndc = to_ndc(points)
    return np.stack([(1 + ndc[:, 0]) * size / 2 - 0.5, (1 - ndc[:, 1]) * size / 2 - 0.5], 1).astype(np.float32)


class View:
    """skin [S,S,3] uint8; triangle [S,S], -1 outside the head; place: where in the photo each pixel is from, for cv2.remap."""

    def __init__(self, skin, triangle, place):
        self.skin, self.triangle, self.place = skin, triangle, place


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
        out, depth = np.empty((size, size, 3), np.float32), np.empty((size, size), np.float32)
        texture_map(to_ndc(after), triangles, to_pixels(before, size), source, size, depth, out)
        place, triangle = (out[:, :, 0], out[:, :, 1]), out[:, :, 2].astype(np.int32) - 1

        def seen(texture):
            return cv2.remap(np.ascontiguousarray(texture), *place, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        skin = seen(photo)
        if eyelids.closing(points_before, points_after):
            lids = seen(eyelids.without_eyes(photo, to_pixels(points_before, size)))
            skin = np.where(self.is_skin[triangle][..., None], lids, skin)
            points = np.hstack([to_pixels(points_after, size), to_ndc(points_after)[:, 2:]])
            skin = eyelids.draw_lashes(rng, skin, points, depth, size / (2 * HALF_MM))
        return View(skin, triangle, place)

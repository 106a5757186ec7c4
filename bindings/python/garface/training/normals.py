"""The linear head model and its rasterised normal maps (numpy, compiled by numba).

Conventions: model in millimetres, x to the subject's left, y up, z out of the face; NDC x right, y up; pixel centre i of
w at (2 i + 1) / w - 1; larger z wins; front faces counter-clockwise as seen.
"""
import numba
import numpy as np

from .data import CENTRE_Y_MM, HALF_MM


@numba.njit(cache=True, fastmath=False)
def _vertex_normals(v, tri, out):
    out[:] = 0
    for t in range(tri.shape[0]):
        i, j, k = tri[t, 0], tri[t, 1], tri[t, 2]
        ux, uy, uz = v[j, 0] - v[i, 0], v[j, 1] - v[i, 1], v[j, 2] - v[i, 2]
        wx, wy, wz = v[k, 0] - v[i, 0], v[k, 1] - v[i, 1], v[k, 2] - v[i, 2]
        x, y, z = uy * wz - uz * wy, uz * wx - ux * wz, ux * wy - uy * wx
        for c in (i, j, k):
            out[c, 0] += x
            out[c, 1] += y
            out[c, 2] += z
    for i in range(out.shape[0]):
        length = np.sqrt(out[i, 0] ** 2 + out[i, 1] ** 2 + out[i, 2] ** 2)
        if length > 1e-12:
            out[i] /= length


@numba.njit(cache=True, fastmath=False)
def rasterise(v, tri, size, depth, ids, weights):
    """The triangle that each pixel shows of NDC vertices: ids [size,size], -1 for none; its barycentrics [size,size,3], left as
    they are where there is none; depth [size,size]."""
    ids[:] = -1
    depth[:] = -1e30
    for t in range(tri.shape[0]):
        i, j, k = tri[t, 0], tri[t, 1], tri[t, 2]
        ax, ay = (1 + v[i, 0]) * size / 2 - 0.5, (1 - v[i, 1]) * size / 2 - 0.5
        bx, by = (1 + v[j, 0]) * size / 2 - 0.5, (1 - v[j, 1]) * size / 2 - 0.5
        cx, cy = (1 + v[k, 0]) * size / 2 - 0.5, (1 - v[k, 1]) * size / 2 - 0.5
        det = (bx - ax) * (cy - ay) - (by - ay) * (cx - ax)
        if det > -1e-9:      # y points down here: front faces turn the other way
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
                    ids[y, x] = t
                    weights[y, x, 0], weights[y, x, 1], weights[y, x, 2] = wa, wb, wc


@numba.njit(cache=True, fastmath=False)
def interpolate(ids, weights, corners, values, out):
    """Values [V,C] at the corners [T,3] of each pixel's triangle, by its barycentrics, into out [size,size,C]; background 0."""
    out[:] = 0
    for y in range(ids.shape[0]):
        for x in range(ids.shape[1]):
            t = ids[y, x]
            if t < 0:
                continue
            i, j, k = corners[t, 0], corners[t, 1], corners[t, 2]
            for c in range(values.shape[1]):
                out[y, x, c] = (weights[y, x, 0] * values[i, c] + weights[y, x, 1] * values[j, c]
                                + weights[y, x, 2] * values[k, c])


@numba.njit(cache=True, fastmath=False)
def _normal_map(v, n, tri, size, depth, out):
    """Rasterise interpolated normals n of NDC vertices v into out [size,size,3]; background 0."""
    ids, weights = np.empty((size, size), np.int32), np.empty((size, size, 3))
    rasterise(v, tri, size, depth, ids, weights)
    interpolate(ids, weights, tri, n, out)


def mirror_partners(mean):
    """The vertex of `mean` (V, 3) nearest to each one's mirror image."""
    from scipy.spatial import cKDTree
    return cKDTree(mean).query(mean * np.array([-1, 1, 1], mean.dtype))[1]


class HeadModel:
    """Linear 3D morphable model: vertices = mean + identity . a + expression . b, millimetres."""

    def __init__(self, path):
        data = np.load(path)
        self.mean = data["mean"].astype(np.float32)
        self.identity = data["identity"].astype(np.float32)
        self.expression = data["expression"].astype(np.float32)
        self.triangles = np.ascontiguousarray(data["triangles"])
        self.part, self.part_names = data["part"], [str(n) for n in data["part_names"]]
        self.expression_names = [str(n) for n in data["expression_names"]]
        self.identity_rms = data["identity_rms_mm"].astype(np.float32)
        corner, weight = data["landmark_triangles"], data["landmark_bary"]

        def pick(basis):
            return np.einsum("lk,...lkd->...ld", weight, basis[..., corner, :]).astype(np.float32)
        self.landmark_mean, self.landmark_identity = pick(self.mean), pick(self.identity)
        self.landmark_expression = pick(self.expression)

    def vertices(self, identity, expression):
        """identity [N,<=80], expression [N,55] -> [N,V,3]"""
        k = identity.shape[1]
        flat = identity @ self.identity[:k].reshape(k, -1) + expression @ self.expression.reshape(len(self.expression), -1)
        return (self.mean.reshape(-1) + flat).reshape(len(identity), -1, 3)

    def landmarks(self, identity, expression):
        """The model's own 68 points, [N,68,3] mm."""
        k = identity.shape[1]
        return (self.landmark_mean + np.einsum("nk,kld->nld", identity, self.landmark_identity[:k])
                + np.einsum("nk,kld->nld", expression, self.landmark_expression))

    def expression_swap(self):
        """Index of each expression's mirror image: left and right exchanged."""
        def other(name):
            if name.endswith(("_L", "_R")):
                return name[:-1] + ("R" if name.endswith("L") else "L")
            for a, b in (("Left", "Right"), ("Right", "Left")):
                if name.endswith(a):
                    return name[:-len(a)] + b
            return name
        return np.array([self.expression_names.index(other(n)) for n in self.expression_names])

    def identity_mirror(self):
        """(map [80,80], relative residual): coefficients of the mirrored face = map @ coefficients, by least squares.

        Vertices correspond to the nearest vertex of the mirrored mean.
        """
        flip = np.array([-1.0, 1, 1], np.float32)
        partner = mirror_partners(self.mean)
        basis = self.identity.reshape(len(self.identity), -1).astype(np.float64)
        mirrored = (self.identity[:, partner] * flip).reshape(len(basis), -1).astype(np.float64)
        solution = np.linalg.solve(basis @ basis.T, basis @ mirrored.T)
        residual = np.linalg.norm(mirrored.T - basis.T @ solution) / np.linalg.norm(mirrored)
        return solution.astype(np.float32), residual

    def normal_maps(self, identity, expression, rotations, size):
        """Area-sampled camera-space normal maps in the aligned frame: [N,3,size,size] int8 (127 = 1).

        Rasterised at twice the size and averaged 2x2: normals sampled at points alias at lips, teeth and eyelids.
        """
        vertices = self.vertices(np.asarray(identity, np.float32), np.asarray(expression, np.float32))
        fine, depth = np.empty((2 * size, 2 * size, 3), np.float32), np.empty((2 * size, 2 * size), np.float32)
        normals = np.empty_like(self.mean)
        out = np.empty((len(vertices), 3, size, size), np.int8)
        for i, (v, rotation) in enumerate(zip(vertices, rotations)):
            v = v @ np.asarray(rotation, np.float32).T
            _vertex_normals(v, self.triangles, normals)
            ndc = (v - np.array([0, CENTRE_Y_MM, 0], np.float32)) / np.float32(HALF_MM)
            _normal_map(ndc, normals, self.triangles, 2 * size, depth, fine)
            coarse = fine.reshape(size, 2, size, 2, 3).mean((1, 3))
            out[i] = (coarse * 127).round().astype(np.int8).transpose(2, 0, 1)
        return out

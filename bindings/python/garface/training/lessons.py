"""What a trained renderer learns obedience from: its own pictures as textures on the mesh, moved.

A lesson is one code, a geometry `before` and another `after`. What the renderer draws of the first is carried over by the mesh to
the second, and where both show the same skin that is what it should draw there. Two kinds: eyes that shut (`eyelids` says
why they need a lesson of their own), and faces that turn, take another shape or another expression. Beside the outline of a
cheek that has turned away lies what is drawn farther out, where skin does not bleed.
"""
import multiprocessing

import cv2
import numpy as np
import torch

from . import eyelids
from .data import load_portraits, rotation_matrix, training_portraits
from .networks import load_gar, pyramid
from .normals import HeadModel, _vertex_normals, interpolate, rasterise
from .renders import GeometrySampler
from .textures import TexturedHead, to_ndc, to_pixels
from .turned import INSIDE_MOUTH

LEAST_LEVEL = 32        # the smallest level whose picture is taught, too
REACH = 0.3             # of an eye's width, round the eye: where the lids are taught
FINE = 2                # pictures are moved at so many times their size, so that moving does not blur them
SEEN = 0.035            # NDC, 4 mm: skin that lay deeper than what was seen there was not seen
GRAZING, FACING = 0.15, 0.4     # z of the normal before: not taken below the one, wholly above the other
OPENED = 0.05           # of jawOpen: a mouth that opens shows what was not seen
# Weights of skin, of the outline, of brows, nose and mouth, of the jaw's line, where eyes have 1.
PLAIN, OUTER, FEATURES, JAW = 0.06, 0.4, 0.5, 0.8
RIM = 0.045             # NDC, 5 mm, on both sides of the outline after: not held; taught where skin was seen, and beside cheeks
BATCH = 32              # lessons made at once
DRAWN_WELL = np.radians(24)     # yaw up to which a renderer of upright portraits can teach itself
OUTLINE = 0.07          # NDC, 8 mm beside the face's outline after: what is drawn behind it, from where skin no longer bleeds
LEADING_MODES = 12      # of identity, that are moved alone


def with_blinks(sampler, rng):
    """(identity, expression, yaw, pitch) with open eyes, and the same with eyes shut more or less; some wink."""
    identity, expression, yaw, pitch = sampler.sample(rng)
    left, right = (sampler.names.index("eyeBlink_" + side) for side in "LR")
    expression[[left, right]] = 0
    shut = expression.copy()
    shut[[left, right]] = rng.uniform(0.2, 1)
    if rng.random() < 0.1:
        shut[left if rng.random() < 0.5 else right] = 0
    return (identity, expression, yaw, pitch), (identity, shut, yaw, pitch)


def with_moves(sampler, rng):
    """A geometry that the renderer draws well, turned little and with open eyes, and what becomes of it, as in `with_blinks`."""
    identity, _, yaw, pitch = sampler.sample(rng)
    expression = sampler.sample_expression(rng)
    names = [n for n in sampler.names if n.startswith("eyeBlink_")]
    expression[[sampler.names.index(n) for n in names]] = 0
    new_identity, new_expression, new_yaw, new_pitch = identity.copy(), expression.copy(), yaw, pitch
    if rng.random() < 0.8:
        if rng.random() < 0.6:
            new_yaw = np.radians(rng.choice((-1, 1)) * rng.uniform(25, 55))
        yaw = np.clip(new_yaw * rng.uniform(0.1, 0.65), -DRAWN_WELL, DRAWN_WELL)
        pitch = pitch * rng.uniform(0, 0.7)
    else:
        new_yaw = yaw = np.radians(np.clip(rng.normal(0, 12), -25, 25))
    r = rng.random()
    if r < 0.4:
        new_identity[rng.integers(LEADING_MODES)] += rng.choice((-1, 1)) * rng.uniform(1, 2.5)
    elif r < 0.7:
        new_identity += rng.standard_normal(80).astype(np.float32) * rng.uniform(0.2, 0.6)
    if rng.random() < 0.5:
        new_expression = sampler.sample_expression(rng)
    return (identity, expression, yaw, pitch), (new_identity, new_expression, new_yaw, new_pitch)


def eye_mask(before, after, size):
    """1 round the eyes of both, 68 points [68,2] px each, softly 0 away from them: float [S,S]."""
    mask = np.zeros((size, size), np.uint8)
    for eye in eyelids.EYES:
        points = np.concatenate([before[eye], after[eye]])
        width = np.linalg.norm(before[eye][3] - before[eye][0])
        hull = cv2.convexHull(np.round(points).astype(np.int32))
        cv2.fillConvexPoly(mask, hull, 1)
        cv2.polylines(mask, [hull], True, 1, max(1, int(round(2 * REACH * width))))
    return np.clip(cv2.GaussianBlur(mask.astype(np.float32), (0, 0), size / 128), 0, 1)


def feature_mask(points, size):
    """1 over eyes, less over brows, nose, mouth and the line of the jaw (68 points [68,2] px), softly 0 away from them: float [S,S]."""
    mask = np.zeros((size, size), np.float32)
    cv2.polylines(mask, [np.round(points[:17]).astype(np.int32)], False, JAW, max(1, size // 12))
    for part, weight in ((slice(17, 22), FEATURES), (slice(22, 27), FEATURES), (slice(27, 36), FEATURES), (slice(48, 60), FEATURES),
                         (slice(36, 42), 1), (slice(42, 48), 1)):
        hull = cv2.convexHull(np.round(points[part]).astype(np.int32))
        cv2.fillConvexPoly(mask, hull, weight)
        cv2.polylines(mask, [hull], True, weight, max(1, size // 24))
    return np.clip(cv2.GaussianBlur(mask, (0, 0), size / 64), 0, 1)


def nearest(outside):
    """(rows, columns) [S,S] of the nearest pixel of where `outside` [S,S] is 0; distance [S,S] px."""
    distance, label = cv2.distanceTransformWithLabels(outside, cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL)
    rows, columns = np.nonzero(outside == 0)
    at = np.zeros(label.max() + 1, np.int64)
    at[label[rows, columns]] = np.arange(len(rows))
    return rows[at[label]], columns[at[label]], distance


def disc(radius):
    """A structuring element of `radius` px."""
    return cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * int(round(radius)) + 1,) * 2)


def shut_eyes(textured, picture, awake, asleep):
    """(the picture [S,S,3] of the head `awake` with the eyes of `asleep`, how much of it to take, what to hold, 0: [S,S] each)"""
    size = picture.shape[0]
    view = textured.view(picture, awake, asleep, mirrored=False)
    mask = eye_mask(to_pixels(awake[1], size), to_pixels(asleep[1], size), size) * (view.triangle >= 0)
    return view.skin, mask, 1 - mask, np.zeros_like(mask)


class Mover:
    """Moves a picture from one head to another of the same model, (vertices, points) each."""

    def __init__(self, head):
        self.textured = TexturedHead(head)
        part = head.part[head.triangles[:, 0]]
        self.is_inside_mouth = np.isin(part, [head.part_names.index(n) for n in INSIDE_MOUTH])
        points = head.landmarks(np.zeros((1, 80), np.float32), np.zeros((1, len(head.expression_names)), np.float32))[0]
        corner = head.mean[head.triangles].mean(1)
        # Cheeks and temples, whose outline a turned head shows: in front of the ears, between brows and chin.
        self.is_face = (corner[:, 2] > points[[0, 16], 2].mean() + 10) & (corner[:, 1] < points[17:27, 1].max()) \
            & (corner[:, 1] > points[8, 1])

    def move(self, picture, drawn, before, after, opens):
        """(picture [S,S,3] moved, how much of it to take, what is to be held, where skin tells the light, [S,S] each)

        drawn [S,S,3]: what the renderer draws of the head after, for what lies behind its outline; opens: the mouth shows more than before
        """
        size = picture.shape[0]
        large, behind = (cv2.resize(p, (FINE * size,) * 2, interpolation=cv2.INTER_CUBIC) for p in (picture, drawn))
        view = self.textured.view(large, before, after, mirrored=False)
        known = self._known(view, before[0])
        if opens:
            known[self.is_inside_mouth[view.triangle] & (view.triangle >= 0)] = 0
        on_head = (view.triangle >= 0).astype(np.uint8)
        inner, outer = (change(on_head, disc(RIM * size * FINE / 2)) for change in (cv2.erode, cv2.dilate))
        reach = OUTLINE * size * FINE / 2
        outline = self._outline(view, on_head, known, reach)
        known = cv2.GaussianBlur(cv2.erode(known, np.ones((5, 5))), (0, 0), 1.5)
        rows, columns, _ = nearest(cv2.dilate(on_head, disc(reach)))
        behind = cv2.GaussianBlur(behind[rows, columns], (0, 0), 3)
        wanted = np.where(on_head[..., None] > 0, view.skin, behind)
        wanted, known, outline, free = (
            cv2.resize(v, (size, size), interpolation=cv2.INTER_AREA)
            for v in (wanted, known, outline, 1 - (outer - inner).astype(np.float32)))
        points = to_pixels(after[1], size)
        features = feature_mask(points, size)
        taught = np.maximum(known * np.maximum(PLAIN, features), OUTER * outline)
        # The neck's shade is the jaw's doing wherever light comes from.
        face = cv2.fillConvexPoly(np.zeros((size, size), np.float32), cv2.convexHull(np.round(points).astype(np.int32)), 1)
        return wanted, taught, (1 - np.maximum(known, outline)) * free, face * known * np.maximum(0, 1 - 2 * features)

    def _outline(self, view, on_head, known, reach):
        """1 within `reach` px of the face's outline, where skin that was seen ends, outside, and within half of it inside [S,S]."""
        rows, columns, away = nearest(1 - on_head)
        ends = self.is_face[view.triangle[rows, columns]] & (known[rows, columns] > 0.5)
        outside = ((away > 0) & (away < reach) & ends).astype(np.float32)
        inside = on_head * cv2.dilate(outside, disc(reach / 2)) * known
        return cv2.GaussianBlur(outside + inside, (0, 0), 1.5)

    def _known(self, view, before):
        """How well each pixel of the view [S,S] was seen of the head before."""
        triangles, size = self.textured.head.triangles, view.triangle.shape[0]
        normals = np.empty_like(before)
        _vertex_normals(before, triangles, normals)
        ndc = to_ndc(before)
        source = np.empty((size, size, 2), np.float32)
        interpolate(view.triangle, view.weights, triangles, np.stack([ndc[:, 2], normals[:, 2]], 1).astype(np.float32), source)
        depth, ids, weights = np.empty((size, size), np.float32), np.empty((size, size), np.int32), np.empty((size, size, 3))
        rasterise(ndc, triangles, size, depth, ids, weights)
        front = cv2.remap(depth, *view.place, cv2.INTER_NEAREST, borderMode=cv2.BORDER_REPLICATE)
        seen = (view.triangle >= 0) & (source[..., 0] > front - SEEN)
        return np.clip((source[..., 1] - GRAZING) / (FACING - GRAZING), 0, 1) * seen.astype(np.float32)


def codes(gar, encoder, faces, head, count, generator):
    """[count,L]: half of random z, half of portraits where there is an encoder."""
    random = gar.style(torch.randn(count, gar.latent, generator=generator))
    if encoder is None:
        return random
    some = torch.randperm(len(faces), generator=generator)[:count // 2].numpy()
    found = []
    for at in range(0, len(some), 32):
        i = some[at:at + 32]
        normals = head.normal_maps(faces.identity[i], faces.expression[i], rotation_matrix(faces.yaw[i], faces.pitch[i], np.zeros(len(i))),
                                   gar.size)
        photos = np.stack([cv2.resize(faces.images[k], (gar.size,) * 2, interpolation=cv2.INTER_AREA) for k in i])
        photos = torch.from_numpy(photos.transpose(0, 3, 1, 2)).float() / 127.5 - 1
        found.append(encoder(torch.cat([photos, torch.from_numpy(normals).float() / 127], 1)))
    return torch.cat([torch.cat(found), random[len(some):]])[torch.randperm(count, generator=generator)]


def to_bytes(pictures):
    return ((pictures + 1) * 127.5).round().clamp(0, 255).to(torch.uint8)


@torch.no_grad()
def lessons(gar, encoder, faces, head, count, seed, moves):
    """Dictionary of tensors for `count` lessons, a share `moves` of them moves, the others lids; faces: training portraits.

    w [N,L]; normals `before` and `after` int8 [N,3,S,S]; pictures uint8 [N,3,S,S]: `wanted` and, of every level from LEAST_LEVEL on,
    `drawn_before<size>` and `drawn_after<size>`; weights uint8 [N,1,S,S]: `taught`, `held`, `skin`; is_move [N].
    """
    rng, generator = np.random.default_rng(seed), torch.Generator().manual_seed(seed & 0x7FFFFFFF)
    mover, jaw = Mover(head), head.expression_names.index("jawOpen")
    awake, any_eyes = (GeometrySampler(faces, head.expression_names, blinks) for blinks in (0, 0.25))
    w = codes(gar, encoder, faces, head, count, generator)
    is_move = rng.random(count) < moves
    drawn = [with_moves(any_eyes, rng) if m else with_blinks(awake, rng) for m in is_move]
    maps, heads, pictures = [], [], []
    for geometries in zip(*drawn):
        identity, expression, yaw, pitch = (np.array(v, np.float32) for v in zip(*geometries))
        rotation = rotation_matrix(yaw, pitch, np.zeros(count)).astype(np.float32)
        maps.append(torch.from_numpy(head.normal_maps(identity, expression, rotation, gar.size)))
        heads.append(mover.textured.posed(identity, expression, rotation))
        pictures.append([to_bytes(p) for p in gar.pictures(w, pyramid(maps[-1].float() / 127)) if p.shape[-1] >= LEAST_LEVEL])
    found = []
    frames = (np.ascontiguousarray(levels[-1].permute(0, 2, 3, 1)) for levels in pictures)
    for picture, later, is_moved, before, after, (old, new) in zip(*frames, is_move, *heads, drawn):
        found.append(mover.move(picture, later, before, after, new[1][jaw] > old[1][jaw] + OPENED) if is_moved
                     else shut_eyes(mover.textured, picture, before, after))
    wanted, taught, held, skin = (torch.from_numpy(np.stack(v)) for v in zip(*found))
    result = {"w": w, "before": maps[0], "after": maps[1], "wanted": wanted.permute(0, 3, 1, 2).contiguous(),
              "is_move": torch.from_numpy(is_move)}
    result |= {name: (255 * v).to(torch.uint8)[:, None] for name, v in (("taught", taught), ("held", held), ("skin", skin))}
    for name, levels in zip(("drawn_before", "drawn_after"), pictures):
        result |= {f"{name}{p.shape[-1]}": p for p in levels}
    return result


_at_work = None


def _start(gar, head, portraits, cache):
    global _at_work
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    _at_work = (*load_gar(gar), training_portraits(load_portraits(portraits, cache)), HeadModel(head))


def _batch(task):
    return {name: value.numpy() for name, value in lessons(*_at_work, *task).items()}


def made_by_processes(gar, head, portraits, cache, count, seed, moves, processes):
    """`lessons` of files and folders, made by several processes; the same ones however many there are."""
    tasks = [(min(BATCH, count - at), seed * 1_000_003 + at, moves) for at in range(0, count, BATCH)]
    with multiprocessing.get_context("spawn").Pool(processes, _start, (gar, head, portraits, cache)) as pool:
        parts = pool.map(_batch, tasks, chunksize=1)
    return {name: torch.from_numpy(np.concatenate([p.pop(name) for p in parts])) for name in list(parts[0])}

"""Augmented aligned crops with labels for the inverse network.

The pose label is the residual similarity of the crop: crop NDC = (s (R p).x + tx, s (R p).y + ty - centre_y) / half with
R = Rz(roll) Rx(-pitch) Ry(yaw), so that the aligned frame follows from it exactly (`aligned_frame`).
"""
from dataclasses import dataclass

import cv2
import numpy as np

from .._landmarks import LANDMARK_SWAP
from .convnets import INVERSE_SIZE
from .data import CENTRE_Y_MM, HALF_MM, PORTRAIT_SIZE, WHOLE, Field, compose_affine, frame_to_picture, invert_affine
from .detect import detect
from .photo_effects import face_mask, glasses, photographed
from .scenes import SceneMaker, _rgb, degrade, skin

# One flat label row: field -> slice
FIELDS = {}
_at = 0
for _name, _n in (("identity", 80), ("expression", 55), ("pose", 6), ("landmarks", 136), ("face", 1), ("kind", 1),
                  ("mirrored", 1), ("source", 1), ("exact", 1), ("matrix", 6)):
    FIELDS[_name] = slice(_at, _at + _n)
    _at += _n
LABELS = _at
PORTRAIT, CROP, RENDER, NEGATIVE = range(4)
BANK_LIFE = 512        # numbered chunks that share one bank of backgrounds


def residual_pose(similarity):
    """(roll, log scale, tx, ty [mm]) of the 2x3 map from aligned-frame NDC to crop NDC."""
    (a, b, x), (c, _, y) = similarity
    scale, roll = np.hypot(a, c), np.arctan2(c, a)
    return (roll, np.log(scale), HALF_MM * x + CENTRE_Y_MM * scale * np.sin(roll),
            HALF_MM * y + CENTRE_Y_MM - CENTRE_Y_MM * scale * np.cos(roll))


def aligned_frame(pose):
    """Inverse of `residual_pose`: 2x3 map from aligned-frame NDC to crop NDC; pose = yaw, pitch, roll, log s, tx, ty."""
    _, _, roll, log_scale, tx, ty = [float(v) for v in pose]
    s = np.exp(log_scale)
    c, n = s * np.cos(roll), s * np.sin(roll)
    x = (tx - CENTRE_Y_MM * n) / HALF_MM
    y = (ty - CENTRE_Y_MM + CENTRE_Y_MM * c) / HALF_MM
    return np.array([[c, -n, x], [n, c, y]])


def mirror_labels(rows, identity_map, expression_swap):
    """The label rows [..., LABELS] of the mirrored pictures."""
    out = rows.copy()
    out[..., FIELDS["identity"]] = rows[..., FIELDS["identity"]] @ identity_map.T
    out[..., FIELDS["expression"]] = rows[..., FIELDS["expression"]][..., expression_swap]
    out[..., FIELDS["pose"]] = rows[..., FIELDS["pose"]] * np.array([-1, 1, -1, 1, -1, 1])
    points = rows[..., FIELDS["landmarks"]].reshape(*rows.shape[:-1], 68, 2)[..., LANDMARK_SWAP, :] * np.array([-1, 1])
    out[..., FIELDS["landmarks"]] = points.reshape(*rows.shape[:-1], 136)
    out[..., FIELDS["mirrored"]] = 1 - rows[..., FIELDS["mirrored"]]
    return out


@dataclass(frozen=True)
class Jitter:
    """How far crops stray from the aligned frame: uniform up to these, some much less, a few further."""
    roll: float = np.radians(20)
    scale: float = 0.2
    shift_mm: float = 0.12 * 2 * HALF_MM

    def times(self, factor):
        return Jitter(factor * self.roll, factor * self.scale, factor * self.shift_mm)

    def draw(self, rng):
        r = rng.random()      # the second pass sees nearly aligned crops; now and then the finder errs badly
        roll, scale, x, y = rng.uniform(-1, 1, 4) * (0.35 if r < 0.4 else 1.5 if r > 0.94 else 1.0)
        return roll * self.roll, np.exp(scale * self.scale), x * self.shift_mm, y * self.shift_mm


@dataclass(frozen=True)
class Framing:
    """What a network is shown: crops of so many pixels of a field of the aligned frame, which strays so far; of portraits of that size."""
    size: int
    field: Field
    jitter: Jitter
    portrait_size: int


WHOLE_FRAME = Framing(INVERSE_SIZE, WHOLE, Jitter(), PORTRAIT_SIZE)
# All 68 points of nearly every fitted face lie inside, and where the face is has been read before.
CLOSE_UP = Framing(112, Field(82 / HALF_MM, -22 / HALF_MM), Jitter().times(0.3), 256)


class CropMaker:
    """Makes training crops out of the face sets: portraits, grey crops and renders.

    exact [N]: of which renders identity is known exactly, and not from a fit; of all without it. Labels are in the NDC of the
    whole aligned frame, whatever the framing shows of it.
    """

    def __init__(self, portraits, crops, renders, pictures, head, framing=WHOLE_FRAME, exact=None):
        self.sets = {PORTRAIT: portraits, CROP: crops}
        if renders is not None:
            self.sets[RENDER] = renders
            self.exact = np.ones(len(renders)) if exact is None else exact
        self.size, self.head, self.field, self.jitter = framing.size, head, framing.field, framing.jitter
        self.to_ndc = self.field.from_pixels(self.size)
        self.identity_map, _ = head.identity_mirror()
        self.expression_swap = head.expression_swap()
        self.scenes = SceneMaker(portraits.subset(slice(0, 200)), crops.subset(slice(0, 200)), pictures)
        self.false_alarms = []
        self.clean = False          # True: jittered and mirrored only, no degradation
        self._bank, self._bank_number = None, None

    def mine(self, rng, detector, count, side=288):
        """Collect crops at which the face detector fires in face-free pictures: the negatives that matter most."""
        while len(self.false_alarms) < count:
            picture = self.scenes.background(rng, side)
            for x, y, size, roll, _ in detect(detector, picture, 0.15)[:12]:
                matrix = compose_affine(frame_to_picture((x, y), size, roll), self.to_ndc)
                self.false_alarms.append(cv2.warpAffine(picture, matrix, (self.size, self.size), borderMode=cv2.BORDER_REPLICATE,
                                                        flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP))

    def _fill(self, rng, warped, inside, grey):
        """What lies outside the source picture: constant, continued, noise or another picture."""
        r = rng.random()
        if inside.min() > 0.99:
            return warped
        if r < 0.25:
            other = np.full_like(warped, 127.5 if rng.random() < 0.6 else rng.choice([0, 255]))
        elif r < 0.45:
            other = np.broadcast_to(rng.uniform(0, 255, 1 if grey else 3), warped.shape)
        elif r < 0.7:
            return warped        # continued from the edge
        else:
            other = self.scenes.banked(rng, self.size)
            if grey:
                other = cv2.cvtColor(other, cv2.COLOR_RGB2GRAY)[:, :, None]
        soft = inside if rng.random() < 0.5 else np.clip(cv2.GaussianBlur(inside, (0, 0), 2.0) * 2 - 1, 0, 1)
        return warped * soft[..., None] + other * (1 - soft[..., None])

    def _warp(self, rng, picture, matrix):
        """picture -> crop; matrix maps crop pixels to picture pixels. Pre-filtered when it shrinks."""
        shrink = np.hypot(matrix[0, 0], matrix[1, 0])
        if shrink > 1.35:
            picture = cv2.GaussianBlur(picture, (0, 0), 0.4 * shrink)
        flags, n = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP, self.size
        border = cv2.BORDER_REPLICATE if rng.random() < 0.6 else cv2.BORDER_REFLECT
        warped = cv2.warpAffine(picture, matrix, (n, n), flags=flags, borderMode=border)
        mask = np.full(picture.shape[:2], 255, np.uint8)
        mask[[0, -1]] = 0
        mask[:, [0, -1]] = 0
        inside = cv2.warpAffine(mask, matrix, (n, n), flags=flags).astype(np.float32) / 255
        grey = picture.ndim == 2
        out = self._fill(rng, _rgb(warped).astype(np.float32), inside, grey)
        return np.clip(out + 0.5, 0, 255).astype(np.uint8)

    def _occlude(self, rng, picture):
        n = self.size
        picture = np.ascontiguousarray(picture)
        for _ in range(rng.integers(1, 3)):
            colour = tuple(map(float, skin(rng) if rng.random() < 0.4 else rng.uniform(0, 255, 3)))
            axes = [int(a) for a in rng.uniform(3, n * 0.2, 2)]
            middle = [int(v) for v in rng.uniform(0, n, 2)]
            if rng.random() < 0.6:
                cv2.ellipse(picture, middle, axes, float(rng.uniform(0, 180)), 0, 360, colour, -1, cv2.LINE_AA)
            else:
                piece = self.scenes.banked(rng, 32)
                w, h = axes
                x, y = max(0, middle[0] - w), max(0, middle[1] - h)
                region = picture[y:y + 2 * h, x:x + 2 * w]
                if region.size:
                    region[:] = cv2.resize(piece, region.shape[1::-1])
        return picture

    def sample(self, rng, kind):
        """(crop [S,S,3] uint8, label row)"""
        row = np.zeros(LABELS)
        if kind == NEGATIVE:
            return self._negative(rng, row)
        faces = self.sets[kind]
        i = int(rng.integers(len(faces)))
        to_picture = faces.frames[i]
        roll, scale, x, y = self.jitter.draw(rng)
        crop_in_frame = np.array([[scale * np.cos(roll), -scale * np.sin(roll), x / HALF_MM],
                                  [scale * np.sin(roll), scale * np.cos(roll), y / HALF_MM]])
        crop_to_picture = compose_affine(to_picture, crop_in_frame)
        picture = self._warp(rng, faces.images[i], compose_affine(crop_to_picture, self.to_ndc))
        residual = invert_affine(crop_in_frame)
        points = invert_affine(crop_to_picture)
        row[FIELDS["identity"]], row[FIELDS["expression"]] = faces.identity[i], faces.expression[i]
        row[FIELDS["pose"]] = [faces.yaw[i], faces.pitch[i], *residual_pose(residual)]
        row[FIELDS["landmarks"]] = (faces.landmarks[i] @ points[:, :2].T + points[:, 2]).reshape(-1)
        row[FIELDS["face"]], row[FIELDS["kind"]], row[FIELDS["source"]] = 1, kind, i
        row[FIELDS["exact"]] = self.exact[i] if kind == RENDER else 0
        row[FIELDS["matrix"]] = residual.reshape(-1)
        return self._finish(rng, picture, row)

    def _negative(self, rng, row):
        """No face, or one so far off that the crop is of no use."""
        row[FIELDS["kind"]] = NEGATIVE
        if self.false_alarms and rng.random() < 0.5:
            picture = self.false_alarms[rng.integers(len(self.false_alarms))]
            roll, scale = rng.normal(0, 0.15), np.exp(rng.normal(0, 0.1))
            turn = cv2.getRotationMatrix2D((self.size / 2, self.size / 2), np.degrees(roll), scale)
            picture = cv2.warpAffine(picture, turn, (self.size, self.size), borderMode=cv2.BORDER_REFLECT)
            return degrade(rng, picture[:, ::-1] if rng.random() < 0.5 else picture), row
        if rng.random() < 0.5:
            picture = self.scenes.banked(rng, self.size)
            if rng.random() < 0.4:
                picture = self.scenes.distractor(rng, picture)
            return degrade(rng, picture), row
        kind = PORTRAIT if rng.random() < 0.5 else CROP
        faces = self.sets[kind]
        i = int(rng.integers(len(faces)))
        r, angle = rng.random(), rng.uniform(0, 2 * np.pi)
        scale, roll, shift = np.exp(rng.uniform(-0.3, 0.3)), rng.normal(0, 0.3), 0.0
        if r < 0.5:
            shift = rng.uniform(1.1, 2.2)
        elif r < 0.8:
            scale = np.exp(rng.uniform(0.9, 1.6) * (1 if rng.random() < 0.6 else -1))
        else:
            roll = rng.uniform(1.7, 4.5)
        crop_in_frame = np.array([[scale * np.cos(roll), -scale * np.sin(roll), shift * np.cos(angle)],
                                  [scale * np.sin(roll), scale * np.cos(roll), shift * np.sin(angle)]])
        matrix = compose_affine(compose_affine(faces.frames[i], crop_in_frame), self.to_ndc)
        return degrade(rng, self._warp(rng, faces.images[i], matrix)), row

    def _finish(self, rng, picture, row):
        if rng.random() < 0.5:
            picture = np.ascontiguousarray(picture[:, ::-1])
            row = mirror_labels(row, self.identity_map, self.expression_swap)
        if self.clean:
            return picture, row
        points = self.field.to_pixels(row[FIELDS["landmarks"]].reshape(68, 2), self.size)
        r = rng.random()
        if r < 0.2:
            picture = self._occlude(rng, picture)
        elif r < 0.24:
            picture = glasses(rng, picture, points)
        elif r < 0.27:
            picture = face_mask(rng, picture, points)
        return photographed(rng, picture), row

    def numbered(self, seed, number, count, mix):
        """Chunk `number` of a run: a function of (seed, number) and the material alone, whoever makes it and when."""
        if self._bank_number != number // BANK_LIFE:
            self._bank_number = number // BANK_LIFE
            self._bank = self.scenes.new_bank(np.random.default_rng([seed, 1, self._bank_number]))
        self.scenes.use_bank(self._bank)
        return self.chunk(np.random.default_rng([seed, 2, number]), count, mix)

    def chunk(self, rng, count, mix):
        """`count` samples with kinds drawn from `mix` {kind: share}: ([n,S,S,3] uint8, [n,LABELS] float32)"""
        kinds = [k for k in mix if k == NEGATIVE or k in self.sets]
        share = np.array([mix[k] for k in kinds], float)
        drawn = rng.choice(kinds, count, p=share / share.sum())
        samples = [self.sample(rng, int(k)) for k in drawn]
        return np.stack([p for p, _ in samples]), np.stack([r for _, r in samples]).astype(np.float32)

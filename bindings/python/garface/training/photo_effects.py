"""What the world does to a photographed face beyond `scenes.degrade`: light, things worn, small size, sharpening.

Pictures are uint8 [S,S,3]; `points` are its 68 landmarks in pixels.
"""
import cv2
import numpy as np

from .scenes import degrade


def uneven_light(rng, picture):
    """Light from one side: brightness runs across the picture."""
    n, angle, strength = picture.shape[0], rng.uniform(0, 2 * np.pi), rng.uniform(0.2, 0.9)
    y, x = np.mgrid[:n, :n] / (n - 1) - 0.5
    gain = np.exp(strength * (np.cos(angle) * x + np.sin(angle) * y))
    return np.clip(picture * gain[..., None] + 0.5, 0, 255).astype(np.uint8)


def extreme_exposure(rng, picture):
    """Burnt out or nearly dark."""
    gain = rng.uniform(1.3, 2.2) if rng.random() < 0.5 else rng.uniform(0.3, 0.6)
    return np.clip(picture * gain + 0.5, 0, 255).astype(np.uint8)


def sharpen(rng, picture):
    """The halos of a camera's or a web site's sharpening."""
    amount = float(rng.uniform(0.5, 1.8))
    soft = cv2.GaussianBlur(picture, (0, 0), float(rng.uniform(0.7, 1.6)))
    return cv2.addWeighted(picture, 1 + amount, soft, -amount, 0)


def small_face(rng, picture):
    """The face as few pixels, often compressed or noisy at that size, then enlarged."""
    n = picture.shape[0]
    few = max(8, int(n * rng.uniform(0.2, 0.7)))
    small = cv2.resize(picture, (few, few), interpolation=cv2.INTER_AREA)
    if rng.random() < 0.5:
        small = degrade(rng, small, 0.7)
    kind = cv2.INTER_LINEAR if rng.random() < 0.7 else cv2.INTER_CUBIC
    return cv2.resize(small, (n, n), interpolation=kind)


def photographed(rng, picture):
    """What light, cameras and web sites make of it."""
    for share, effect in ((0.15, uneven_light), (0.05, extreme_exposure), (0.14, small_face), (0.06, sharpen)):
        if rng.random() < share:
            picture = effect(rng, picture)
    return degrade(rng, picture)


def _polygon(points):
    return np.round(points * 16).astype(np.int32)[None]


def glasses(rng, picture, points):
    """Glasses or sunglasses over the eyes."""
    eyes = points[36:42].mean(0), points[42:48].mean(0)
    across = eyes[1] - eyes[0]
    apart, turn = float(np.hypot(*across)), float(np.degrees(np.arctan2(across[1], across[0])))
    if apart < 4:      # seen from the side
        return picture
    wide, high = apart * rng.uniform(0.32, 0.44), apart * rng.uniform(0.2, 0.36)
    colour = tuple(float(c) for c in rng.uniform(0, 90, 3))
    painted = picture.copy()
    thickness = -1 if rng.random() < 0.5 else max(1, int(apart * rng.uniform(0.03, 0.09)))
    for eye in eyes:
        middle = [int(v) for v in eye + [0, 0.05 * apart]]
        cv2.ellipse(painted, middle, (int(wide), int(high)), turn, 0, 360, colour, thickness, cv2.LINE_AA)
    inner = [eyes[0] + 0.35 * across, eyes[1] - 0.35 * across]
    cv2.polylines(painted, _polygon(np.array(inner)), False, colour, max(1, int(apart * 0.05)), cv2.LINE_AA, 4)
    cover = rng.uniform(0.5, 1) if thickness < 0 else 1.0
    return cv2.addWeighted(painted, cover, picture, 1 - cover, 0)


def face_mask(rng, picture, points):
    """Nose, mouth and chin under cloth."""
    low, high = points[1:16], points[28 + rng.integers(0, 3)]
    shape = np.concatenate([low, high[None]])
    if not ((shape > -500) & (shape < 1500)).all():
        return picture
    tone = rng.uniform(180, 255) if rng.random() < 0.5 else rng.uniform(0, 255)
    colour = np.clip(tone + rng.normal(0, 25, 3), 0, 255)
    painted = picture.copy()
    cv2.fillPoly(painted, _polygon(shape), tuple(float(c) for c in colour), cv2.LINE_AA, 4)
    shaded = 0.8 if rng.random() < 0.5 else 1.0      # folds and shape shine through a little
    return cv2.addWeighted(painted, shaded, picture, 1 - shaded, 0)

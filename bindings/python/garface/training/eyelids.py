"""Eyes shut in a photo that shows them open.

A mesh that shuts its eyes pulls the skin of the lids over them. A photo of open eyes shows next to nothing of that skin,
and fits are off by a millimetre: taken as a texture alone it paints half an eye onto the closed lid.
"""
import cv2
import numpy as np

from ..evaluation.openings import eye_aspect

EYES = (slice(36, 42), slice(42, 48))
UPPER, LOWER = (0, 1, 2, 3), (0, 5, 4, 3)      # of an eye's six points, outer corner to inner or the reverse
MARGIN = 0.16           # of an eye's width, round its opening: fits are off, and lashes are dark
CLOSING = 0.8           # shut where the eyes' aspect falls below this share of the photo's
FINE = 4                # lashes are drawn that much larger and averaged
SHUT = 0.1              # aspect of an eye that is closed, or nearly so
SHUT_SHARE = 0.12       # of the crops in training have their eyes shut; 2 % of the photographs do
HIDDEN = 0.035          # NDC, 4 mm: a point that lies deeper than what is seen there is not seen


def closing(before, after):
    """Do the lids come down? 68 points (68, 3) of the photo's mesh and of the new one."""
    return eye_aspect(after) < CLOSING * eye_aspect(before)


def shut_eyes_repeated(landmarks):
    """Numbers of the faces [N] in which those with shut eyes come as often as it takes; landmarks [N,68,3]."""
    shut = np.flatnonzero([eye_aspect(points) < SHUT for points in landmarks])
    wanted = int(SHUT_SHARE * (len(landmarks) - len(shut)) / (1 - SHUT_SHARE))
    return np.concatenate([np.arange(len(landmarks)), np.resize(shut, max(0, wanted - len(shut)) if len(shut) else 0)])


def without_eyes(photo, points):
    """The photo with skin where its eyes are; points (68, 2) pixels."""
    mask = np.zeros(photo.shape[:2], np.uint8)
    for eye in EYES:
        corners = points[eye]
        width = np.linalg.norm(corners[3] - corners[0])
        cv2.fillPoly(mask, [np.round(corners).astype(np.int32)], 255)
        cv2.polylines(mask, [np.round(corners).astype(np.int32)], True, 255, max(1, int(round(2 * MARGIN * width))))
    return cv2.inpaint(np.ascontiguousarray(photo), mask, 3, cv2.INPAINT_TELEA)


def _curve(points, count=17):
    """A smooth line through four points, (count, 2)."""
    at = np.linspace(0, 1, len(points))
    return np.stack([np.polyval(np.polyfit(at, points[:, k], 3), np.linspace(0, 1, count)) for k in (0, 1)], 1)


def draw_lashes(rng, picture, points, depth, millimetre):
    """The picture with a dark line of lashes along the upper lids, where the lids are seen; without `rng` the mean line.

    points (68, 3): pixels and NDC depth; depth (S, S): NDC of what is seen; millimetre: in pixels.
    """
    size, line = len(picture), np.zeros((len(picture) * FINE,) * 2, np.uint8)
    width, opacity, dark = rng.uniform((0.8, 0.5, 0.1), (2.2, 0.95, 0.4)) if rng else (1.5, 0.8, 0.2)
    thickness = max(1, int(round(width * millimetre * FINE)))
    for eye in EYES:
        upper, lower = points[eye][list(UPPER)], points[eye][list(LOWER)]
        x, y = np.clip(np.round(upper[:, :2].T).astype(int), 0, size - 1)
        if np.sum(depth[y, x] - upper[:, 2] > HIDDEN) > 1:
            continue
        rim = _curve(np.where(upper[:, 1:2] < lower[:, 1:2], upper, lower)[:, :2])
        cv2.polylines(line, [np.round((rim + 0.5) * FINE * 16 - 8).astype(np.int32)], False, 255, thickness, cv2.LINE_AA, 4)
    cover = cv2.resize(line, (size, size), interpolation=cv2.INTER_AREA)[..., None] * (opacity / 255)
    return (picture * (1 - cover) + picture * cover * dark).astype(np.uint8)

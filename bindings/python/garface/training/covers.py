"""What covers faces: hands, masks, sunglasses, things held before them, drawn over crops with the mask of what they cover.

Pictures are uint8 [S,S,3], masks float32 [S,S] (1: covered); `points` are the 68 landmarks in pixels, `banked(rng, size)` gives a
texture [size,size,3].
"""
import cv2
import numpy as np

from .scenes import skin

SHIFT = 4      # fractional bits of coordinates


def _fixed(points):
    return np.round(np.clip(points, -2000, 4000) * (1 << SHIFT)).astype(np.int32)


def _blank(picture):
    return np.zeros(picture.shape[:2], np.uint8)


def _polygon(mask, points, value=255):
    cv2.fillPoly(mask, [_fixed(points)], value, cv2.LINE_AA, SHIFT)


def _capsule(mask, a, b, radius, value=255):
    cv2.line(mask, _fixed(a).tolist(), _fixed(b).tolist(), value, max(1, int(round(2 * radius))), cv2.LINE_AA, SHIFT)


def _smooth_outline(rng, centre, radii, angle, roughness=0.25, count=40):
    """A closed curve round a centre: an ellipse with a few random waves."""
    t = np.linspace(0, 2 * np.pi, count, endpoint=False)
    r = 1 + sum(rng.normal(0, roughness / k) * np.cos(k * t + rng.uniform(0, 6.28)) for k in range(2, 6))
    x, y = radii[0] * r * np.cos(t), radii[1] * r * np.sin(t)
    c, s = np.cos(angle), np.sin(angle)
    return np.stack([centre[0] + c * x - s * y, centre[1] + s * x + c * y], 1)


def _shaded(rng, colour, mask, strength):
    """Colour [3] with the light and shade of something round or folded: darker to its edges, and uneven."""
    n = mask.shape[0]
    depth = cv2.distanceTransform((mask > 127).astype(np.uint8), cv2.DIST_L2, 3)
    depth = np.sqrt(np.clip(depth / (depth.max() + 1e-6), 0, 1))
    coarse = cv2.resize(rng.normal(0, 1, (5, 5)).astype(np.float32), (n, n), interpolation=cv2.INTER_CUBIC)
    angle = rng.uniform(0, 2 * np.pi)
    y, x = np.mgrid[:n, :n] / n - 0.5
    light = 1 - strength * (1 - depth) + 0.07 * coarse + rng.uniform(0, 0.5) * (np.cos(angle) * x + np.sin(angle) * y)
    return np.asarray(colour)[None, None] * light[..., None]


def _fill(rng, picture, mask, banked):
    """What fills a thing: one colour, shaded; a texture; or a texture in one tone."""
    n, r = picture.shape[0], rng.random()
    colour = rng.uniform(0, 255, 3) if rng.random() < 0.6 else np.full(3, rng.choice([15, 40, 128, 235, 250])) + rng.normal(0, 8, 3)
    if r < 0.45:
        return _shaded(rng, colour, mask, rng.uniform(0, 0.7))
    texture = banked(rng, n).astype(np.float64)
    if r < 0.75:
        return texture
    return texture * rng.uniform(0.1, 0.5) + _shaded(rng, colour, mask, rng.uniform(0, 0.5)) * 0.7


def _paste(rng, picture, mask, filling, opacity=1.0):
    """The filling over the picture where the mask is, edges sometimes soft, sometimes with a shadow beside them."""
    m = mask.astype(np.float32) / 255
    if rng.random() < 0.3:
        m = cv2.GaussianBlur(m, (0, 0), float(rng.uniform(0.4, 1.5)))
    out = picture.astype(np.float32)
    if rng.random() < 0.5:
        shift = np.float32([[1, 0, rng.normal(0, 3)], [0, 1, rng.normal(2, 3)]])
        shadow = cv2.GaussianBlur(cv2.warpAffine(m, shift, m.shape[::-1]), (0, 0), float(rng.uniform(1.5, 5)))
        out *= 1 - rng.uniform(0.1, 0.5) * shadow[..., None]
    a = opacity * m[..., None]
    out = out * (1 - a) + np.clip(filling, 0, 255) * a
    return np.clip(out + 0.5, 0, 255).astype(np.uint8), m


def _skin_of(rng, picture, points):
    """The skin of the cheeks and the nose, or somebody else's."""
    places = np.concatenate([points[29:31], points[[2, 14, 31, 35]] * 0.5 + points[[31, 35, 48, 54]] * 0.5])
    n = picture.shape[0]
    x, y = np.clip(np.round(places).astype(int), 0, n - 1).T
    own = np.median(picture[y, x].astype(np.float64), 0)
    if rng.random() < 0.8:
        return own * np.exp(rng.normal(0, 0.12)) + rng.normal(0, 5, 3)
    return skin(rng)


def hand(rng, picture, points, banked):
    """Fingers, most often with a palm, from below or a side."""
    face = np.ptp(points[:, 1]) + 1e-3
    target = points[rng.choice([8, 4, 12, 48, 54, 57, 33, 36, 45, 2, 14, 27])] + rng.normal(0, 0.12 * face, 2)
    towards = rng.uniform(0, 2 * np.pi) if rng.random() < 0.3 else -np.pi / 2 + rng.normal(0, 0.7)
    ahead, aside = np.array([np.cos(towards), np.sin(towards)]), np.array([-np.sin(towards), np.cos(towards)])
    thick = face * rng.uniform(0.055, 0.085)
    count, spread, bend = int(rng.integers(1, 6)), rng.uniform(0.0, 0.35), rng.normal(0, 0.25)
    mask, lines = _blank(picture), _blank(picture)
    tone = np.zeros(picture.shape[:2], np.float32)
    for k in range(count):
        at = k - (count - 1) / 2
        length = face * rng.uniform(0.3, 0.5)
        way = ahead * np.cos(spread * at) + aside * np.sin(spread * at)
        tip = target + aside * at * thick * 2.05 + way * rng.normal(0, 0.04 * face)
        knuckle = tip - way * length * 0.5 + aside * bend * thick
        root = knuckle - ahead * length * 0.5
        one = _blank(picture)
        for a, b in ((tip, knuckle), (knuckle, root)):
            _capsule(one, a, b, thick)
        tone[one > 127] = rng.normal(0, 0.05)
        edge = cv2.morphologyEx(one, cv2.MORPH_GRADIENT, np.ones((2, 2), np.uint8))
        lines = np.maximum(lines, edge)
        mask = np.maximum(mask, one)
    if rng.random() < 0.75:
        middle = target - ahead * face * rng.uniform(0.5, 0.7)
        _polygon(mask, _smooth_outline(rng, middle, (thick * 2.1 * max(2, count) / 2, face * 0.3), towards + np.pi / 2, 0.08))
        if rng.random() < 0.6:      # a wrist or a sleeve
            _capsule(mask, middle, middle - ahead * face, thick * rng.uniform(2, 4))
    filling = _shaded(rng, _skin_of(rng, picture, points), mask, rng.uniform(0.0, 0.35)) * (1.05 + tone[..., None])
    filling *= 1 - rng.uniform(0.15, 0.5) * cv2.GaussianBlur(lines, (0, 0), 0.7)[..., None] / 255
    return _paste(rng, picture, mask, filling)


def cloth_mask(rng, picture, points, banked):
    """Nose, mouth and chin under a mask or a scarf, with folds and straps."""
    down = points[8] - points[27]
    high = points[27] + rng.uniform(0.15, 0.75) * (points[33] - points[27])
    left, right = points[1 + rng.integers(0, 3)], points[15 - rng.integers(0, 3)]
    jaw = points[2:15] + rng.uniform(0.0, 0.08) * (points[2:15] - points[30])
    cheek = rng.uniform(0.0, 0.25)
    shape = np.concatenate([left[None], jaw, right[None], (right + cheek * (high - right))[None] - 0.03 * down, high[None],
                            (left + cheek * (high - left))[None] - 0.03 * down])
    if rng.random() < 0.25:      # a scarf goes on below
        shape = np.concatenate([[left, left + 2 * down, right + 2 * down, right], shape[-3:]])
    mask = _blank(picture)
    _polygon(mask, shape)
    r = rng.random()
    if r < 0.7:
        tones = ([235, 238, 240], [165, 205, 225], [150, 190, 200], [25, 25, 28], [60, 70, 110], [190, 180, 170])
        colour = np.array(tones[rng.integers(len(tones))]) * np.exp(rng.normal(0, 0.15)) + rng.normal(0, 8, 3)
        filling = _shaded(rng, colour, mask, rng.uniform(0.05, 0.4))
        across = right - left
        for _ in range(rng.integers(0, 5)):      # folds
            f = rng.uniform(0.2, 0.9)
            a, b = left + f * down * 0.8, right + f * down * 0.8
            line = _blank(picture)
            cv2.polylines(line, [_fixed(np.array([a, (a + b) / 2 + rng.uniform(-0.05, 0.12) * down, b]))], False, 255, 1, cv2.LINE_AA, SHIFT)
            filling = filling * (1 - rng.uniform(-0.15, 0.3) * cv2.GaussianBlur(line, (0, 0), float(rng.uniform(0.5, 1.5)))[..., None] / 255)
        if rng.random() < 0.5:
            strap = _blank(picture)
            for a, outwards in ((left, -1), (right, 1)):
                _capsule(strap, a, a + outwards * 0.15 * across - rng.uniform(-0.1, 0.3) * down, 0.6)
            picture, _ = _paste(rng, picture, strap, np.broadcast_to(np.asarray(colour), picture.shape))
    else:
        filling = _fill(rng, picture, mask, banked)
    return _paste(rng, picture, mask, filling)


def sunglasses(rng, picture, points, banked):
    """Dark lenses; what is faintly seen through them counts as covered."""
    eyes = points[36:42].mean(0), points[42:48].mean(0)
    across = eyes[1] - eyes[0]
    apart = float(np.hypot(*across))
    if apart < 6:
        return picture, np.zeros(picture.shape[:2], np.float32)
    turn = np.arctan2(across[1], across[0])
    wide, high = apart * rng.uniform(0.33, 0.47), apart * rng.uniform(0.24, 0.42)
    power = rng.choice([2.0, 2.5, 4.0])
    mask, frame = _blank(picture), _blank(picture)
    t = np.linspace(0, 2 * np.pi, 36, endpoint=False)
    c, s = np.cos(turn), np.sin(turn)
    droop = rng.uniform(-0.1, 0.25)
    for side, eye in zip((1, -1), eyes):
        x = wide * np.sign(np.cos(t)) * np.abs(np.cos(t)) ** (2 / power)
        y = high * np.sign(np.sin(t)) * np.abs(np.sin(t)) ** (2 / power)
        y = y * (1 + side * droop * x / wide) + 0.12 * high + rng.normal(0, 0.4)
        lens = np.stack([eye[0] + c * x - s * y, eye[1] + s * x + c * y], 1)
        _polygon(mask, lens)
        if rng.random() < 0.7:
            cv2.polylines(frame, [_fixed(lens)], True, 255, max(1, int(apart * rng.uniform(0.03, 0.08))), cv2.LINE_AA, SHIFT)
    up = np.array([s, -c]) * high * rng.uniform(0, 0.5)
    _capsule(frame, eyes[0] + 0.35 * across + up, eyes[1] - 0.35 * across + up, max(0.5, apart * 0.03))
    colour = rng.uniform(0, 45) + rng.normal(0, 6, 3)
    if rng.random() < 0.3:       # the surroundings in them
        scene = cv2.GaussianBlur(banked(rng, picture.shape[0]), (0, 0), float(rng.uniform(0.5, 4))).astype(np.float64)
        filling = scene * rng.uniform(0.2, 1) + colour * (rng.random() < 0.5)
    else:
        y = np.mgrid[:picture.shape[0], :1][0][..., None] / picture.shape[0]
        filling = np.broadcast_to(colour + rng.uniform(0, 90) * y * (rng.random() < 0.5), picture.shape)
    if rng.random() < 0.4:       # a reflection
        glint = _blank(picture)
        eye = eyes[rng.integers(2)] + rng.normal(0, 0.15 * apart, 2)
        _polygon(glint, _smooth_outline(rng, eye, (0.12 * apart, 0.05 * apart), rng.uniform(0, 3)))
        filling = filling + rng.uniform(30, 150) * cv2.GaussianBlur(glint, (0, 0), 1.0)[..., None] / 255
    picture, m = _paste(rng, picture, mask, filling, rng.uniform(0.75, 1))
    picture, f = _paste(rng, picture, frame, np.broadcast_to(rng.uniform(0, 120) + rng.normal(0, 10, 3), picture.shape))
    return picture, np.maximum(m, f)


def microphone(rng, picture, points, banked):
    """A round head and a stick below it, before mouth or chin."""
    face = np.ptp(points[:, 1]) + 1e-3
    at = points[rng.choice([8, 57, 6, 10])] + rng.normal(0, 0.15 * face, 2) + [0, 0.1 * face]
    r = face * rng.uniform(0.07, 0.17)
    mask = _blank(picture)
    _polygon(mask, _smooth_outline(rng, at, (r, r * rng.uniform(0.9, 1.5)), rng.uniform(0, 3), 0.03))
    way = np.array([rng.normal(0, 0.7), 1.0])
    _capsule(mask, at, at + 2 * face * way, r * rng.uniform(0.2, 0.7))
    return _paste(rng, picture, mask, _shaded(rng, rng.uniform(5, 110) + rng.normal(0, 12, 3), mask, rng.uniform(0.1, 0.6)))


def thing(rng, picture, points, banked):
    """Anything: a blob, a box, a bar, somewhere on the face."""
    face = np.ptp(points[:, 1]) + 1e-3
    at = points[rng.integers(68)] + rng.normal(0, 0.15 * face, 2)
    radii = face * np.exp(rng.uniform(np.log(0.07), np.log(0.5), 2))
    angle, mask, r = rng.uniform(0, np.pi), _blank(picture), rng.random()
    if r < 0.5:
        _polygon(mask, _smooth_outline(rng, at, radii, angle, rng.uniform(0, 0.4)))
    elif r < 0.8:
        corners = np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]]) * radii
        c, s = np.cos(angle), np.sin(angle)
        _polygon(mask, at + corners @ np.array([[c, s], [-s, c]]))
    else:
        way = np.array([np.cos(angle), np.sin(angle)]) * 3 * face
        _capsule(mask, at - way, at + way * (rng.random() < 0.5), face * rng.uniform(0.03, 0.15))
    return _paste(rng, picture, mask, _fill(rng, picture, mask, banked))


def beard(rng, picture, points, banked):
    """Hair on chin, jaw and lip, which is the face's own: the lips stay."""
    n = picture.shape[0]
    jaw, mouth = points[2:15], points[48:60]
    if rng.random() < 0.35:      # chin alone
        centre = (points[8] + points[57]) / 2
        jaw = centre + (points[5:12] - centre) * rng.uniform(0.6, 1.0)
    high = points[33] + rng.uniform(0.1, 0.9) * (points[51] - points[33])
    rim = np.array([points[14] * 0.45 + points[54] * 0.55, high, points[2] * 0.45 + points[48] * 0.55])
    mask = _blank(picture)
    _polygon(mask, np.concatenate([points[8] + (jaw - points[8]) * rng.uniform(1.0, 1.06), rim]))
    lips = _blank(picture)
    _polygon(lips, mouth.mean(0) + (mouth - mouth.mean(0)) * rng.uniform(1.0, 1.25))
    mask = np.minimum(mask, 255 - lips)
    soft = cv2.GaussianBlur(mask.astype(np.float32) / 255, (0, 0), float(rng.uniform(1.0, 4.0)))
    strands = cv2.GaussianBlur(rng.normal(0, 1, (n, n)).astype(np.float32), (0, 0), sigmaX=0.6, sigmaY=float(rng.uniform(0.8, 2.5)))
    hair = np.array(((45, 35, 28), (25, 22, 20), (110, 70, 40), (150, 85, 45), (150, 145, 140), (215, 212, 208))[rng.integers(6)])
    hair = hair * np.exp(rng.normal(0, 0.15)) * (1 + rng.uniform(0.1, 0.35) * strands[..., None] / (strands.std() + 1e-6))
    a = (rng.uniform(0.4, 1.0) * soft * np.clip(1 + 0.3 * strands, 0.3, 1))[..., None]
    return np.clip(picture * (1 - a) + np.clip(hair, 0, 255) * a + 0.5, 0, 255).astype(np.uint8)


def cast_shadow(rng, picture, points, banked):
    """The shadow of a hat, of hair, of the other half of the head, with an edge more or less soft; or a patch of sun."""
    face = np.ptp(points[:, 1]) + 1e-3
    mask, at = _blank(picture), points[rng.integers(68)] + rng.normal(0, 0.1 * face, 2)
    if rng.random() < 0.5:
        angle = rng.uniform(0, 2 * np.pi)
        along, across = np.array([np.cos(angle), np.sin(angle)]), np.array([-np.sin(angle), np.cos(angle)])
        t = np.linspace(-2, 2, 30)[:, None]
        edge = at + face * (t * along + 0.1 * rng.uniform(0, 1) * np.sin(t * rng.uniform(1, 6) + rng.uniform(0, 6)) * across)
        _polygon(mask, np.concatenate([edge, edge[::-1] + 3 * face * across]))
    else:
        _polygon(mask, _smooth_outline(rng, at, face * rng.uniform(0.08, 0.5, 2), rng.uniform(0, 3), 0.4))
    a = cv2.GaussianBlur(mask.astype(np.float32) / 255, (0, 0), float(rng.uniform(0.5, 4)))[..., None]
    gain = rng.uniform(0.2, 0.65, 1) * np.exp(rng.normal(0, 0.06, 3)) if rng.random() < 0.75 else np.full(3, rng.uniform(1.3, 1.9))
    return np.clip(picture * (1 + (gain - 1) * a) + 0.5, 0, 255).astype(np.uint8)


OWN = ((0.12, beard), (0.2, cast_shadow))      # shares of faces; what is no thing before a face, though it looks like one

KINDS = ((0.27, hand), (0.2, cloth_mask), (0.17, sunglasses), (0.1, microphone), (0.26, thing))


def covered(rng, picture, points, banked, kinds=KINDS):
    """(picture, mask): one or two things over a face."""
    mask = np.zeros(picture.shape[:2], np.float32)
    share = np.array([s for s, _ in kinds])
    for _ in range(1 if rng.random() < 0.75 else 2):
        cover = kinds[rng.choice(len(kinds), p=share / share.sum())][1]
        picture, more = cover(rng, picture, points, banked)
        mask = np.maximum(mask, more)
    return picture, mask


def weights(points, size):
    """[size,size]: 1 on the face, little beside it, where nothing is wanted of the mask."""
    mask = np.zeros((size, size), np.uint8)
    brows, chin = points[17:27], points[8]
    top = brows + 0.35 * (points[27] - chin)
    cv2.fillConvexPoly(mask, cv2.convexHull(_fixed(np.concatenate([points, top]))), 255, cv2.LINE_AA, SHIFT)
    return 0.08 + 0.92 * mask.astype(np.float32) / 255

"""Synthetic scenes for the face detector: faces pasted on backgrounds, and everything that only resembles a face.

A scene is a `PATCH`-sized RGB picture and a list of faces (centre x, y [px], size [px of 230 mm], roll [rad]).
"""
import glob
import os

import cv2
import numpy as np

from .data import compose_affine, frame_to_picture, invert_affine, pixel_to_ndc
from .convnets import DETECTOR_BASE, DETECTOR_STRIDE

PATCH = 96
SIZE_RANGE = (DETECTOR_BASE / 1.5, DETECTOR_BASE * 1.5)
FONTS = (cv2.FONT_HERSHEY_SIMPLEX, cv2.FONT_HERSHEY_COMPLEX, cv2.FONT_HERSHEY_SCRIPT_SIMPLEX, cv2.FONT_HERSHEY_DUPLEX)
# Pictures that come inside scikit-image and scikit-learn and show no human face.
TRAINING_PICTURES = ("coffee.png", "motorcycle_left.png", "grass.png", "brick.png", "hubble_deep_field.jpg", "moon.png",
                     "retina.jpg", "ihc.png", "coins.png", "page.png", "text.png", "color.png", "cell.png", "flower.jpg")
HELD_OUT_PICTURES = ("china.jpg", "chelsea.png", "rocket.jpg", "gravel.png")


def package_pictures(names):
    """The named pictures out of the installed scikit-image and scikit-learn packages, RGB."""
    import skimage
    import sklearn
    folders = [os.path.join(os.path.dirname(skimage.__file__), "data"),
               os.path.join(os.path.dirname(sklearn.__file__), "datasets", "images")]
    found = []
    for name in names:
        for path in (p for folder in folders for p in glob.glob(os.path.join(folder, name))):
            found.append(np.ascontiguousarray(cv2.imread(path, cv2.IMREAD_COLOR)[:, :, ::-1]))
    return found


def _colour(rng):
    return rng.integers(0, 256, 3).astype(np.float64)


def noise_texture(rng, size):
    """Noise with a random spectral slope, coloured."""
    slope = rng.uniform(0.3, 2.2)
    small = rng.standard_normal((size, size, 3 if rng.random() < 0.5 else 1)).astype(np.float32)
    out, scale, weight = np.zeros((size, size, small.shape[2]), np.float32), 1, 1.0
    while scale < size:
        n = max(2, size // scale)
        layer = cv2.resize(np.ascontiguousarray(small[:n, :n]), (size, size), interpolation=cv2.INTER_LINEAR)
        out += weight * layer.reshape(size, size, -1)
        scale, weight = scale * 2, weight * 2 ** (slope - 0.6)
    out = out / (out.std() + 1e-6) * rng.uniform(8, 60)
    return np.clip(out + _colour(rng), 0, 255).astype(np.uint8)


def gradient(rng, size):
    angle = rng.uniform(0, 2 * np.pi)
    y, x = np.mgrid[:size, :size] / size - 0.5
    t = (np.cos(angle) * x + np.sin(angle) * y + 0.7) / 1.4
    return np.clip(_colour(rng) * (1 - t[..., None]) + _colour(rng) * t[..., None], 0, 255).astype(np.uint8)


def skin(rng):
    tone = np.array([225, 175, 145]) * rng.uniform(0.25, 1.1)
    return np.clip(tone + rng.normal(0, 12, 3), 0, 255)


def shapes(rng, size, canvas):
    canvas = np.ascontiguousarray(canvas)
    for _ in range(rng.integers(2, 14)):
        colour = tuple(map(float, skin(rng) if rng.random() < 0.3 else _colour(rng)))
        p, q = rng.integers(-size // 4, size * 5 // 4, (2, 2)).tolist()
        kind, thick = rng.integers(5), int(rng.choice([-1, -1, 1, 2, 4]))
        if kind == 0:
            cv2.ellipse(canvas, p, (rng.integers(2, size // 2, 2) + 1).tolist(), float(rng.uniform(0, 180)), 0, 360, colour,
                        thick, cv2.LINE_AA)
        elif kind == 1:
            cv2.rectangle(canvas, p, q, colour, thick)
        elif kind == 2:
            cv2.line(canvas, p, q, colour, int(rng.integers(1, 6)), cv2.LINE_AA)
        elif kind == 3:
            cv2.fillPoly(canvas, [rng.integers(0, size, (int(rng.integers(3, 7)), 2)).astype(np.int32)], colour, cv2.LINE_AA)
        else:
            text = "".join(chr(c) for c in rng.integers(33, 123, rng.integers(1, 12)))
            cv2.putText(canvas, text, p, int(rng.choice(FONTS)), float(rng.uniform(0.3, 2.5)), colour,
                        int(rng.integers(1, 4)), cv2.LINE_AA)
    return canvas


def stripes(rng, size):
    angle, period = rng.uniform(0, np.pi), rng.uniform(3, 40)
    y, x = np.mgrid[:size, :size]
    wave = np.sin((np.cos(angle) * x + np.sin(angle) * y) * 2 * np.pi / period)
    if rng.random() < 0.5:
        wave = wave * np.sin((np.cos(angle + 1.57) * x + np.sin(angle + 1.57) * y) * 2 * np.pi / rng.uniform(3, 40))
    if rng.random() < 0.5:
        wave = np.sign(wave)
    t = wave[..., None] * 0.5 + 0.5
    return np.clip(_colour(rng) * (1 - t) + _colour(rng) * t, 0, 255).astype(np.uint8)


def fake_face(rng, size):
    """Skin-coloured blob with dark spots: shares colour and layout with a face, but is none."""
    out = np.full((size, size, 3), skin(rng), np.uint8)
    for _ in range(rng.integers(0, 6)):
        cv2.ellipse(out, rng.integers(0, size, 2).tolist(), (rng.integers(1, size // 4, 2) + 1).tolist(),
                    float(rng.uniform(0, 180)), 0, 360, tuple(map(float, skin(rng) * rng.uniform(0.1, 1))), -1, cv2.LINE_AA)
    return cv2.GaussianBlur(out, (0, 0), float(rng.uniform(0.5, 4)))


def _rgb(picture):
    return np.repeat(picture[:, :, None], 3, 2) if picture.ndim == 2 else picture


_NOISE = np.random.default_rng(0).standard_normal((1 << 20,), dtype=np.float32)


def _noise(rng, shape, deviation):
    """Gaussian noise out of a table, int16: drawing it anew for every picture would be most of the work."""
    count = int(np.prod(shape))
    start = int(rng.integers(0, len(_NOISE) - count % len(_NOISE)))
    values = np.resize(_NOISE[start:start + count], count) if start + count > len(_NOISE) else _NOISE[start:start + count]
    return (values * np.float32(deviation)).astype(np.int16).reshape(shape)


def degrade(rng, picture, strength=1.0):
    """Exposure, colour cast, grey, blur, noise and JPEG, as a camera and a web site would."""
    x = np.ascontiguousarray(picture)
    grey = rng.random() < 0.3
    if grey:
        x = cv2.cvtColor(cv2.cvtColor(x, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB)
    curve = np.repeat(np.arange(256.0)[:, None], 3, 1)
    if not grey and rng.random() < 0.4:
        curve = curve * np.exp(rng.normal(0, 0.12 * strength, 3))
    if rng.random() < 0.7:
        curve = (curve / 255) ** np.exp(rng.normal(0, 0.3 * strength)) * 255
        curve = (curve - 128) * np.exp(rng.normal(0, 0.25 * strength)) + 128 + rng.normal(0, 18 * strength)
    x = cv2.LUT(x, np.clip(curve, 0, 255).astype(np.uint8)[None])
    r = rng.random()
    if r < 0.2:
        x = cv2.GaussianBlur(x, (0, 0), float(rng.uniform(0.3, 1.3 * strength)))
    elif r < 0.25:
        n = int(rng.integers(2, 6))
        k = np.zeros((n, n), np.float32)
        cv2.line(k, (0, int(rng.integers(0, n))), (n - 1, int(rng.integers(0, n))), 1.0)
        x = cv2.filter2D(x, -1, k / k.sum())
    if rng.random() < 0.4:
        x = np.clip(x + _noise(rng, x.shape, rng.uniform(1, 14 * strength)), 0, 255).astype(np.uint8)
    if rng.random() < 0.3:
        x = cv2.imdecode(cv2.imencode(".jpg", x, [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(25, 95))])[1], cv2.IMREAD_COLOR)
    return x


class SceneMaker:
    """Makes scenes out of portraits and crops (`FaceSet`) and package pictures."""

    MIPS = (96, 64, 44)
    BANK = 500

    def __init__(self, portraits, crops, pictures, extra=()):
        self.pictures = pictures
        self.extra = list(extra)            # pictures found to raise false alarms
        self.portraits = [self._resized(portraits.images, m) for m in self.MIPS]
        self.wide = portraits.images
        self.crops = [self._resized(crops.images, round(m * 0.7)) for m in self.MIPS]
        self.crop_frames, self.crop_size = crops.frames, crops.images.shape[1]
        self._bank = []

    @staticmethod
    def _resized(images, size):
        return np.stack([cv2.resize(i, (size, size), interpolation=cv2.INTER_AREA) for i in images])

    # Backgrounds

    def background(self, rng, size=PATCH):
        r = rng.random()
        if r < 0.32:
            return self.picture_piece(rng, size)
        if r < 0.5:
            return self.faceless_piece(rng, size)
        if r < 0.6:
            return noise_texture(rng, size)
        if r < 0.68:
            return gradient(rng, size)
        if r < 0.76:
            return stripes(rng, size)
        if r < 0.84:
            return shapes(rng, size, gradient(rng, size) if rng.random() < 0.5 else noise_texture(rng, size))
        if r < 0.92:
            return shapes(rng, size, self.picture_piece(rng, size))
        return self.shuffled(rng, size)

    def new_bank(self, rng):
        """As many backgrounds as `banked` draws from."""
        return [self.background(rng, PATCH) for _ in range(self.BANK)]

    def use_bank(self, bank):
        """Draw from a copy of `bank`: what is drawn then depends on it and on the generator alone, not on the past."""
        self._bank = list(bank)

    def banked(self, rng, size):
        """A piece of an earlier background, turned at random; cheaper than a new one. Enlarged, if `size` is more than they have."""
        if size > PATCH:
            return cv2.resize(self.banked(rng, PATCH), (size, size), interpolation=cv2.INTER_LINEAR)
        if len(self._bank) < self.BANK or rng.random() < 0.02:
            made = self.background(rng, PATCH)
            if len(self._bank) < self.BANK:
                self._bank.append(made)
            else:
                self._bank[rng.integers(self.BANK)] = made
        piece = self._bank[rng.integers(len(self._bank))]
        y, x = rng.integers(0, PATCH - size + 1, 2)
        piece = piece[y:y + size, x:x + size]
        piece = piece[:, ::-1] if rng.random() < 0.5 else piece
        return np.ascontiguousarray(np.rot90(piece, rng.integers(4)))

    def picture_piece(self, rng, size):
        source = self.extra if self.extra and rng.random() < 0.3 else self.pictures
        picture = _rgb(source[rng.integers(len(source))])
        h, w = picture.shape[:2]
        side = int(np.clip(size * np.exp(rng.uniform(-1.2, 1.6)), 12, min(h, w)))
        y, x = rng.integers(0, h - side + 1), rng.integers(0, w - side + 1)
        piece = cv2.resize(picture[y:y + side, x:x + side], (size, size),
                           interpolation=cv2.INTER_AREA if side > size else cv2.INTER_LINEAR)
        if rng.random() < 0.5:
            piece = piece[:, ::-1]
        if rng.random() < 0.2:
            piece = np.rot90(piece, rng.integers(4))
        if rng.random() < 0.15:
            piece = 255 - piece
        return np.ascontiguousarray(piece)

    def faceless_piece(self, rng, size):
        """Hair, ears, shoulders or surroundings of a portrait: a strip that leaves the features out."""
        picture = self.wide[rng.integers(len(self.wide))]
        n = picture.shape[0]
        side = int(n * rng.uniform(0.12, 0.24))
        edge = rng.integers(4)
        along = int(rng.integers(0, n - side))
        if edge == 0:
            y, x = 0, along
        elif edge == 1:
            y, x = n - int(side * 0.6), along
            side = int(side * 0.6)
        else:
            y, x = along, (0 if edge == 2 else n - side)
        piece = cv2.resize(picture[y:y + side, x:x + side], (size, size), interpolation=cv2.INTER_LINEAR)
        if rng.random() < 0.5:       # not only blurred enlargements: tile a smaller version by reflection
            k = int(size * rng.uniform(0.3, 0.8))
            small = cv2.resize(piece, (k, k), interpolation=cv2.INTER_AREA)
            piece = cv2.copyMakeBorder(small, 0, size - k, 0, size - k, cv2.BORDER_REFLECT)
        return piece

    def shuffled(self, rng, size):
        picture = self.portraits[0][rng.integers(len(self.wide))]
        n, blocks = picture.shape[0], int(rng.integers(3, 6))
        b = n // blocks
        order = rng.permutation(blocks * blocks)
        tiles = [picture[i * b:(i + 1) * b, j * b:(j + 1) * b] for i in range(blocks) for j in range(blocks)]
        mixed = np.vstack([np.hstack([tiles[order[i * blocks + j]] for j in range(blocks)]) for i in range(blocks)])
        return cv2.resize(mixed, (size, size), interpolation=cv2.INTER_LINEAR)

    # Things that resemble faces

    def distractor(self, rng, canvas):
        size = canvas.shape[0]
        r = rng.random()
        if r < 0.35:     # one feature alone
            picture = self.wide[rng.integers(len(self.wide))]
            n = picture.shape[0]
            y0, y1, x0, x1 = [(0.38, 0.48, 0.3, 0.48), (0.38, 0.48, 0.52, 0.7), (0.64, 0.76, 0.36, 0.64),
                              (0.42, 0.64, 0.42, 0.58), (0.38, 0.56, 0.1, 0.3), (0.0, 0.34, 0.2, 0.8)][rng.integers(6)]
            piece = picture[int(y0 * n):int(y1 * n), int(x0 * n):int(x1 * n)]
        elif r < 0.6:
            piece = fake_face(rng, 48)
        elif r < 0.75:
            piece = self.shuffled(rng, 64)
        else:
            piece = self.faceless_piece(rng, 64) if rng.random() < 0.6 else self.picture_piece(rng, 64)
        side = rng.uniform(12, 75)
        h, w = piece.shape[:2]
        k = side / max(h, w)
        m = frame_to_picture(rng.uniform(0, size, 2), side, rng.normal(0, 0.4))
        matrix = compose_affine(m, np.array([[2 / w, 0, -1.0], [0, -2 / h, 1.0]]) * np.array([[k * w / side], [k * h / side]]))
        return self._blend(rng, canvas, piece, matrix)

    @staticmethod
    def _blend(rng, canvas, piece, matrix, ellipse=None, border=cv2.BORDER_CONSTANT):
        size = canvas.shape[0]
        if border == cv2.BORDER_REFLECT:     # a little of it: more would show the face again, unlabelled
            pad = int(piece.shape[0] * rng.uniform(0.04, 0.14))
            piece = cv2.copyMakeBorder(piece, pad, pad, pad, pad, cv2.BORDER_REFLECT)
            matrix = compose_affine(matrix, np.array([[1.0, 0, -pad], [0, 1, -pad]]))
        warped = cv2.warpAffine(piece, matrix, (size, size), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        if border == cv2.BORDER_REPLICATE:
            return warped
        mask = np.full(piece.shape[:2], 255, np.uint8)
        if ellipse is not None:
            mask[:] = 0
            cv2.ellipse(mask, *ellipse, 255, -1)
        mask = cv2.warpAffine(mask, matrix, (size, size), flags=cv2.INTER_LINEAR).astype(np.float32) / 255
        feather = rng.random()
        if feather < 0.6:
            mask = cv2.GaussianBlur(mask, (0, 0), float(0.5 + 3 * feather))
            mask = np.clip(2 * mask - 1, 0, 1) if feather < 0.4 else mask
        mask = mask[..., None]
        return (canvas * (1 - mask) + warped * mask + 0.5).astype(np.uint8)

    # Faces

    def paste_face(self, rng, canvas, centre, size, roll, alone=False):
        level = next((k for k in reversed(range(len(self.MIPS))) if self.MIPS[k] >= 0.95 * size), 0)
        if rng.random() < 0.62:
            i = rng.integers(len(self.wide))
            piece = self.portraits[level][i]
            n = piece.shape[0]
            to_frame = pixel_to_ndc(n)
            reach = (0, 360)
            axes = (n * rng.uniform(0.30, 0.46), n * rng.uniform(0.40, 0.5))
            ellipse = ((n // 2, int(n * rng.uniform(0.46, 0.52))), tuple(int(a) for a in axes), 0, *reach)
        else:
            i = rng.integers(len(self.crop_frames))
            piece = _rgb(self.crops[level][i])
            n = piece.shape[0]
            k = self.crop_size / n      # small crop pixel -> pixel of the stored picture
            to_frame = compose_affine(invert_affine(self.crop_frames[i]), np.array([[k, 0, (k - 1) / 2], [0, k, (k - 1) / 2]]))
            middle = int(n * 0.5)
            ellipse = ((middle, middle), (int(n * rng.uniform(0.44, 0.5)), int(n * rng.uniform(0.46, 0.5))), 0, 0, 360)
            if rng.random() < 0.35:     # tint: the crops are grey
                piece = np.clip(piece * np.exp(rng.normal(0, 0.15, 3)), 0, 255).astype(np.uint8)
        mirror = rng.random() < 0.5
        target = frame_to_picture(centre, size, roll)
        if mirror:
            target[:, 0] = -target[:, 0]
        matrix = compose_affine(target, to_frame)
        r = rng.random()
        border = cv2.BORDER_REFLECT if r > 0.7 else cv2.BORDER_CONSTANT
        if r > 0.9 and alone:
            border = cv2.BORDER_REPLICATE
        return self._blend(rng, canvas, piece, matrix, ellipse if r < 0.35 else None, border)

    def scene(self, rng):
        """(picture [P,P,3] uint8, faces [k,4])"""
        canvas = self.background(rng)
        faces = []
        if rng.random() < 0.35:
            canvas = self.distractor(rng, canvas)
        r = rng.random()
        for _ in range(0 if r < 0.27 else (1 if r < 0.9 else 2)):
            if rng.random() < 0.84:
                size = np.exp(rng.uniform(np.log(SIZE_RANGE[0] * 0.97), np.log(SIZE_RANGE[1] * 1.03)))
            else:
                size = np.exp(rng.uniform(np.log(14), np.log(170)))
            roll = np.radians(rng.uniform(-50, 50)) if rng.random() < 0.6 else rng.normal(0, 0.15)
            if rng.random() < 0.08:
                roll = rng.uniform(1.9, 4.4)
            centre = rng.uniform(-0.1 * PATCH, 1.1 * PATCH, 2) if rng.random() < 0.4 else rng.uniform(20, PATCH - 20, 2)
            if any(np.hypot(*(centre - f[:2])) < 0.55 * (size + f[2]) / 2 for f in faces):
                continue
            canvas = self.paste_face(rng, canvas, centre, size, roll, alone=not faces)
            # a face pasted later may cover one pasted before: that one is no longer certain
            faces = [f if np.hypot(*(centre - f[:2])) > 0.7 * (size + f[2]) / 2 else np.array([*f[:3], 1.4]) for f in faces]
            faces.append(np.array([*centre, size, roll]))
        if rng.random() < 0.12:
            canvas = shapes(rng, PATCH, canvas) if rng.random() < 0.15 and not faces else self._occlude(rng, canvas, faces)
        return degrade(rng, canvas), np.array(faces).reshape(-1, 4)

    def _occlude(self, rng, canvas, faces):
        """Cover a part of a face, less than about a third, or of the picture."""
        if not faces:
            return canvas
        x, y, s, _ = faces[-1]
        angle = rng.uniform(0, 2 * np.pi)
        p = np.array([x, y]) + np.array([np.cos(angle), np.sin(angle)]) * s * 0.3
        axes = (int(s * rng.uniform(0.05, 0.18)) + 1, int(s * rng.uniform(0.05, 0.18)) + 1)
        canvas = np.ascontiguousarray(canvas)
        cv2.ellipse(canvas, [int(p[0]), int(p[1])], axes, float(rng.uniform(0, 180)), 0, 360,
                    tuple(map(float, _colour(rng) if rng.random() < 0.6 else skin(rng))), -1, cv2.LINE_AA)
        return canvas


def targets(faces, patch=PATCH):
    """Per-cell training targets [7,n,n] float32: label (1 face, 0 none, -1 not counted), dx, dy, log size, sin, cos, weight.

    A cell belongs to a face when its centre lies within 0.2 sizes of the face's centre (or is the closest cell); cells
    further out, up to 0.35 sizes, are not counted, nor are faces of odd size or strong tilt near their centre.
    """
    n = patch // DETECTOR_STRIDE
    out = np.zeros((7, n, n), np.float32)
    out[5] = 1
    centre = np.arange(n) * DETECTOR_STRIDE + (DETECTOR_STRIDE - 1) / 2
    best = np.full((n, n), np.inf)
    for x, y, size, roll in faces:
        dx, dy = np.broadcast_arrays((x - centre)[None, :], (y - centre)[:, None])
        distance = np.hypot(dx, dy)
        tilt = abs((roll + np.pi) % (2 * np.pi) - np.pi)
        inside = -4 <= x < patch + 3 and -4 <= y < patch + 3
        regular = SIZE_RANGE[0] * 0.95 <= size <= SIZE_RANGE[1] * 1.05 and tilt < np.radians(55)
        uncertain = SIZE_RANGE[0] * 0.7 <= size <= SIZE_RANGE[1] * 1.45 and tilt < np.radians(115)
        near = distance < 0.35 * size
        if regular:
            out[0][near & (out[0] == 0)] = -1
            own = (distance < 0.2 * size) & (distance < best)
            if inside:
                own |= distance == distance.min()
            best[own] = distance[own]
            out[0][own] = 1
            for k, value in enumerate((dx / DETECTOR_STRIDE, dy / DETECTOR_STRIDE, np.log(size / DETECTOR_BASE),
                                       np.sin(roll), np.cos(roll))):
                out[1 + k][own] = value[own] if np.ndim(value) else value
        elif uncertain:
            out[0][near & (out[0] == 0)] = -1
    return out

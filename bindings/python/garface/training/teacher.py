"""What a trained GAR teaches the inverse network: w of the portraits, and renders that must match the photos."""
import os
import zlib

import cv2
import numpy as np
import torch

from .crops import CROP, FIELDS, PORTRAIT, RENDER
from .data import compose_affine, pixel_to_ndc, rotation_matrix
from .networks import load_gar, pyramid
from .train_detector import to_input

LUMINANCE = (0.299, 0.587, 0.114)


def _key(*arrays):
    """Eight hexadecimal digits of the arrays' contents, for the names of cached files."""
    value = 0
    for a in arrays:
        value = zlib.crc32(np.ascontiguousarray(a), value)
    return f"{value:08x}"


def _cached(path, make):
    """The array that `make()` gives, kept in `path`."""
    if not os.path.exists(path):
        os.makedirs(os.path.dirname(path), exist_ok=True)
        temporary = f"{path}.{os.getpid()}.tmp.npy"      # several processes may come here at once
        np.save(temporary, make())
        os.replace(temporary, path)
    return np.load(path, mmap_mode="r")


def _normals(faces, head, size, cache):
    """Fitted normals of portraits, [N,3,size,size] int8, kept in the cache folder."""
    def make():
        return np.concatenate([
            head.normal_maps(faces.identity[i:i + 64], faces.expression[i:i + 64],
                             rotation_matrix(faces.yaw[i:i + 64], faces.pitch[i:i + 64], 0.0), size)
            for i in range(0, len(faces), 64)])
    key = _key(faces.identity, faces.expression, faces.yaw, faces.pitch)
    return _cached(os.path.join(cache, f"portrait_normals{size}_{key}.npy"), make)


class Teacher:
    """A frozen GAR: targets of w for portraits and renders, in units of their common deviation.

    gar: checkpoint of train_gar. portraits: the training portraits. render_w: w of the training renders [M,L] or None.
    """

    def __init__(self, gar_path, portraits, render_w, head, cache, device):
        gar, encoder = load_gar(gar_path)
        self.gar, self.device = gar.to(device).requires_grad_(False), device
        self.mean_w, self.latent = gar.mean_w().to(device), gar.latent
        self.codes = self.codes_mirrored = None
        if encoder is not None:
            with open(gar_path, "rb") as f:
                key = _key(np.frombuffer(f.read(), np.uint8), portraits.index, portraits.identity)
            codes = _cached(os.path.join(cache, f"portrait_codes_{key}.npy"),
                            lambda: self._read(encoder.to(device), portraits, head, cache))
            self.codes, self.codes_mirrored = np.array(codes)
        self.render_w = render_w
        if render_w is not None and render_w.shape[1] != self.latent:
            raise ValueError(f"the renders' w has {render_w.shape[1]} numbers, the renderer's {self.latent}: "
                             "they come from another renderer")
        known = [k[np.isfinite(k[:, 0])] for k in (self.codes, render_w) if k is not None]
        self.scale = float(np.std(np.concatenate(known))) if known else 1.0

    def _read(self, encoder, portraits, head, cache):
        """w of every portrait and of its mirror image as the GAR's encoder sees them, [2,N,L]."""
        size = self.gar.size
        normals, flip = _normals(portraits, head, size, cache), torch.tensor([-1.0, 1, 1], device=self.device)[:, None, None]
        codes, mirrored = [], []
        with torch.no_grad():
            for i in range(0, len(portraits), 64):
                x = np.stack([cv2.resize(p, (size, size), interpolation=cv2.INTER_AREA) for p in portraits.images[i:i + 64]])
                x = to_input(x).to(self.device)
                n = torch.from_numpy(np.array(normals[i:i + 64])).to(self.device).float() / 127
                codes.append(encoder(torch.cat([x, n], 1)).cpu())
                mirrored.append(encoder(torch.cat([x, n * flip], 1).flip(3)).cpu())
        return torch.stack([torch.cat(codes), torch.cat(mirrored)]).numpy()

    def targets(self, rows):
        """(offset from the mean w [n,L] in units of `scale`, 1 where it is known else 0 [n]) for label rows."""
        target, known = np.zeros((len(rows), self.latent), np.float32), np.zeros(len(rows), np.float32)
        kind, source = rows[:, FIELDS["kind"]][:, 0], rows[:, FIELDS["source"]][:, 0].astype(int)
        mirror, mean = rows[:, FIELDS["mirrored"]][:, 0] > 0.5, self.mean_w.cpu().numpy()
        for chosen, table in (((kind == PORTRAIT) & ~mirror, self.codes), ((kind == PORTRAIT) & mirror, self.codes_mirrored),
                              ((kind == RENDER) & ~mirror, self.render_w)):
            if chosen.any() and table is not None:
                target[chosen], known[chosen] = table[source[chosen]] - mean, 1
        known[~np.isfinite(target[:, 0])] = 0
        return np.where(known[:, None] > 0, target / self.scale, 0).astype(np.float32), known


class RenderMatch:
    """Difference between photos and what the frozen GAR makes of a predicted w under the photos' fitted normals."""

    def __init__(self, teacher, head, sets):
        """sets: {PORTRAIT: FaceSet, CROP: FaceSet}, those that the label rows' `source` numbers."""
        self.gar, self.mean_w, self.device, self.head, self.sets = (
            teacher.gar, teacher.mean_w, teacher.device, head, sets)
        self.noise = [torch.zeros(1, 1, 2 ** ((k + 5) // 2), 2 ** ((k + 5) // 2), device=self.device)
                      for k in range(self.gar.layer_count)]

    def choose(self, rows, lanes):
        """Numbers of the first portrait or crop of every one of `lanes` equal parts of the rows that has one.

        Lanes, not a count: several processes then take the samples that one would.
        """
        kind, found = rows[:, FIELDS["kind"]][:, 0], []
        for part in np.array_split(np.arange(len(rows)), lanes):
            real = part[np.isin(kind[part], (PORTRAIT, CROP))]
            found.extend(real[:1])
        return np.array(found, int)

    def _photo(self, row):
        """(aligned photo [S,S,3] uint8, where it shows the picture [S,S] float32) of a label row."""
        faces, i = self.sets[int(row[FIELDS["kind"]][0])], int(row[FIELDS["source"]][0])
        size, picture = self.gar.size, np.ascontiguousarray(faces.images[i])
        matrix = compose_affine(faces.frames[i], pixel_to_ndc(size))
        shrink = np.hypot(matrix[0, 0], matrix[1, 0])
        if shrink > 1.2:
            picture = cv2.GaussianBlur(picture, (0, 0), 0.4 * shrink)
        flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
        aligned = cv2.warpAffine(picture, matrix, (size, size), flags=flags, borderMode=cv2.BORDER_REPLICATE)
        inside = cv2.warpAffine(np.ones(picture.shape[:2], np.float32), matrix, (size, size), flags=flags)
        aligned = np.repeat(aligned[:, :, None], 3, 2) if aligned.ndim == 2 else aligned
        if row[FIELDS["mirrored"]][0] > 0.5:
            aligned, inside = aligned[:, ::-1], inside[:, ::-1]
        return aligned, (inside > 0.99).astype(np.float32)

    def __call__(self, w, rows):
        """Mean absolute difference [n] in [-1,1] units; w [n,L] offset from the mean w, rows [n,LABELS] of faces.

        In colour where the photo has colour, else in luminance; inside the picture only.
        """
        aligned, inside = (np.stack(v) for v in zip(*(self._photo(row) for row in rows)))
        pose = rows[:, FIELDS["pose"]]
        normals = self.head.normal_maps(rows[:, FIELDS["identity"]], rows[:, FIELDS["expression"]],
                                        rotation_matrix(pose[:, 0], pose[:, 1], 0.0), self.gar.size)
        normals = torch.from_numpy(normals).to(self.device).float() / 127
        photo, mask = to_input(aligned).to(self.device), torch.from_numpy(inside).to(self.device)
        made = self.gar(w + self.mean_w, pyramid(normals), [n.expand(len(rows), -1, -1, -1) for n in self.noise]).float()
        grey = [self.sets[int(k)].images.ndim == 3 for k in rows[:, FIELDS["kind"]][:, 0]]
        weights = torch.tensor(LUMINANCE, device=self.device)[:, None, None]
        colour = (made - photo).abs().mean(1)
        luminance = ((made - photo) * weights).sum(1).abs()
        difference = torch.where(torch.tensor(grey, device=self.device)[:, None, None], luminance, colour)
        return (difference * mask).sum((1, 2)) / mask.sum((1, 2)).clamp(min=1)

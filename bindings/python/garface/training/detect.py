"""Find faces with the detector on an image pyramid, as the library does.

A face is (centre x, centre y, size, roll, score): size is the side of the aligned frame (230 mm) in pixels, roll is
positive counter-clockwise in the picture, pixel centres are at integers.
"""
import cv2
import numpy as np
import torch

LONGEST_SIDE = 640      # a larger photo is shrunk to this before the search
MERGE_DISTANCE, MERGE_RATIO = 0.45, 3.0


def pyramid_scales(height, width, base, longest=LONGEST_SIDE):
    """Scales of the search, falling by sqrt(2) until a face as large as 1.6 times the picture has the base size."""
    scale = min(1.0, longest / max(height, width))
    scales = []
    while True:
        scales.append(scale)
        if max(height, width) * scale <= base / 1.5:
            return scales
        scale /= 2 ** 0.5


def cell_faces(output, scale, base, stride, threshold):
    """Faces of one level: output [6,h,w] -> [n,5] in photo pixels."""
    probability = 1 / (1 + np.exp(-output[0]))
    row, column = np.nonzero(probability > threshold)
    o = output[:, row, column]
    half = (stride - 1) / 2
    x, y = column * stride + half + o[1] * stride, row * stride + half + o[2] * stride
    return np.stack([(x + 0.5) / scale - 0.5, (y + 0.5) / scale - 0.5, base * np.exp(o[3]) / scale,
                     np.arctan2(o[4], o[5]), probability[row, column]], 1)


def merge(faces):
    """Best first; a face near a better one is dropped, and close agreement is averaged into it by score."""
    faces = faces[np.argsort(-faces[:, 4], kind="stable")]
    free, kept = np.ones(len(faces), bool), []
    for i in range(len(faces)):
        if not free[i]:
            continue
        distance = np.hypot(faces[:, 0] - faces[i, 0], faces[:, 1] - faces[i, 1])
        ratio = np.abs(np.log(faces[:, 2] / faces[i, 2]))
        same = free & (distance < MERGE_DISTANCE * np.maximum(faces[:, 2], faces[i, 2])) & (ratio < np.log(MERGE_RATIO))
        agree = same & (distance < 0.2 * faces[i, 2]) & (ratio < np.log(1.4))
        w = faces[agree, 4] / faces[agree, 4].sum()
        a = faces[agree]
        kept.append([w @ a[:, 0], w @ a[:, 1], np.exp(w @ np.log(a[:, 2])),
                     np.arctan2(w @ np.sin(a[:, 3]), w @ np.cos(a[:, 3])), faces[i, 4]])
        free &= ~same
    return np.array(kept).reshape(-1, 5)


def detect(network, picture, threshold=None):
    """Faces [n,5] in an RGB picture [H,W,3] uint8, best first."""
    about = network.description
    threshold = about["threshold"] if threshold is None else threshold
    h, w = picture.shape[:2]
    found = []
    for scale in pyramid_scales(h, w, about["base_size"]):
        size = (max(1, round(w * scale)), max(1, round(h * scale)))
        level = cv2.resize(picture, size, interpolation=cv2.INTER_AREA) if size != (w, h) else picture
        with torch.no_grad():
            x = torch.from_numpy(np.ascontiguousarray(level)).permute(2, 0, 1)[None].float() / 127.5 - 1
            found.append(cell_faces(network(x)[0].numpy(), scale, about["base_size"], about["stride"], threshold))
    return merge(np.concatenate(found))

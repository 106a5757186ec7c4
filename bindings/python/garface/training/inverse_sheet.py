"""What the inverse network says of a few crops, as a picture and in numbers."""
import os

import cv2
import numpy as np
import torch

from .crops import CROP, FIELDS, NEGATIVE, PORTRAIT
from .inverse_losses import interocular
from .train_detector import to_input

TILE, COLUMNS, ROWS = 192, 8, 4
TRUTH, DIRECT, MODEL = (40, 220, 40), (255, 230, 40), (240, 50, 50)


def read(network, images, device):
    """The network's outputs for crops uint8 [N,S,S,3], on the CPU."""
    network.eval()
    with torch.no_grad():
        parts = [network(to_input(images[i:i + 64]).to(device)) for i in range(0, len(images), 64)]
    return {k: torch.cat([p[k] for p in parts]).float().cpu() for k in parts[0]}


def measure(out, labels, geometry):
    """{name: value} of landmark errors [% interocular, median], yaw error [degrees, median] and wrong face logits [%]."""
    kind, result = labels[:, FIELDS["kind"]][:, 0], {}
    target = labels[:, FIELDS["landmarks"]].reshape(-1, 68, 2)
    direct = out["landmarks"].reshape(-1, 68, 2).numpy()
    model = geometry.project(out["identity"], out["expression"], out["pose"]).numpy()
    for k, name in ((PORTRAIT, "portraits"), (CROP, "crops")):
        m = kind == k
        if not m.any():
            continue
        result[f"{name} %"] = 100 * np.median(interocular(direct[m], target[m])[0])
        result[f"{name} model %"] = 100 * np.median(interocular(model[m], target[m])[0])
        result[f"{name} yaw"] = np.degrees(np.median(np.abs(out["pose"].numpy()[m, 0] - labels[m, FIELDS["pose"]][:, 0])))
    result["face wrong %"] = 100 * ((out["face"][:, 0].numpy() > 0) != (kind != NEGATIVE)).mean()
    return {k: float(v) for k, v in result.items()}


def _tile(image, face, points, field):
    canvas = cv2.resize(image, (TILE, TILE), interpolation=cv2.INTER_LINEAR)
    if not face:
        cv2.putText(canvas, "no face", (6, TILE - 8), cv2.FONT_HERSHEY_SIMPLEX, 0.45, TRUTH, 1, cv2.LINE_AA)
        return canvas
    for ndc, colour in points:
        for x, y in field.to_pixels(ndc, TILE):
            cv2.circle(canvas, (int(round(16 * x)), int(round(16 * y))), 18, colour, -1, cv2.LINE_AA, 4)
    return canvas


def write(path, images, labels, out, geometry, field):
    """Crops with their true points (green), the landmark head's (yellow) and the model's (red); the face score."""
    model = geometry.project(out["identity"], out["expression"], out["pose"]).numpy()
    tiles = []
    for i in range(min(COLUMNS * ROWS, len(images))):
        points = [(labels[i, FIELDS["landmarks"]].reshape(68, 2), TRUTH), (model[i], MODEL),
                  (out["landmarks"][i].reshape(68, 2).numpy(), DIRECT)]
        tile = _tile(images[i], labels[i, FIELDS["face"]][0] > 0.5, points, field)
        score = torch.sigmoid(out["face"][i, 0]).item()
        cv2.putText(tile, f"{score:.2f}", (4, 14), cv2.FONT_HERSHEY_SIMPLEX, 0.4, DIRECT, 1, cv2.LINE_AA)
        tiles.append(tile)
    width = min(COLUMNS, len(tiles))
    tiles += [np.full_like(tiles[0], 255)] * (-len(tiles) % width)
    sheet = np.vstack([np.hstack(tiles[k:k + width]) for k in range(0, len(tiles), width)])
    cv2.imwrite(path + ".tmp.png", sheet[:, :, ::-1])
    os.replace(path + ".tmp.png", path)

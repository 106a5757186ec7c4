"""Losses of a training run: one JSON line per report, drawn as small panels."""
import json
import os

import cv2
import numpy as np

WIDTH, HEIGHT, MARGIN, COLUMNS = 300, 170, 24, 3
INK, LINE, PALE = (40, 40, 40), (180, 90, 20), (225, 225, 225)        # blue, green, red


def record(path, step, losses):
    """Append {"step": step, name: value, ...} to the file; lines of this step or later, from before a resumption, go."""
    kept = [line for line in read(path) if line["step"] < step]
    lines = [json.dumps(line) for line in [*kept, {"step": int(step), **{k: float(v) for k, v in losses.items()}}]]
    with open(path + ".tmp", "w") as f:
        f.write("\n".join(lines) + "\n")
    os.replace(path + ".tmp", path)


def read(path):
    """The records, oldest first; a line that was cut off is left out."""
    if not os.path.exists(path):
        return []
    found = []
    with open(path) as f:
        for line in f:
            try:
                found.append(json.loads(line))
            except json.JSONDecodeError:
                pass
    return found


def _panel(name, steps, values):
    canvas = np.full((HEIGHT, WIDTH, 3), 255, np.uint8)
    finite = np.isfinite(values)
    steps, values = steps[finite], values[finite]
    cv2.putText(canvas, name, (6, 14), cv2.FONT_HERSHEY_SIMPLEX, 0.42, INK, 1, cv2.LINE_AA)
    if not len(values):
        return canvas
    # The first steps of a run would flatten all that follows: the scale comes from the 1st to 99th percentile.
    low, high = np.percentile(values, [1, 99]) if len(values) > 20 else (values.min(), values.max())
    room = 0.05 * (high - low) or 0.05 * abs(high) or 1.0
    low, high = low - room, high + room
    right, bottom = WIDTH - 8, HEIGHT - MARGIN
    x = 8 + (right - 8) * (steps - steps[0]) / max(1, steps[-1] - steps[0])
    y = bottom - (bottom - MARGIN) * (np.clip(values, low, high) - low) / (high - low)
    cv2.rectangle(canvas, (8, MARGIN), (right, bottom), PALE, 1)
    points = np.stack([x, y], 1).round().astype(np.int32)
    cv2.polylines(canvas, [points], False, LINE, 1, cv2.LINE_AA)
    cv2.circle(canvas, points[-1].tolist(), 2, LINE, -1, cv2.LINE_AA)
    latest = f"{values[-1]:.4g}   [{low:.3g}, {high:.3g}]"
    cv2.putText(canvas, latest, (WIDTH - 8 - 6 * len(latest), 14), cv2.FONT_HERSHEY_SIMPLEX, 0.34, INK, 1, cv2.LINE_AA)
    cv2.putText(canvas, f"step {steps[0]:.0f} to {steps[-1]:.0f}", (8, HEIGHT - 8), cv2.FONT_HERSHEY_SIMPLEX, 0.34, INK, 1,
                cv2.LINE_AA)
    return canvas


def draw(path, png):
    """Draw the records as one panel per loss into `png`; nothing happens without records."""
    records = read(path)
    names = list(dict.fromkeys(k for line in records for k in line if k != "step"))
    if not names:
        return
    panels = []
    for name in names:
        known = [line for line in records if name in line]
        panels.append(_panel(name, np.array([k["step"] for k in known], float), np.array([k[name] for k in known], float)))
    panels += [np.full_like(panels[0], 255)] * (-len(panels) % min(COLUMNS, len(panels)))
    width = min(COLUMNS, len(panels))
    temporary = png + ".tmp.png"        # a viewer never meets half a picture
    cv2.imwrite(temporary, np.vstack([np.hstack(panels[k:k + width]) for k in range(0, len(panels), width)]))
    os.replace(temporary, png)

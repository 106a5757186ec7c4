"""A sheet of fits drawn on their photos: what to look at before any long training.

Green: the landmarks as found, moved to the model's own points. Red: the model's points under the fit. Blue: the mesh,
its outline and vertices that face the viewer. Green under red, and a blue head that covers the photo's, say that the
fits are sound. Where the library found the face, or for the jaw of annotated points, green is the fit itself: look at the blue.
usage: python -m garface.training overlay FOLDER --cache CACHE --sheet SHEET.png
"""
import argparse

import cv2
import numpy as np

from .data import CENTRE_Y_MM, HALF_MM, compose_affine, invert_affine, load_faces, pixel_to_ndc, rotation_matrix

COLUMNS, TILE = 8, 240
SAME_MM = 0.01      # found points so near to the fitted ones are the fit's own; nobody annotates so well
FOUND, FITTED, MESH = (40, 200, 40), (235, 40, 40), (60, 120, 255)


class LibraryHead:
    """The head inside the C library, read like `normals.HeadModel`."""

    def __init__(self):
        import garface
        self.model = garface.HeadModel()

    def shape(self, identity, expression):
        """(vertices [V,3] mm, unit normals [V,3], landmarks [68,3]) of one face, model space."""
        vertices = self.model.evaluate(identity, expression)
        return vertices, self.model.normals(vertices), self.model.landmarks(vertices)


class FileHead:
    """The head model of an .npz."""

    def __init__(self, path):
        from .normals import HeadModel, _vertex_normals
        self.model, self.fill_normals = HeadModel(path), _vertex_normals

    def shape(self, identity, expression):
        vertices = self.model.vertices(identity[None], expression[None])[0].astype(np.float32)
        normals = np.empty_like(vertices)
        self.fill_normals(vertices, self.model.triangles, normals)
        return vertices, normals, self.model.landmarks(identity[None], expression[None])[0]


def project(points, yaw, pitch):
    """Model points [...,3] mm -> the aligned frame's NDC [...,2]."""
    turned = points @ rotation_matrix(yaw, pitch, 0.0).T
    return (turned[..., :2] - [0, CENTRE_Y_MM]) / HALF_MM


def _outline(points, tile):
    """Contours around the projected vertices [V,2], px; vertices lie closer than 5 px on any tile of a few hundred px."""
    mask = np.zeros((tile, tile), np.uint8)
    inside = points.round().astype(int)
    inside = inside[(inside >= 0).all(1) & (inside < tile).all(1)]
    mask[inside[:, 1], inside[:, 0]] = 255
    mask = cv2.morphologyEx(mask, cv2.MORPH_CLOSE, np.ones((7, 7), np.uint8))
    return cv2.findContours(mask, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)[0]


def draw(faces, i, head, tile=TILE):
    """The aligned view of one face with its points and mesh, uint8 [tile,tile,3] RGB."""
    picture = faces.images[i]
    picture = np.repeat(picture[:, :, None], 3, 2) if picture.ndim == 2 else picture
    to_ndc = pixel_to_ndc(tile)
    matrix = compose_affine(faces.frames[i], to_ndc)
    canvas = cv2.warpAffine(np.ascontiguousarray(picture), matrix, (tile, tile), flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP)
    vertices, normals, landmarks = head.shape(faces.identity[i].astype(np.float32), faces.expression[i].astype(np.float32))
    seen = (normals @ rotation_matrix(faces.yaw[i], faces.pitch[i], 0.0).T)[:, 2] > 0.15
    to_tile, from_picture = invert_affine(to_ndc), invert_affine(matrix)

    def pixels(ndc):
        return ndc @ to_tile[:, :2].T + to_tile[:, 2]
    everything, mesh = pixels(project(vertices, faces.yaw[i], faces.pitch[i])), canvas.copy()
    for p in everything[seen][::6].round().astype(int).tolist():
        cv2.circle(mesh, p, 0, MESH, -1)
    cv2.drawContours(mesh, _outline(everything, tile), -1, MESH, 1, cv2.LINE_AA)
    canvas = cv2.addWeighted(mesh, 0.55, canvas, 0.45, 0)
    found = faces.landmarks[i] @ from_picture[:, :2].T + from_picture[:, 2]
    for points, colour in ((found, FOUND), (pixels(project(landmarks, faces.yaw[i], faces.pitch[i])), FITTED)):
        for x, y in points:
            cv2.circle(canvas, (int(round(16 * x)), int(round(16 * y))), 20, colour, -1, cv2.LINE_AA, 4)
    cv2.putText(canvas, str(int(faces.index[i])), (4, 14), cv2.FONT_HERSHEY_SIMPLEX, 0.45, (255, 255, 0), 1, cv2.LINE_AA)
    return canvas


def distances(faces, chosen, head):
    """Rms distance [mm] between found and fitted points of the chosen faces, over the inner 51 points and over the jaw."""
    inner, jaw = [], []
    for i in chosen:
        _, _, landmarks = head.shape(faces.identity[i].astype(np.float32), faces.expression[i].astype(np.float32))
        frame = faces.frames[i]
        fitted = project(landmarks, faces.yaw[i], faces.pitch[i]) @ frame[:, :2].T + frame[:, 2]
        error = np.square(fitted - faces.landmarks[i]).sum(1) * (2 * HALF_MM / faces.size[i]) ** 2
        jaw.append(np.sqrt(error[:17].mean()))
        inner.append(np.sqrt(error[17:].mean()))
    return np.array(inner), np.array(jaw)


def write_sheet(faces, path, head, count=64):
    """Write the sheet of `count` faces spread over the set (fewer if there are fewer); returns which."""
    chosen = np.unique(np.linspace(0, len(faces) - 1, min(count, len(faces))).round().astype(int))
    tiles = [draw(faces, i, head) for i in chosen]
    width = min(COLUMNS, len(tiles))
    tiles += [np.full_like(tiles[0], 255)] * (-len(tiles) % width)
    rows = [np.hstack(tiles[k:k + width]) for k in range(0, len(tiles), width)]
    if not cv2.imwrite(path, np.vstack(rows)[:, :, ::-1]):
        raise OSError(f"{path}: cannot be written")
    return chosen


def _said(name, distances):
    """What distances [mm] between found and fitted points say."""
    compared = distances[distances > SAME_MM]
    if not len(compared):
        return f"{name} no check (the fit's own points)"
    return f"{name} median {np.median(compared):.2f} mm, largest {compared.max():.2f} ({len(compared)} faces)"


def report(faces, path, head_path=None):
    """Write the sheet and print how far found and fitted points lie apart on it."""
    head = FileHead(head_path) if head_path else LibraryHead()
    chosen = write_sheet(faces, path, head)
    inner, jaw = distances(faces, chosen, head)
    print(f"{path}: {len(chosen)} fits; found to fitted points, rms: {_said('inner', inner)}; {_said('jaw', jaw)}. "
          "Look at it before training.")


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", help="portraits or crops with fits.npz, or a packed set")
    parser.add_argument("--cache", required=True, help="folder for prepared arrays")
    parser.add_argument("--sheet", required=True, help="the .png to write")
    parser.add_argument("--head", help="head model (.npz); without it that of the C library")
    a = parser.parse_args(argv)
    report(load_faces(a.folder, a.cache), a.sheet, a.head)


if __name__ == "__main__":
    main()

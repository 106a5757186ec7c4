#!/usr/bin/env python3
"""A face changed and put back into its photo, in Python:  python3 edit.py photo.png out"""
import pathlib
import sys

import garface


def main() -> int:
    if len(sys.argv) != 3:
        print(__doc__, file=sys.stderr)
        return 2
    photo, folder = sys.argv[1], pathlib.Path(sys.argv[2])
    folder.mkdir(parents=True, exist_ok=True)
    try:
        face = garface.reconstruct(photo)
        for name, change in {
            "turned": dict(yaw=face.yaw + 15),
            "surprised": dict(expression={"jawOpen": 0.5, "browInnerUp": 1, "eyeWide": 1, "mouthSmile": 0}),
            "caricature": dict(identity_gain=1.8),
            "other_look": dict(look_seed=2, detail=0),
        }.items():
            garface.Image(face.edit(**change).photo).save(folder / f"{name}.png")
        strip = face.sweep({"yaw": (face.yaw - 20, face.yaw + 20, 7)})
        garface.Image(strip).save(folder / "strip.png")
        # An edited face is a result like any other: its meshes, and parameters to edit again.
        face.edit(expression_gain=0).write(folder / "at_rest")
        again = garface.load_result(folder / "at_rest/parameters.safetensors")
        print(f"at rest, seen from yaw {again.yaw:.1f}: {len(again.vertices)} vertices in {folder}/at_rest")
    except garface.GarfaceError as error:
        print(f"{photo}: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())

#!/usr/bin/env python3
"""A photo in, a 3D face out, in Python:  python3 reconstruct.py photo.png out"""
import sys

import garface


def main() -> int:
    if len(sys.argv) != 3:
        print(__doc__, file=sys.stderr)
        return 2
    photo, folder = sys.argv[1:]
    try:
        result = garface.reconstruct(photo, progress=lambda fraction, stage: print(f"\r{fraction:4.0%} {stage:40}", end=""))
    except garface.GarfaceError as error:
        print(f"\n{photo}: {error}", file=sys.stderr)
        return 1
    print(f"\nyaw {result.yaw:.1f}, pitch {result.pitch:.1f}, roll {result.roll:.1f} degrees")
    print(f"{len(result.vertices)} vertices; nose tip at pixel {result.landmarks[30].round(1)}")
    result.write(folder)
    print("written to", folder)
    return 0


if __name__ == "__main__":
    sys.exit(main())

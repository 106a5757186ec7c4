"""Stores the texture layout that the library makes for a head model in the model's file.

    python -m garface.convert.texture_layout head.safetensors

Without it the library unwraps the mean head anew whenever it is first asked for a texture, which takes about a second; with
it, textures stay exchangeable whatever later versions unwrap. A file that has a layout keeps it.
"""
import argparse

from garface import HeadModel

from .safetensors_file import add_tensors, tensor_names


def store(path):
    """True where a layout was added."""
    if "uv" in tensor_names(path):
        return False
    head = HeadModel(path)
    add_tensors(path, {"uv": head.uvs, "uv_triangles": head.uv_triangles})
    return True


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("file")
    print("stored" if store(p.parse_args().file) else "has a layout already")


if __name__ == "__main__":
    main()

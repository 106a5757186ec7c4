"""One entry for the training programs: python -m garface.training PROGRAM ... (or torchrun -m garface.training PROGRAM)."""
import sys

from .. import _programs

PROGRAMS = {
    "prepare": ("prepare", "a folder of photos with landmarks or fits to a packed set"),
    "overlay": ("overlay", "draw 64 fits on their photos"),
    "train-gar": ("train_gar", "train the renderer"),
    "train-obedience": ("train_obedience", "teach a trained renderer to follow the mesh"),
    "train-inverse": ("train_inverse", "train the inverse network"),
    "train-covering": ("train_covering", "train the network that sees what covers a face"),
    "export": ("export", "checkpoints to weight files"),
    "turned": ("turned", "portraits turned, reshaped and re-expressed"),
    "renders": ("renders", "renders of a trained renderer with known parameters"),
    "fit-w-head": ("fit_w_head", "fit the w head of an inverse network to another renderer"),
    "fit-mapping": ("fit_mapping", "fit the renderer's random faces to portraits"),
    "train-detector": ("train_detector", "train the face detector"),
    "evaluate-detector": ("evaluate_detector", "measure the face detector"),
    "evaluate-inverse": ("evaluate_inverse", "measure the inverse network"),
    "cache": ("data", "decode the pictures of a folder with fits"),
}


def main(argv=None):
    return _programs.run("garface.training", __doc__, "program", PROGRAMS, argv)


if __name__ == "__main__":
    sys.exit(main())

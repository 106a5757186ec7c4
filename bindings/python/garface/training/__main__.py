"""One entry for the training programs: python -m garface.training PROGRAM ... (or torchrun -m garface.training PROGRAM)."""
import importlib
import sys

PROGRAMS = {
    "prepare": ("prepare", "a folder of photos with landmarks or fits to a packed set"),
    "overlay": ("overlay", "draw 64 fits on their photos"),
    "train-gar": ("train_gar", "train the renderer"),
    "train-lids": ("train_lids", "teach a trained renderer to shut its eyes"),
    "train-inverse": ("train_inverse", "train the inverse network"),
    "export": ("export", "checkpoints to weight files"),
    "turned": ("turned", "portraits turned, reshaped and re-expressed"),
    "renders": ("renders", "renders of a trained renderer with known parameters"),
    "fit-w-head": ("fit_w_head", "fit the w head of an inverse network to another renderer"),
    "train-detector": ("train_detector", "train the face detector"),
    "evaluate-detector": ("evaluate_detector", "measure the face detector"),
    "evaluate-inverse": ("evaluate_inverse", "measure the inverse network"),
    "cache": ("data", "decode the pictures of a folder with fits"),
}


def usage():
    lines = [__doc__, "Programs (each has --help):"]
    return "\n".join(lines + [f"  {name:18s} {what}" for name, (_, what) in PROGRAMS.items()])


def main(argv=None):
    argv = sys.argv[1:] if argv is None else list(argv)
    if not argv or argv[0] in ("-h", "--help"):
        print(usage())
        return 0 if argv else 2
    if argv[0] not in PROGRAMS:
        print(f"no program {argv[0]!r}\n{usage()}", file=sys.stderr)
        return 2
    module = importlib.import_module("." + PROGRAMS[argv[0]][0], __package__)
    before, sys.argv = sys.argv, [f"garface.training {argv[0]}", *argv[1:]]
    try:
        return module.main()
    except (ValueError, OSError, FloatingPointError) as problem:      # whoever gave the command can put it right
        print(f"garface.training {argv[0]}: {problem}", file=sys.stderr)
        return 1
    finally:
        sys.argv = before


if __name__ == "__main__":
    sys.exit(main())

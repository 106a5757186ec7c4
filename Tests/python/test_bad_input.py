"""Bad input: each with a status and a sentence, nothing half written, no crash."""
import ctypes
import json
import pathlib
import shutil
import stat
import os

import numpy as np
import pytest

import garface
from garface import _signatures as c
from garface._library import lib


def test_no_face(no_face, models, tmp_path):
    assert garface.detect_faces(no_face, models) == []
    with pytest.raises(garface.NoFaceError, match="no face"):
        garface.reconstruct(no_face, models=models)
    garface.Image(no_face).save(tmp_path / "hills.png")
    with pytest.raises(garface.NoFaceError):
        garface.reconstruct_file(tmp_path / "hills.png", tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("shape", [(1, 1), (1, 400), (400, 1), (7, 7)])
def test_tiny_pictures(models, shape):
    pixels = np.full((*shape, 3), 90, np.uint8)
    assert garface.detect_faces(pixels, models) == []
    with pytest.raises(garface.NoFaceError):
        garface.reconstruct(pixels, models=models)


def test_tiny_picture_with_points(models):
    pixels = np.full((1, 1, 3), 90, np.uint8)
    with pytest.raises(garface.GarfaceError):
        garface.reconstruct(pixels, models=models, landmarks=np.zeros((68, 2)))
    with pytest.raises(garface.GarfaceError):
        garface.reconstruct(pixels, models=models, box=(0, 0, 1, 1))


def points(result, **changes):
    changed = np.array(result.landmarks)
    for index, value in changes.get("at", {}).items():
        changed[index] = value
    return changed


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 1e30, -5000, 90000])
def test_landmarks_that_make_no_sense(result, photo, models, value):
    with pytest.raises(garface.InvalidArgumentError) as caught:
        garface.reconstruct(photo, models=models, landmarks=points(result, at={40: value}))
    assert "landmarks" in str(caught.value)


def test_landmarks_outside_equal_or_of_wrong_number(result, photo, models):
    for bad in (result.landmarks + 5000, np.zeros((68, 2)), np.full((68, 2), 100.0), np.zeros((5, 2))):
        with pytest.raises(garface.InvalidArgumentError):
            garface.reconstruct(photo, models=models, landmarks=bad)
    for bad in (np.zeros((67, 2)), np.zeros((68, 3)), np.zeros(136)):
        with pytest.raises(garface.InvalidArgumentError, match="shape"):
            garface.reconstruct(photo, models=models, landmarks=bad)


def test_landmarks_that_form_no_face(result, photo, models):
    """In the wrong order, mirrored or on a line: told with the order that is expected."""
    face = np.array(result.landmarks)
    five = np.stack([face[36:42].mean(0), face[42:48].mean(0), face[30], face[48], face[54]])
    line = np.linspace(0, 100, 68)[:, None] * [1, 0.5] + 150
    mirrored = [511 - face[:, 0], face[:, 1]]
    shuffled = face[np.random.default_rng(0).permutation(68)]
    cases = [
        (np.stack(mirrored, 1), "mirrored"), (face[:, ::-1], "mirrored"), (five[[1, 0, 2, 4, 3]], "mirrored"),
        (shuffled, "no face"), (np.roll(face, 17, axis=0), "no face"), (line, "line"), (line[::15], "line"),
        (face * 0.01 + 200, "span"), (five * 0.01 + 200, "span"),
    ]
    for points, what in cases:
        with pytest.raises(garface.InvalidArgumentError, match=f"landmarks: the {len(points)} points .*{what}.*order"):
            garface.reconstruct(photo, models=models, landmarks=points, renderer="start")
    for points in (face, five):
        garface.reconstruct(photo, models=models, landmarks=points, renderer="start")


def test_boxes_and_faces_that_make_no_sense(photo, models):
    for box in ((0, 0, 0, 0), (10, 10, -5, 20), (9000, 9000, 50, 50), (np.nan, 0, 50, 50), (0, 0, 1e20, 1e20)):
        with pytest.raises(garface.InvalidArgumentError):
            garface.reconstruct(photo, models=models, box=box)
    for face in (garface.Face((np.nan, 0), 100), garface.Face((0, 0), 0), garface.Face((0, 0), 1e30)):
        with pytest.raises(garface.InvalidArgumentError):
            garface.reconstruct(photo, models=models, face=face)
    with pytest.raises(garface.InvalidArgumentError):
        garface.reconstruct(photo, models=models, box=(0, 0, 90, 90), face=garface.Face((100, 100), 100))


def test_a_box_beside_the_face_is_no_crash(photo, models):
    result = garface.reconstruct(photo, models=models, renderer="landmarks", box=(400, 400, 100, 100))
    assert np.isfinite(result.vertices).all()


def test_weights_of_the_wrong_kind_or_size(root, tmp_path):
    head = root / "Sources/CDefaultModels/models/head.safetensors"
    golden = root / "Tests/RendererTests/Resources/gar64.weights.safetensors"
    for files in (dict(renderer=head), dict(inverse_network=head), dict(face_detector=head), dict(head_model=golden)):
        with pytest.raises(garface.WrongModelError):
            garface.Models(**files)
    # A renderer, but of other sizes than the inverse network's.
    with pytest.raises(garface.WrongModelError, match="latent"):
        garface.Models(renderer=golden)
    with pytest.raises(FileNotFoundError):
        garface.Models(renderer="/no/such/weights.safetensors")
    data = golden.read_bytes()
    for name, content in {"cut": data[: len(data) // 2], "empty": b"", "noise": b"\xff" * 4096, "head": data[:7]}.items():
        (tmp_path / name).write_bytes(content)
        with pytest.raises((garface.MalformedFileError, garface.WrongModelError)):
            garface.Models(renderer=tmp_path / name)


def with_metadata(file, target, change):
    """A copy of a safetensors file with its garface entry changed."""
    data = pathlib.Path(file).read_bytes()
    size = int.from_bytes(data[:8], "little")
    header = json.loads(data[8 : 8 + size])
    header["__metadata__"]["garface"] = change(header["__metadata__"]["garface"])
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    target.write_bytes(len(text).to_bytes(8, "little") + text + data[8 + size :])
    return target


FILES = {"head_model": "head", "renderer": "gar", "inverse_network": "inverse", "face_detector": "detector"}


def weights(root, option):
    return next((root / "Sources/CDefaultModels/models").glob(f"*{FILES[option]}*.safetensors"))


@pytest.mark.parametrize("option", FILES)
def test_weights_of_another_version(root, tmp_path, option):
    def newer(entry):
        return json.dumps({**json.loads(entry), "version": 3})

    with pytest.raises(garface.WrongModelError, match="new.safetensors.*version"):
        garface.Models(**{option: with_metadata(weights(root, option), tmp_path / "new.safetensors", newer)})
    with pytest.raises(garface.MalformedFileError, match="bad.safetensors.*JSON"):
        garface.Models(**{option: with_metadata(weights(root, option), tmp_path / "bad.safetensors", lambda entry: "{")})


@pytest.mark.parametrize("option, key, value", [
    ("face_detector", "threshold", 1e300), ("face_detector", "threshold", -1), ("face_detector", "base_size", 0),
    ("face_detector", "leaky_slope", 0), ("inverse_network", "feature_epsilon", 0), ("inverse_network", "feature_epsilon", 1e300),
    ("inverse_network", "leaky_slope", "wide"), ("inverse_network", "w_rows", 1e18), ("renderer", "half_mm", 1e300)])
def test_numbers_of_networks_have_ranges(root, tmp_path, option, key, value):
    def changed(entry):
        return json.dumps({**json.loads(entry), key: value})

    with pytest.raises(garface.MalformedFileError, match=f"odd.safetensors.*{key}"):
        garface.Models(**{option: with_metadata(weights(root, option), tmp_path / "odd.safetensors", changed)})


@pytest.mark.parametrize("option", ["face_detector", "inverse_network"])
def test_strides_of_networks(root, tmp_path, option):
    def changed(entry):
        entry = json.loads(entry)
        entry["layers"][0]["stride"] = 0
        return json.dumps(entry)

    with pytest.raises(garface.MalformedFileError, match="odd.safetensors.*stride"):
        garface.Models(**{option: with_metadata(weights(root, option), tmp_path / "odd.safetensors", changed)})


def test_numbers_that_are_too_large_for_the_result(photo):
    """Finite arguments whose result is not: said so, never handed out."""
    head, renderer = garface.HeadModel(), garface.Renderer()
    huge = np.full(head.identity_count, 3e38, np.float32)
    for call in (
        lambda: head.evaluate(huge), lambda: head.prior(huge, np.zeros(head.expression_count)), lambda: renderer.map(np.full(renderer.latent, 3e38, np.float32)),
    ):
        with pytest.raises(garface.NumericalError):
            call()


def test_weights_that_do_not_fit_are_named(root):
    golden = root / "Tests/RendererTests/Resources/gar64.weights.safetensors"
    with pytest.raises(garface.WrongModelError) as problem:
        garface.Models(renderer=golden)
    for part in ("gar64.weights", "embedded inverse network", "the renderer has", "the inverse network gives", "latent size"):
        assert part in str(problem.value)


def test_the_photo_is_not_written_over(photo, models, tmp_path):
    for name, options in (("crop.png", {}), ("render.png", {}), ("face12_crop.png", {"all_faces": True})):
        mine = tmp_path / name
        shutil.copy(photo, mine)
        with pytest.raises(garface.InvalidArgumentError, match=f"{name} would take the place"):
            garface.reconstruct_file(mine, tmp_path, renderer="landmarks", **options)
        (tmp_path / "link.png").symlink_to(mine)
        with pytest.raises(garface.InvalidArgumentError, match="link.png"):
            garface.reconstruct_file(tmp_path / "link.png", tmp_path, renderer="landmarks", **options)
        if not options:
            loaded = garface.reconstruct(mine, models=models, renderer="landmarks")
            with pytest.raises(garface.InvalidArgumentError, match=name):
                loaded.write(tmp_path)
        assert {f.name for f in tmp_path.iterdir()} == {name, "link.png"} and mine.read_bytes() == photo.read_bytes()
        (tmp_path / "link.png").unlink()
        mine.unlink()
    # Elsewhere, or when such a file is not asked for, the name is a name like any other.
    shutil.copy(photo, tmp_path / "crop.png")
    garface.reconstruct_file(tmp_path / "crop.png", tmp_path, renderer="start", files=["obj"])
    garface.reconstruct_file(tmp_path / "crop.png", tmp_path / "out", renderer="start")
    assert (tmp_path / "crop.png").read_bytes() == photo.read_bytes()


def test_what_a_call_does_not_use_is_not_looked_at(photo, models):
    image, out = garface.Image(photo), c.Handle()
    options = c.Options()
    lib.gar_options_init(ctypes.byref(options))
    options.files, options.renderer = 0, c.CONSTANTS["GAR_RENDERER_START"]
    assert lib.gar_reconstruct(models._handle, image._handle, ctypes.byref(options), ctypes.byref(out)) == 0
    lib.gar_result_release(out)
    options.schedule = b"{"
    assert lib.gar_fit_create(models._handle, image._handle, ctypes.byref(options), ctypes.byref(out)) == 0
    lib.gar_fit_release(out)


def test_a_box_that_is_too_large(photo, models):
    for box in ((0, 0, 1600, 100), (0, 0, 100, 2e6), (-1e7, -1e7, 2e7, 2e7)):
        with pytest.raises(garface.InvalidArgumentError, match="too large.*512 x 512"):
            garface.reconstruct(photo, models=models, renderer="start", box=box)
    for size in (1600.0, 2e6):
        with pytest.raises(garface.InvalidArgumentError, match="too large"):
            garface.reconstruct(photo, models=models, renderer="start", face=garface.Face((200, 100), size))


def test_unwritable_folders(result, photo, tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(garface.UnwritableError, match="file"):
        result.write(tmp_path / "file")
    with pytest.raises(garface.UnwritableError):
        result.write(tmp_path / "file/below")
    with pytest.raises(garface.UnwritableError):
        result.write("/proc/garface")
    with pytest.raises(garface.UnwritableError):
        garface.reconstruct_file(photo, "/proc/garface", renderer="start")
    assert (tmp_path / "file").read_text() == "in the way"
    if os.getuid() != 0:
        (tmp_path / "locked").mkdir(mode=stat.S_IRUSR | stat.S_IXUSR)
        with pytest.raises(garface.UnwritableError):
            result.write(tmp_path / "locked")


@pytest.mark.parametrize("until", [0.0, 0.3, 0.9])
def test_cancelling(photo, models, tmp_path, until):
    seen = []

    def progress(fraction, stage):
        seen.append((fraction, stage))
        return fraction < until

    with pytest.raises(garface.CancelledError):
        garface.reconstruct(photo, models=models, progress=progress)
    assert seen and [f for f, _ in seen] == sorted(f for f, _ in seen) and 0 <= seen[0][0] and seen[-1][0] <= 1
    if until == 0.3:
        with pytest.raises(garface.CancelledError):
            garface.reconstruct_file(photo, tmp_path / "out", progress=lambda f, s: f < until)
        assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("answer", [False, 0, np.False_, 0.0, ""])
def test_false_answers_cancel(photo, models, answer):
    calls = []
    with pytest.raises(garface.CancelledError):
        garface.reconstruct(photo, models=models, renderer="start", progress=lambda f, s: calls.append(f) or answer)
    assert len(calls) == 1


@pytest.mark.parametrize("answer", [None, True, 1, np.True_, "go on"])
def test_other_answers_go_on(photo, models, answer):
    garface.reconstruct(photo, models=models, renderer="start", progress=lambda f, s: answer)


def test_an_answer_without_truth_comes_back(photo, models):
    with pytest.raises(ValueError, match="ambiguous"):
        garface.reconstruct(photo, models=models, renderer="start", progress=lambda f, s: np.zeros(2))


def test_an_exception_in_a_callback_comes_back(photo, models):
    def progress(fraction, stage):
        raise KeyError("mine")

    with pytest.raises(KeyError, match="mine"):
        garface.reconstruct(photo, models=models, progress=progress)


def test_missing_and_damaged_photos(photo, models, tmp_path):
    with pytest.raises(FileNotFoundError):
        garface.reconstruct("/no/such/photo.png", models=models)
    data = pathlib.Path(photo).read_bytes()
    (tmp_path / "cut.png").write_bytes(data[: len(data) // 3])
    with pytest.raises(garface.MalformedFileError):
        garface.reconstruct_file(tmp_path / "cut.png", tmp_path / "out")
    assert not (tmp_path / "out").exists()
    with pytest.raises(garface.InvalidArgumentError):
        garface.reconstruct("a\0b.png", models=models)


def test_null_for_every_pointer_of_every_function():
    """All zeros for every argument: never a crash, and a sentence from all that can fail."""
    callbacks = (c.ProgressCallback, c.LogCallback)
    for name, (result, arguments) in c.SIGNATURES.items():
        values = [kind() if kind in callbacks else (0 if kind in _NUMBERS else None) for kind in arguments]
        status = getattr(lib, name)(*values)
        if result is ctypes.c_int32 and arguments and name not in ("gar_status_string",):
            assert status == c.CONSTANTS["GAR_INVALID_ARGUMENT"], name
            assert len(lib.gar_last_error()) > 10, name


_NUMBERS = (ctypes.c_int32, ctypes.c_uint32, ctypes.c_uint64, ctypes.c_size_t, ctypes.c_float, ctypes.c_double)


def test_structs_of_another_size(photo):
    options = c.Options()
    lib.gar_options_init(ctypes.byref(options))
    for size in (0, 8, options.struct_size - 1, options.struct_size + 8, 2**64 - 1):
        options.struct_size = size
        status = lib.gar_reconstruct_file(str(photo).encode(), b"/tmp/never", ctypes.byref(options))
        assert status == c.CONSTANTS["GAR_INVALID_ARGUMENT"] and b"struct_size" in lib.gar_last_error()


def test_option_values(photo, models):
    with pytest.raises(garface.InvalidArgumentError, match="renderer"):
        garface.reconstruct(photo, models=models, renderer="oil")
    options = c.Options()
    for field, value in (("renderer", 99), ("renderer", -1), ("files", 0), ("files", 4096), ("landmark_count", 6)):
        lib.gar_options_init(ctypes.byref(options))
        setattr(options, field, value)
        status = lib.gar_reconstruct_file(str(photo).encode(), b"/tmp/never", ctypes.byref(options))
        assert status == c.CONSTANTS["GAR_INVALID_ARGUMENT"] and field.encode() in lib.gar_last_error()
    for count in (0, -1, 257):
        with pytest.raises(garface.InvalidArgumentError):
            garface.set_thread_count(count)

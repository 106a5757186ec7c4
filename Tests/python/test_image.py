import struct
import zlib

import numpy as np
import pytest

import garface


def test_array_round_trip(tmp_path):
    pixels = np.random.default_rng(0).integers(0, 256, (7, 5, 3), dtype=np.uint8)
    image = garface.Image(pixels)
    assert image.size == (5, 7)
    assert np.array_equal(image.array(), pixels)
    image.save(tmp_path / "picture.png")
    assert np.array_equal(garface.Image(tmp_path / "picture.png").array(), pixels)
    data = (tmp_path / "picture.png").read_bytes()
    assert np.array_equal(garface.Image.decode(data).array(), pixels)


def test_views_with_gaps_and_other_layouts():
    pixels = np.random.default_rng(1).integers(0, 256, (9, 12, 3), dtype=np.uint8)
    for view in (pixels[2:7, 3:8], pixels[::-1], pixels[:, ::2], pixels.transpose(1, 0, 2), pixels[:, :, ::-1]):
        assert np.array_equal(garface.Image(view).array(), view)
    grey = pixels[:, :, 0]
    assert np.array_equal(garface.Image(grey).array()[:, :, 2], grey)
    assert np.array_equal(garface.Image(grey[:, :, None]).array()[:, :, 1], grey)


def test_alpha_and_pillow(tmp_path):
    """Arrays and pictures of Pillow's are read as their files are."""
    pillow = pytest.importorskip("PIL.Image")
    rgba = np.random.default_rng(2).integers(0, 256, (8, 6, 4), dtype=np.uint8)
    for mode in ("RGBA", "RGB", "L", "LA", "P"):
        picture = pillow.fromarray(rgba).convert(mode)
        picture.save(tmp_path / "picture.png")
        read = garface.Image(tmp_path / "picture.png").array()
        assert np.array_equal(garface.Image(picture).array(), read), mode
    grey = np.random.default_rng(3).integers(0, 65536, (8, 6), dtype=np.uint16)
    pillow.fromarray(grey).save(tmp_path / "grey16.png")
    read = garface.Image(tmp_path / "grey16.png").array()
    for picture in (pillow.fromarray(grey), pillow.open(tmp_path / "grey16.png")):
        assert np.array_equal(garface.Image(picture).array(), read)
    with pytest.raises(garface.InvalidArgumentError, match="8 or 16 bits"):
        garface.Image(pillow.fromarray(np.zeros((4, 4), np.float32)))
    assert np.array_equal(garface.Image(rgba).array(), garface.Image(pillow.fromarray(rgba)).array())


def test_bad_arrays():
    for bad in (np.zeros((4, 4, 3)), np.zeros((4, 4, 2), np.uint8), np.zeros((0, 4, 3), np.uint8), np.zeros(5, np.uint8)):
        with pytest.raises(garface.InvalidArgumentError):
            garface.Image(bad)
    with pytest.raises(garface.InvalidArgumentError):
        garface.Image(12)


def png_header(width, height):
    header = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    start = b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + header + struct.pack(">I", zlib.crc32(header))
    return start + struct.pack(">I", 1000) + b"IDAT" + bytes(1004)


def test_bad_files(tmp_path):
    with pytest.raises(FileNotFoundError) as caught:
        garface.Image("no-such-photo.png")
    assert "no-such-photo.png" in str(caught.value)
    (tmp_path / "text.png").write_text("this is no picture")
    with pytest.raises(garface.UnsupportedFormatError):
        garface.Image(tmp_path / "text.png")
    (tmp_path / "empty.png").write_bytes(b"")
    with pytest.raises(garface.FileError):
        garface.Image(tmp_path / "empty.png")
    (tmp_path / "huge.png").write_bytes(png_header(20000, 20000))
    with pytest.raises(garface.TooLargeError):
        garface.Image(tmp_path / "huge.png")
    garface.Image(np.zeros((50, 50, 3), np.uint8)).save(tmp_path / "whole.png")
    (tmp_path / "cut.png").write_bytes((tmp_path / "whole.png").read_bytes()[:-20])
    with pytest.raises(garface.MalformedFileError):
        garface.Image(tmp_path / "cut.png")
    with pytest.raises(garface.UnwritableError):
        garface.Image(np.zeros((2, 2, 3), np.uint8)).save("/no/such/folder/a.png")


def test_jpeg_where_built_in(tmp_path):
    image = garface.Image(np.full((16, 16, 3), 120, np.uint8))
    if "JPEG" in garface.build_info()["image_formats"]:
        image.save(tmp_path / "a.jpg")
        assert abs(int(garface.Image(tmp_path / "a.jpg").array().mean()) - 120) < 3
        (tmp_path / "cut.jpg").write_bytes((tmp_path / "a.jpg").read_bytes()[:200])
        with pytest.raises(garface.FileError):
            garface.Image(tmp_path / "cut.jpg")
    else:
        with pytest.raises(garface.UnsupportedFormatError, match="JPEG"):
            image.save(tmp_path / "a.jpg")


def with_exif(file, tiff):
    """The bytes of a PNG file with an eXIf chunk before its pixels."""
    data, at = file.read_bytes(), 8 + 25
    body = b"eXIf" + tiff
    return data[:at] + struct.pack(">I", len(tiff)) + body + struct.pack(">I", zlib.crc32(body)) + data[at:]


def tiff(orientation, order="<"):
    mark = b"II*\0" if order == "<" else b"MM\0*"
    return mark + struct.pack(order + "IHHHIHHI", 8, 1, 0x0112, 3, 1, orientation, 0, 0)


@pytest.mark.parametrize("order", "<>")
def test_exif_orientation_of_png(tmp_path, order):
    pixels = np.random.default_rng(2).integers(0, 256, (5, 3, 3), dtype=np.uint8)
    garface.Image(pixels).save(tmp_path / "a.png")
    # How the stored picture becomes upright.
    turns = {
        1: lambda p: p, 2: lambda p: p[:, ::-1], 3: lambda p: p[::-1, ::-1], 4: lambda p: p[::-1], 5: lambda p: p.transpose(1, 0, 2),
        6: lambda p: np.rot90(p, -1), 7: lambda p: p[::-1, ::-1].transpose(1, 0, 2), 8: lambda p: np.rot90(p),
    }
    for orientation, turn in turns.items():
        image = garface.Image.decode(with_exif(tmp_path / "a.png", tiff(orientation, order)))
        assert np.array_equal(image.array(), turn(pixels)), orientation


def test_exif_that_makes_no_sense_is_not_looked_at(tmp_path):
    pixels = np.random.default_rng(3).integers(0, 256, (5, 3, 3), dtype=np.uint8)
    garface.Image(pixels).save(tmp_path / "a.png")
    whole = tiff(6)
    bad = [tiff(0), tiff(9), tiff(60000), whole[:8], whole[:9], whole[:20], b"II*\0\xff\xff\xff\xff", b"II*\0" + b"\xff" * 40, b"XX*\0" + whole[4:]]
    for exif in bad:
        assert np.array_equal(garface.Image.decode(with_exif(tmp_path / "a.png", exif)).array(), pixels), exif

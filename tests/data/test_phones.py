"""What phones and cameras leave in a folder: several pictures in a file, other formats, litter."""

from __future__ import annotations

import io
import time
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from data.test_folder import lay, pack, png, skipped
from mulligan.data.decode import decode
from mulligan.data.open import open_data

GREEN = Image.new("RGB", (48, 32), (0, 255, 0))


def halves(size: tuple[int, int] = (48, 32)) -> Image.Image:
    """Blue on the left, red on the right."""
    picture = Image.new("RGB", size, (200, 0, 0))
    picture.paste((0, 0, 200), (0, 0, size[0] // 2, size[1]))
    return picture


def saved(picture: Image.Image, kind: str, **options: Any) -> bytes:
    held = io.BytesIO()
    picture.save(held, kind, **options)
    return held.getvalue()


def turned() -> Image.Exif:
    exif = Image.Exif()
    exif[0x0112] = 6  # a quarter to the right
    return exif


def several(picture: Image.Image, **options: Any) -> bytes:
    """A JPEG with a second picture behind it, as phones write depth, stereo and gain maps."""
    return saved(picture, "MPO", save_all=True, append_images=[GREEN], **options)


@pytest.mark.parametrize("form", ["folder", "zip"])
def test_a_phone_s_folder_is_its_pictures(form: str, tmp_path: Path) -> None:
    plain = saved(halves(), "JPEG")
    files = {
        "a.JPG": plain,
        "b.png": plain,  # a JPEG by its content
        "c.jpg": several(halves()),
        "d.MPO": several(halves()),
        "e.jpg": several(halves(), exif=turned()),
        "f.jpg": saved(halves(), "JPEG", exif=turned()),
        "a.MOV": b"\0\0\0\x14ftypqt  ",
        "g.HEIC": b"\0\0\0\x18ftypheic",
        "h.avif": b"\0\0\0\x1cftypavif",
        "i.jpg": b"\0\0\0\x18ftypheic\0\0\0\0mif1heic",
        "j.dng": b"II*\0",
        "._a.JPG": b"\0\5\x16\7",
        "__MACOSX/._a.JPG": b"\0\5\x16\7",
        "Thumbs.db": b"\xd0\xcf",
        ".DS_Store": b"\0\0\0\1Bud1",
    }
    place = lay(tmp_path, files) if form == "folder" else pack(tmp_path / "a.zip", files)
    data = open_data(str(place), size=(32, 32))
    pixels = data.arrays["real"].int()
    for row in pixels[:4]:
        assert row[2, 16, 4] > 180 > 20 > row[0, 16, 4]
        assert row[0, 16, 28] > 180 > 20 > row[2, 16, 28]
    for row in pixels[4:]:
        assert row[2, 4, 16] > 180 > 20 > row[0, 4, 16]
        assert row[0, 28, 16] > 180 > 20 > row[2, 28, 16]
    assert len(pixels) == 6
    assert skipped(data) == {
        "a.MOV": "no picture by its name",
        "g.HEIC": "HEIC is not read; convert it to JPEG or PNG",
        "h.avif": "AVIF is not read; convert it to JPEG or PNG",
        "i.jpg": "not a picture in one of the formats JPEG, PNG, GIF, BMP, WEBP, TIFF",
        "j.dng": "DNG is not read; convert it to JPEG or PNG",
    }


def test_a_large_picture_with_another_behind_it_is_loaded_smaller_too() -> None:
    """Loaded whole it would take several times as long."""
    whole = halves((4096, 3072))
    took = []
    for content in (saved(whole, "JPEG"), several(whole)):
        began = time.process_time()
        decode(content, (64, 64), 3)
        took.append(time.process_time() - began)
    assert took[1] < 2 * took[0] + 0.01


def test_the_picture_itself_is_read_from_the_first_frame() -> None:
    pixels = decode(several(Image.open(io.BytesIO(png(7)))), (16, 16), 3)
    assert abs(int(pixels[0].mean()) - 7) < 3

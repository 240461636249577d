"""The golden table: pixels worked out by hand, for every mode, format and number of channels."""

from __future__ import annotations

import io
import zlib
from collections.abc import Callable

import numpy as np
import pytest
from PIL import Image, ImageCms

from data.mutants import chunk, encoded, interlaced
from mulligan.data.decode import decode, read_header

S = (16, 16)
RED, GREY_OF_RED = (200, 30, 10), 79  # 0.299 x 200 + 0.587 x 30 + 0.114 x 10 = 78.55
Pixels = list[list[int]]
"""What 1, 3 and 4 channels show."""


def halves(mode: str, left: object, right: object, palette: list[int] | None = None) -> Image.Image:
    image = Image.new(mode, S, right)
    if palette is not None:
        image.putpalette(palette)
    image.paste(left, (0, 0, 8, 16))
    return image


def opaque(*colour: int, grey: int | None = None) -> Pixels:
    """Of a picture without transparency."""
    three = list(colour) if len(colour) == 3 else [colour[0]] * 3
    return [[colour[0] if grey is None else grey], three, [*three, 255]]


def clear(*hidden: int) -> Pixels:
    """White, and with four channels the colour that is hidden, with alpha 0."""
    return [[255], [255, 255, 255], [*hidden, 0]]


RED_ONE, BLACK, WHITE = opaque(*RED, grey=GREY_OF_RED), opaque(0), opaque(255)
TWO = [*RED, 0, 255, 0]
RGBA_HALVES = halves("RGBA", (0, 255, 0, 0), (*RED, 255))
# 204 of white are left by the key of 51; of these the inks take 51/255, 102/255 and nothing
CMYK = opaque(163, 122, 204, grey=144)  # 0.299 x 163 + 0.587 x 122 + 0.114 x 204 = 143.6


def by_alpha(*alphas: int) -> bytes:
    """A palette PNG with an alpha for each colour."""
    return encoded(halves("P", 1, 0, TWO), "PNG", transparency=bytes(alphas))


def jpeg(*inks: int, ycck: bool = False) -> bytes:
    """An Adobe JPEG of four channels, stored inverted; as YCCK by its marker alone."""
    content = encoded(Image.new("CMYK", S, inks), "JPEG", quality=100)
    at = content.index(b"Adobe") + 11
    assert content[at] == 0
    return content[:at] + bytes([2 * ycck]) + content[at + 1 :]


def sixteen(colour: int, *values: int) -> bytes:
    """A PNG of 16 bits a channel in one of PNG's colour types, in one colour."""
    row = b"\0" + np.array(values * 16, dtype=">u2").tobytes()
    header = (16).to_bytes(4, "big") * 2 + bytes([16, colour, 0, 0, 0])
    rows = zlib.compress(row * 16)
    parts = chunk(b"IHDR", header) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + parts


def keyed_sixteen() -> bytes:
    """16-bit grey, of which one value is transparent."""
    content = sixteen(0, 1000)
    at = content.index(b"IDAT") - 4
    return content[:at] + chunk(b"tRNS", (1000).to_bytes(2, "big")) + content[at:]


def with_profile(image: Image.Image) -> bytes:
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB")).tobytes()
    return encoded(image, "PNG", icc_profile=profile)


def film(kind: str, **options: object) -> bytes:
    frames = [Image.new("RGB", S, colour) for colour in [RED, (0, 200, 0), (0, 0, 200)]]
    more = {"save_all": True, "append_images": frames[1:], **options}
    return encoded(frames[0], kind, **more)


# name: the file, what its left and right half show, and whether it is grey
TABLE: dict[str, tuple[Callable[[], bytes], Pixels, Pixels, bool]] = {
    "1 PNG": (lambda: encoded(halves("1", 0, 1), "PNG"), BLACK, WHITE, True),
    "1 TIFF group 4": (
        lambda: encoded(halves("1", 0, 1), "TIFF", compression="group4"), BLACK, WHITE, True),
    "1 PNG, white is transparent": (
        lambda: encoded(halves("1", 0, 1), "PNG", transparency=1),
        BLACK, clear(255, 255, 255), True),
    "L PNG": (lambda: encoded(halves("L", 7, 77), "PNG"), opaque(7), opaque(77), True),
    "L PNG, 77 is transparent": (
        lambda: encoded(halves("L", 7, 77), "PNG", transparency=77),
        opaque(7), clear(77, 77, 77), True),
    "LA PNG": (
        lambda: encoded(halves("LA", (0, 0), (90, 255)), "PNG"), clear(0, 0, 0), opaque(90), True),
    # 100 x 128/255 + 255 x 127/255 = 177.2
    "LA PNG, half": (
        lambda: encoded(halves("LA", (100, 128), (90, 255)), "PNG"),
        [[177], [177] * 3, [100, 100, 100, 128]], opaque(90), True),
    "P PNG": (lambda: encoded(halves("P", 0, 1, TWO), "PNG"),
              RED_ONE, opaque(0, 255, 0, grey=150), False),
    "P GIF": (lambda: encoded(halves("P", 0, 1, TWO), "GIF"),
              RED_ONE, opaque(0, 255, 0, grey=150), False),
    "P BMP": (lambda: encoded(halves("P", 0, 1, TWO), "BMP"),
              RED_ONE, opaque(0, 255, 0, grey=150), False),
    "P TIFF": (lambda: encoded(halves("P", 0, 1, TWO), "TIFF"),
               RED_ONE, opaque(0, 255, 0, grey=150), False),
    "P BMP of greys": (lambda: encoded(halves("P", 0, 1, [9, 9, 9, 50, 50, 50]), "BMP"),
                       opaque(9), opaque(50), True),
    "P TIFF of greys": (lambda: encoded(halves("P", 0, 1, [9, 9, 9, 50, 50, 50]), "TIFF"),
                        opaque(9), opaque(50), True),
    "P PNG, one is transparent": (lambda: encoded(halves("P", 1, 0, TWO), "PNG", transparency=1),
                                  clear(0, 255, 0), RED_ONE, False),
    "P GIF, one is transparent": (lambda: encoded(halves("P", 1, 0, TWO), "GIF", transparency=1),
                                  clear(0, 255, 0), RED_ONE, False),
    "P PNG, an alpha for each": (lambda: by_alpha(255, 0), clear(0, 255, 0), RED_ONE, False),
    # (0, 255, 0) half over white is (127, 255, 127), and 0.413 x 127 + 0.587 x 255 = 202.1
    "P PNG, half": (lambda: by_alpha(255, 128),
                    [[202], [127, 255, 127], [0, 255, 0, 128]], RED_ONE, False),
    "PA TIFF": (lambda: encoded(halves("PA", (1, 0), (0, 255), TWO), "TIFF"),
                clear(0, 255, 0), RED_ONE, False),
    "RGB PNG": (lambda: encoded(halves("RGB", 0, RED), "PNG"), BLACK, RED_ONE, False),
    "RGB PNG, black is transparent": (
        lambda: encoded(halves("RGB", 0, RED), "PNG", transparency=(0, 0, 0)),
        clear(0, 0, 0), RED_ONE, False),
    "RGB BMP": (lambda: encoded(halves("RGB", 0, RED), "BMP"), BLACK, RED_ONE, False),
    "RGB WebP": (lambda: encoded(halves("RGB", 0, RED), "WEBP", lossless=True),
                 BLACK, RED_ONE, False),
    "RGB TIFF LZW": (lambda: encoded(halves("RGB", 0, RED), "TIFF", compression="tiff_lzw"),
                     BLACK, RED_ONE, False),
    "RGBA PNG": (lambda: encoded(RGBA_HALVES, "PNG"), clear(0, 255, 0), RED_ONE, False),
    "RGBA TIFF": (lambda: encoded(RGBA_HALVES, "TIFF"), clear(0, 255, 0), RED_ONE, False),
    "RGBA WebP": (lambda: encoded(RGBA_HALVES, "WEBP", lossless=True, exact=True),
                  clear(0, 255, 0), RED_ONE, False),
    # (0, 100, 255) half over white is (127, 177, 255): 38.0 + 103.9 + 29.1 = 171
    "RGBA PNG, half": (
        lambda: encoded(halves("RGBA", (0, 100, 255, 128), (*RED, 255)), "PNG"),
        [[171], [127, 177, 255], [0, 100, 255, 128]], RED_ONE, False),
    "CMYK TIFF": (lambda: encoded(halves("CMYK", (0, 0, 0, 255), (51, 102, 0, 51)), "TIFF"),
                  BLACK, CMYK, False),
    "CMYK JPEG of Adobe": (lambda: jpeg(51, 102, 0, 51), CMYK, CMYK, False),
    # Y 100, Cb 128, Cr 178 are inks of 170, 64 and 100; of 204 that the key leaves they leave
    # 68, 153 and 124, and 0.299 x 68 + 0.587 x 153 + 0.114 x 124 = 124.3
    "YCCK JPEG of Adobe": (lambda: jpeg(155, 127, 77, 51, ycck=True),
                           *[opaque(68, 153, 124, grey=124)] * 2, False),
    "16-bit grey PNG": (lambda: sixteen(0, 0x80FF), *[opaque(128)] * 2, True),
    "16-bit grey PNG, its value is transparent": (keyed_sixteen, *[clear(4, 4, 4)] * 2, True),
    "16-bit RGB PNG": (lambda: sixteen(2, 200 * 257, 30 * 257, 10 * 257), *[RED_ONE] * 2, False),
    # Pillow reads it as RGBA, so it does not count as grey
    "16-bit LA PNG": (lambda: sixteen(4, 90 * 257, 65535), *[opaque(90)] * 2, False),
    "16-bit RGBA PNG": (lambda: sixteen(6, 0, 65535, 0, 0), *[clear(0, 255, 0)] * 2, False),
    "16-bit TIFF": (
        lambda: encoded(Image.fromarray(np.full(S, 0x80FF, np.uint16)), "TIFF"),
        *[opaque(128)] * 2, True),
    "float TIFF": (lambda: encoded(halves("F", 0.0, 0.3), "TIFF"), BLACK, opaque(76), True),
    "GIF film": (lambda: film("GIF"), *[RED_ONE] * 2, False),
    "WebP film": (lambda: film("WEBP", lossless=True), *[RED_ONE] * 2, False),
    "APNG film": (lambda: film("PNG"), *[RED_ONE] * 2, False),
    "APNG with a picture beside the film": (
        lambda: film("PNG", default_image=True), *[RED_ONE] * 2, False),
    "many pages": (lambda: film("TIFF"), *[RED_ONE] * 2, False),
    "a profile": (lambda: with_profile(halves("RGB", 0, RED)), BLACK, RED_ONE, False),
}  # fmt: skip


@pytest.mark.parametrize("name", TABLE)
def test_pixels_are_those_worked_out_by_hand(name: str) -> None:
    make, left, right, grey = TABLE[name]
    content = make()
    for channels, one, other in zip((1, 3, 4), left, right, strict=True):
        pixels = decode(content, S, channels)
        assert pixels.dtype == np.uint8
        assert pixels.shape == (channels, 16, 16)
        assert (pixels[:, :, :8] == np.array(one)[:, None, None]).all(), pixels[:, 0, 0]
        assert (pixels[:, :, 8:] == np.array(other)[:, None, None]).all(), pixels[:, 0, 15]
        assert decode(content, (8, 12), channels).shape == (channels, 8, 12)
    assert read_header(io.BytesIO(content)) == (16, grey)


def test_rows_that_come_in_passes_are_put_in_their_place() -> None:
    picture = np.random.default_rng(0).integers(0, 256, (16, 16, 3), dtype=np.uint8)
    assert (decode(interlaced(picture), S, 3) == picture.transpose(2, 0, 1)).all()
    few = Image.fromarray(picture).quantize(16)
    shown = np.asarray(few.convert("RGB")).transpose(2, 0, 1)
    content = encoded(few, "GIF", interlace=1)
    assert content[content.index(b"\x2c\0\0\0\0\x10\0\x10\0") + 9] & 0x40
    assert (decode(content, S, 3) == shown).all()


@pytest.mark.parametrize("kind", ["PNG", "WEBP", "TIFF", "JPEG"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_orientation_is_applied_in_every_format_that_has_it(kind: str, orientation: int) -> None:
    """Grey steps of 16 x 24 pixels; the eight turns are those of the EXIF standard."""
    steps = np.arange(6, dtype=np.uint8).reshape(2, 3) * 50
    upright = np.kron(steps, np.ones((8, 8), dtype=np.uint8))
    turned = {
        1: upright, 2: upright[:, ::-1], 3: upright[::-1, ::-1], 4: upright[::-1],
        5: upright.T, 6: np.rot90(upright, 1), 7: upright[::-1, ::-1].T, 8: np.rot90(upright, -1),
    }  # fmt: skip
    exif = Image.Exif()
    exif[0x0112] = orientation
    options = {"lossless": True} if kind == "WEBP" else {"quality": 100} if kind == "JPEG" else {}
    stored = Image.fromarray(np.ascontiguousarray(turned[orientation]))
    content = encoded(stored, kind, exif=exif, **options)
    if kind != "TIFF":  # those Pillow turns itself
        assert Image.open(io.BytesIO(content)).size == stored.size
    for channels in (1, 3, 4):
        pixels = decode(content, (16, 24), channels)
        assert (pixels[: min(channels, 3)] == upright).all()
        assert (pixels[3:] == 255).all()
    assert read_header(io.BytesIO(content))[0] == 16

"""One picture: from the bytes of a file to uint8 pixels of the wanted size and channels.

Colour profiles are ignored: the stored numbers are taken as sRGB. Of an animation the first frame
is used. Transparent pictures are put on a background unless four channels are asked for.
"""

from __future__ import annotations

import struct
import warnings
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

from mulligan.data.framing import Framing, framed

FORMATS = ("JPEG", "PNG", "GIF", "BMP", "WEBP", "TIFF")
MOST_PIXELS = 64_000_000  # 192 MB as RGB
SMALLEST = 8  # pixels of the short side
MODES = {1: "L", 3: "RGB", 4: "RGBA"}
GREY_MODES = ("1", "L", "LA", "F")
ALPHA_MODES = ("LA", "La", "PA", "RGBA", "RGBa")
CENTRE = Framing()

# what Pillow's decoders raise on damaged files
BROKEN = (
    OSError,
    SyntaxError,
    ValueError,
    EOFError,
    LookupError,
    TypeError,
    ArithmeticError,
    struct.error,
    zlib.error,
    Image.DecompressionBombError,
    Image.DecompressionBombWarning,
)


class UnusableError(Exception):
    """A picture that cannot be used; the message is the reason."""


UNREADABLE = (*BROKEN, zipfile.BadZipFile, NotImplementedError, RuntimeError, UnusableError)
"""The same, and what a damaged zip raises besides."""


@contextmanager
def quiet_decoders() -> Iterator[None]:
    """Pillow's warnings about odd metadata are silenced, those about huge pictures are errors.

    Warnings are global to the process: enter once around a pool of threads, not inside them.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        yield


def read_header(stream: BinaryIO) -> tuple[int, bool]:
    """The short side in pixels and whether the picture is grey; decodes nothing.

    Raises UnusableError for other formats, and for too large and too small pictures.
    """
    try:
        with Image.open(stream, formats=FORMATS) as image:
            _check_size(image)
            return min(image.size), _is_grey(image)
    except BROKEN as error:
        raise UnusableError(why(error)) from error


def decode(
    content: bytes, size: tuple[int, int], channels: int, framing: Framing = CENTRE
) -> NDArray[np.uint8]:
    """The picture as uint8 (channels, height, width): upright, brought to its shape, resized.

    Raises UnusableError with the reason.
    """
    draw = zlib.crc32(content) / 2**32 if framing.fit == "random" else 0.5
    with opened(content) as (_, upright):
        return to_array(framed(plain(upright, channels, framing), size, framing, draw))


@contextmanager
def opened(content: bytes) -> Iterator[tuple[Image.Image, Image.Image]]:
    """The picture as it is stored, loaded, and turned as its EXIF data ask.

    Raises UnusableError with the reason, for what happens inside the block too.
    """
    try:
        with Image.open(BytesIO(content), formats=FORMATS) as image:
            _check_size(image)
            image.load()
            yield image, ImageOps.exif_transpose(image)
    except BROKEN as error:
        raise UnusableError(why(error)) from error


def plain(image: Image.Image, channels: int, framing: Framing = CENTRE) -> Image.Image:
    """The picture in mode L, RGB or RGBA for 1, 3 or 4 channels."""
    if image.mode.startswith("I;16"):
        wide = np.asarray(image).astype(np.uint32)
        image = Image.fromarray(((wide + 128) // 257).astype(np.uint8))  # 65535 is 255 x 257
    elif image.mode == "I":
        raise UnusableError("32-bit integer pixels have no defined range")
    elif image.mode == "F":
        image = _from_float(image)
    if image.mode in ALPHA_MODES or "transparency" in image.info:
        image = image.convert("RGBA")
        if channels != 4:
            behind = Image.new("RGBA", image.size, framing.behind)
            image = Image.alpha_composite(behind, image).convert("RGB")
    return image if image.mode == MODES[channels] else image.convert(MODES[channels])


def to_array(image: Image.Image) -> NDArray[np.uint8]:
    """uint8 (channels, height, width)."""
    pixels = np.asarray(image, dtype=np.uint8)
    return pixels[None] if pixels.ndim == 2 else pixels.transpose(2, 0, 1)


def _from_float(image: Image.Image) -> Image.Image:
    values = np.asarray(image)
    if not (values.min() >= 0 and values.max() <= 1):  # also refuses NaN
        raise UnusableError("float pixels outside [0, 1] have no defined range")
    return Image.fromarray(np.rint(values * 255).astype(np.uint8))


def _check_size(image: Image.Image) -> None:
    width, height = image.size
    if width * height > MOST_PIXELS:
        limit = MOST_PIXELS // 1_000_000
        raise UnusableError(f"{width}x{height} pixels are more than {limit} megapixels")
    if min(image.size) < SMALLEST:
        raise UnusableError(f"{width}x{height} pixels are too small, {SMALLEST} are the least")


def _is_grey(image: Image.Image) -> bool:
    if image.mode == "P" and image.palette is not None and image.palette.mode == "RGB":
        colours = np.frombuffer(image.palette.tobytes(), dtype=np.uint8)
        colours = colours[: len(colours) // 3 * 3].reshape(-1, 3)
        return bool((colours == colours[:, :1]).all())
    return image.mode in GREY_MODES or image.mode.startswith("I")


def why(error: BaseException) -> str:
    """Why a picture cannot be used, in words."""
    if isinstance(error, UnidentifiedImageError):
        return f"not a picture in one of the formats {', '.join(FORMATS)}"
    if isinstance(error, (Image.DecompressionBombError, Image.DecompressionBombWarning)):
        return f"more than {MOST_PIXELS // 1_000_000} megapixels"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return " ".join(str(error).split()) or type(error).__name__

"""One picture: from the bytes of a file to uint8 pixels of the wanted size and channels.

Colour profiles are ignored: the stored numbers are taken as sRGB. Of an animation the first frame
is used. Transparent pictures are put on a background unless four channels are asked for.
"""

from __future__ import annotations

import errno
import math
import re
import struct
import threading
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

from mulligan.data.framing import Framing, framed, on_background

FORMATS = ("JPEG", "PNG", "GIF", "BMP", "WEBP", "TIFF")
MOST_PIXELS = 64_000_000  # 192 MB as RGB
MOST_SCANS = 100  # of a JPEG; honest ones have a dozen, and each costs a pass over all pixels
MOST_SEGMENTS = 100_000  # of a JPEG, looked through to count its scans
SMALLEST = 8  # pixels of the short side
MODES = {1: "L", 3: "RGB", 4: "RGBA"}
GREY_MODES = ("1", "L", "LA", "F")
ORIENTATION, TURNED, SIDEWAYS = 0x0112, range(2, 9), (5, 6, 7, 8)  # of EXIF
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


class Room:
    """A limit on the pixels in hand: threads wait until there is room for theirs.

    Large pictures take half a gigabyte each while they are converted, and there are many threads.
    """

    def __init__(self, most: int) -> None:
        self.most, self.taken, self.turn = most, 0, threading.Condition()

    @contextmanager
    def for_pixels(self, count: int) -> Iterator[None]:
        """Inside, `count` pixels are in hand; more than there may be are let in alone."""
        with self.turn:
            self.turn.wait_for(lambda: not self.taken or self.taken + count <= self.most)
            self.taken += count
        try:
            yield
        finally:
            with self.turn:
                self.taken -= count
                self.turn.notify_all()


ROOM = Room(MOST_PIXELS)

UNREADABLE = (*BROKEN, zipfile.BadZipFile, NotImplementedError, RuntimeError, UnusableError)
"""The same, and what a damaged zip raises besides."""


@contextmanager
def quiet_decoders() -> Iterator[None]:
    """Pillow's warnings about odd metadata are silenced, those about huge pictures are errors.

    Warnings are global to the process: enter once around a pool of threads, not inside them.
    """
    # blocks larger than malloc keeps (32 MB): else threads held on to a GB of freed pictures
    Image.core.set_block_size(1 << 26)  # type: ignore[attr-defined]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        yield


def read_header(stream: BinaryIO) -> tuple[int, bool]:
    """The short side in pixels and whether the picture is grey; decodes nothing.

    Raises UnusableError for other formats, and for too large and too small pictures.
    """
    try:
        if isinstance(stream, zipfile.ZipExtFile) and stream.peek(2)[:2] in (b"II", b"MM"):
            # every step back in a member unpacks it anew, and a TIFF may take one for each tag
            stream = BytesIO(stream.read())
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
    with opened(content, size) as (_, upright):
        return to_array(framed(plain(upright, channels, framing), size, framing, draw))


@contextmanager
def opened(
    content: bytes, size: tuple[int, int] | None = None
) -> Iterator[tuple[Image.Image, Image.Image]]:
    """The picture as it is stored, loaded, and as its EXIF data ask: the same one, or turned.

    size: (height, width) that it is wanted in; a much larger JPEG is then loaded at 1/2, 1/4 or 1/8
    of its size, which takes a fraction of the time, but at twice the wanted size at least. MPO is
    what Pillow calls a JPEG with more pictures or a gain map behind the first one.
    Raises UnusableError with the reason, for what happens inside the block too.
    """
    try:
        with Image.open(BytesIO(content), formats=FORMATS) as image:
            _check_size(image)
            _check_scans(content)
            if size is not None and image.format in ("JPEG", "MPO"):
                _load_smaller(image, size)
            with ROOM.for_pixels(image.width * image.height):
                image.load()
                turned = image.getexif().get(ORIENTATION, 1) in TURNED
                yield image, ImageOps.exif_transpose(image) if turned else image
    except BROKEN as error:
        raise UnusableError(why(error)) from error


def _load_smaller(image: Image.Image, size: tuple[int, int]) -> None:
    """Let a JPEG be decoded at a fraction of its size, twice the wanted one at least."""
    width, height = image.size
    if image.getexif().get(ORIENTATION, 1) in SIDEWAYS:
        size = (size[1], size[0])
    scale = min(width / size[1], height / size[0]) / 2
    if scale > 1:
        image.draft(None, (math.ceil(width / scale), math.ceil(height / scale)))


def plain(image: Image.Image, channels: int, framing: Framing = CENTRE) -> Image.Image:
    """The picture in mode L, RGB or RGBA for 1, 3 or 4 channels."""
    if image.mode.startswith("I;16"):
        wide = np.asarray(image).astype(np.uint32)
        key = image.info.get("transparency")
        image = Image.fromarray(((wide + 128) // 257).astype(np.uint8))  # 65535 is 255 x 257
        if isinstance(key, int):
            image.putalpha(Image.fromarray(np.where(wide == key, 0, 255).astype(np.uint8)))
    elif image.mode == "I":
        raise UnusableError("32-bit integer pixels have no defined range")
    elif image.mode == "F":
        image = _from_float(image)
    if image.mode in ALPHA_MODES or "transparency" in image.info:
        image = image if image.mode == "RGBA" else image.convert("RGBA")
        if channels != 4:
            image = on_background(image, framing)
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


MARKER = re.compile(rb"\xff[^\x00\xff\xd0-\xd7]")
"""What begins a segment of a JPEG; the others are part of the data of a scan."""


def _check_scans(content: bytes) -> None:
    if not content.startswith(b"\xff\xd8") or content.count(b"\xff\xda") <= MOST_SCANS:
        return
    scans, at = 0, 2
    for _ in range(MOST_SEGMENTS):
        found = MARKER.search(content, at)
        if not found or found[0] == b"\xff\xd9":
            return
        scans += found[0] == b"\xff\xda"
        if scans > MOST_SCANS:
            raise UnusableError(f"a JPEG of more than {MOST_SCANS} scans")
        at = found.end() + int.from_bytes(content[found.end() : found.end() + 2], "big")
    raise UnusableError(f"a JPEG of more than {MOST_SEGMENTS} segments")


def _is_grey(image: Image.Image) -> bool:
    if image.mode == "P" and image.palette is not None and image.palette.mode == "RGB":
        held = Image.new("P", (1, 1))
        held.putpalette(image.palette)  # BMP and TIFF keep theirs as BGRX or in planes
        colours = np.array(held.getpalette("RGB"), dtype=np.uint8).reshape(-1, 3)
        return bool((colours == colours[:, :1]).all())
    return image.mode in GREY_MODES or image.mode.startswith("I")


def is_passing(error: BaseException) -> bool:
    """Whether the file could not be read at all, for a reason that may be gone the next time."""
    causes = (error, error.__cause__)
    numbers = {cause.errno for cause in causes if isinstance(cause, OSError)}
    return bool(numbers - {None, errno.EINVAL})  # invalid: an offset in the picture is


def why(error: BaseException) -> str:
    """Why a picture cannot be used, in words."""
    if isinstance(error, UnidentifiedImageError):
        return f"not a picture in one of the formats {', '.join(FORMATS)}"
    if isinstance(error, (Image.DecompressionBombError, Image.DecompressionBombWarning)):
        return f"more than {MOST_PIXELS // 1_000_000} megapixels"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return " ".join(str(error).split()) or type(error).__name__

"""What the files of a source are, one by one: format, mode, size, content, a small copy."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from mulligan.data.decode import ORIENTATION, UNREADABLE, opened, plain, why
from mulligan.data.framing import bands
from mulligan.data.sources import Entry
from mulligan.data.threads import in_chunks

SMALL = 32
"""Side of the small copies, of which near duplicates and colours are judged."""


@dataclass(frozen=True)
class Shot:
    """One picture that decodes.

    mode: as stored ("L", "RGB", "P", "I;16", "CMYK", ...). width, height: upright, in pixels.
    turned: EXIF asks for another orientation. animated: of several frames. alpha: whether any pixel
    is transparent. digest: of the upright pixels, so that two encodings of the same picture
    are one. small: uint8 (SMALL, SMALL, 3), squeezed to a square and put on white.
    """

    name: str
    size: int
    format: str
    mode: str
    width: int
    height: int
    turned: bool
    animated: bool
    alpha: bool
    digest: str
    small: NDArray[np.uint8]


def survey(entries: Sequence[Entry]) -> tuple[list[Shot], dict[str, str]]:
    """Every picture that decodes, in order, and why the others do not, by name.

    Decodes each file once, in threads. Enter `quiet_decoders` around it.
    """

    def work(start: int, stop: int) -> list[Shot | str]:
        return [_look(entry) for entry in entries[start:stop]]

    found = [one for part in in_chunks(work, len(entries)) for one in part]
    shots = [one for one in found if isinstance(one, Shot)]
    broken = {
        entry.name: one for entry, one in zip(entries, found, strict=True) if isinstance(one, str)
    }
    return shots, broken


def _look(entry: Entry) -> Shot | str:
    try:
        with opened(entry.read()) as (image, upright):
            colours = plain(upright, 4)
            return Shot(
                name=entry.name,
                size=entry.size,
                format=image.format or "",
                mode=image.mode,
                width=upright.width,
                height=upright.height,
                turned=image.getexif().get(ORIENTATION, 1) != 1,
                animated=getattr(image, "is_animated", False),
                alpha=colours.getchannel("A").getextrema() != (255, 255),
                digest=_digest(colours),
                small=_small(colours),
            )
    except UNREADABLE as error:
        return why(error)


def _digest(picture: Image.Image) -> str:
    digest = hashlib.sha256(f"{picture.size}".encode())
    for _, band in bands(picture):
        digest.update(band.tobytes())
    return digest.hexdigest()


def _small(picture: Image.Image) -> NDArray[np.uint8]:
    small = plain(picture, 3).resize((SMALL, SMALL), Image.Resampling.BOX)
    return np.asarray(small, dtype=np.uint8)

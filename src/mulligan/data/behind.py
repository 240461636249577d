"""The colour behind transparent pictures: the one on which the fewest of them would vanish."""

from __future__ import annotations

import math
from collections.abc import Sequence
from contextlib import suppress

import numpy as np
from PIL import Image

from mulligan.data.decode import UNREADABLE, opened, plain
from mulligan.data.packed import evenly
from mulligan.data.sources import Entry

LOOKED_AT = 100
"""Pictures that are decoded for this, evenly spread over all."""

COLOURS = {"white": (255, 255, 255), "black": (0, 0, 0), "grey": (128, 128, 128)}
"""In order of preference."""

NEAR = 32
"""Difference in each channel below which a pixel is not seen on a colour."""

ENOUGH = 1_000_000
"""Pixels of a picture that are counted at least: of larger ones every second or third each way."""

MANY = 0.1
"""Share of pictures that may vanish on the preferred colour."""


def background_for(entries: Sequence[Entry]) -> tuple[tuple[int, int, int], str]:
    """The colour for these pictures, and the reason in words.

    A picture vanishes on a colour if most of its visible pixels are nearly that colour. Enter
    `quiet_decoders` around it.
    """
    found = []
    for place in evenly(len(entries), LOOKED_AT):
        with suppress(*UNREADABLE), opened(entries[place].read()) as (_, upright):
            if (shares := _vanishing(plain(upright, 4))) is not None:
                found.append(shares)
    if not found:
        return COLOURS["white"], "nothing is transparent"
    lost = (np.array(found) > 0.5).mean(axis=0)
    best = 0 if lost[0] <= MANY else int(lost.argmin())
    name = list(COLOURS)[best]
    if best == 0:
        return COLOURS[name], "what is transparent is put on white"
    return COLOURS[name], f"{lost[0]:.0%} of the transparent pictures would vanish on white"


def _vanishing(picture: Image.Image) -> list[float] | None:
    """The share of visible pixels that is not seen, on each colour; None if all are opaque."""
    step = max(1, math.isqrt(picture.width * picture.height // ENOUGH))
    pixels = np.asarray(picture)[::step, ::step].astype(np.int16)
    alpha = pixels[..., 3]
    seen = pixels[alpha >= 128][:, :3]
    if alpha.min() == 255 or not len(seen):
        return None
    return [
        float((np.abs(seen - np.array(colour, dtype=np.int16)) < NEAR).all(axis=1).mean())
        for colour in COLOURS.values()
    ]

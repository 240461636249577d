"""A process of its own that looks at files below a folder, and decodes them, chunk by chunk.

Told on its standard input, a JSON object a line: first {"root"}. Then {"names", "sizes"}, which it
answers with what the headers say; {"pixels", "shape", "fit", "background"}, without an answer; and
{"start", "names", "sizes"} for the rows from start on, answered with those that cannot be used.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mulligan.data.decode import (
    UNREADABLE,
    decode,
    is_passing,
    quiet_decoders,
    read_header,
    why,
)
from mulligan.data.framing import Framing
from mulligan.data.index import Entry
from mulligan.data.sources import open_below

Header = tuple[int | str, bool]
"""(short side, whether it is grey), or (why it cannot be used, whether that may pass)."""

Failures = list[tuple[int, str, bool]]
"""(row, why it cannot be used, whether that may pass)."""

PIECE = 1 << 20
"""Bytes of pixels that are written at a time; a row may be larger."""


def headers(entries: Sequence[Entry]) -> list[Header]:
    """What the header of each says."""
    found: list[Header] = []
    for entry in entries:
        try:
            with entry.open() as stream:
                found.append(read_header(stream))
        except UNREADABLE as error:
            found.append((why(error), is_passing(error)))
    return found


def decoded(
    start: int, entries: Sequence[Entry], pixels: NDArray[np.uint8], framing: Framing
) -> Failures:
    """Fill the rows from `start` on. pixels: uint8 (N, C, H, W), in memory or mapped.

    Raises OSError where the file that they are mapped from cannot be written.
    """
    channels, size = pixels.shape[1], (pixels.shape[2], pixels.shape[3])
    failures: Failures = []
    step = max(1, PIECE // (channels * size[0] * size[1]))
    for first in range(0, len(entries), step):
        part, at = entries[first : first + step], start + first
        rows = pixels[at : at + len(part)]
        file = mapped_from(pixels)
        if file is not None:
            rows = np.empty(rows.shape, np.uint8)
        for place, entry in enumerate(part):
            try:
                rows[place] = decode(entry.read(), size, channels, framing)
            except UNREADABLE as error:
                failures.append((at + place, why(error), is_passing(error)))
        if file is not None:
            _write(file, at * rows[0].nbytes, rows)
    return failures


def mapped_from(pixels: NDArray[np.uint8]) -> Path | None:
    """The file that these pixels are mapped from; None if they are in memory."""
    return Path(pixels.filename) if isinstance(pixels, np.memmap) and pixels.filename else None


def _write(file: Path, at: int, rows: NDArray[np.uint8]) -> None:
    """Put rows into a mapped file: a page that a map touches first costs six times as much."""
    with file.open("rb+") as stream:
        stream.seek(at)
        stream.write(rows.data)


def main() -> None:
    told: dict[str, Any] = json.loads(sys.stdin.readline())
    root = Path(told["root"])
    with quiet_decoders():
        for line in sys.stdin:
            told = json.loads(line)
            if "pixels" in told:
                pixels = np.memmap(told["pixels"], np.uint8, "r+", shape=tuple(told["shape"]))
                framing = Framing.of(told)
                continue
            entries = [
                Entry(name, size, partial(open_below, root, name, size, 0))
                for name, size in zip(told["names"], told["sizes"], strict=True)
            ]
            start = told.get("start")
            found = headers(entries) if start is None else decoded(start, entries, pixels, framing)
            print(json.dumps(found), flush=True)


if __name__ == "__main__":
    main()

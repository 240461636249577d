"""A process of its own that decodes files below a folder into a mapped array, chunk by chunk.

Told on its standard input, a JSON object a line: first {"root", "pixels", "shape", "fit",
"background"}, then [start, names, sizes] for rows from start on. It answers each chunk with a list
of [row, reason, whether the reason may pass] for the files that cannot be used.
"""

from __future__ import annotations

import json
import sys
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mulligan.data.decode import UNREADABLE, decode, is_passing, quiet_decoders, why
from mulligan.data.framing import Framing
from mulligan.data.index import Entry
from mulligan.data.sources import open_below

Failures = list[tuple[int, str, bool]]
"""(row, why it cannot be used, whether that may pass)."""


def decoded(
    start: int, entries: list[Entry], pixels: NDArray[np.uint8], framing: Framing
) -> Failures:
    """Fill the rows from `start` on. pixels: uint8 (N, C, H, W)."""
    channels, size = pixels.shape[1], (pixels.shape[2], pixels.shape[3])
    failures: Failures = []
    for row, entry in enumerate(entries, start):
        try:
            pixels[row] = decode(entry.read(), size, channels, framing)
        except UNREADABLE as error:
            failures.append((row, why(error), is_passing(error)))
    return failures


def main() -> None:
    told: dict[str, Any] = json.loads(sys.stdin.readline())
    root, framing = Path(told["root"]), Framing.of(told)
    pixels = np.memmap(told["pixels"], np.uint8, "r+", shape=tuple(told["shape"]))
    with quiet_decoders():
        for line in sys.stdin:
            start, names, sizes = json.loads(line)
            entries = [
                Entry(name, size, partial(open_below, root, name, size, 0))
                for name, size in zip(names, sizes, strict=True)
            ]
            print(json.dumps(decoded(start, entries, pixels, framing)), flush=True)


if __name__ == "__main__":
    main()

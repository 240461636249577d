"""Where stores of decoded pictures are kept, which there are, and which have to go."""

from __future__ import annotations

import json
import shutil
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from mulligan import places

MOST_BYTES = 32 * 2**30
"""What all stores together may hold."""

PIXELS, FACTS = "pixels.bin", "facts.json"
Shape = tuple[int, int, int, int]


@dataclass(frozen=True)
class Shelved:
    """One store. used: when it was last, in seconds since 1970. source: what was packed."""

    key: str
    bytes: int
    used: float
    source: str
    shape: Shape


def folder() -> Path:
    """Where stores are kept, below the user's cache."""
    return places.cache_folder() / "pictures"


def stores() -> list[Shelved]:
    """Every store that can be read, the one used longest ago first."""
    found = []
    for path in folder().glob(f"*/{FACTS}"):
        with suppress(OSError, ValueError, KeyError, TypeError):
            facts, used = json.loads(path.read_text()), path.stat().st_mtime
            size = (path.parent / PIXELS).stat().st_size
            count, channels, height, width = facts["shape"]
            shape = (count, channels, height, width)
            source = str(facts["manifest"]["source"])
            found.append(Shelved(path.parent.name, size, used, source, shape))
    return sorted(found, key=lambda one: one.used)


def remove(key: str) -> bool:
    """Remove a store; whether that could be done. A run that is using it goes on."""
    with suppress(OSError):
        shutil.rmtree(folder() / key)
        (folder() / f"{key}.lock").unlink(missing_ok=True)
        return True
    return False


def trim(keep: str = "", most: int | None = None) -> int:
    """Remove the stores used longest ago until the rest is small enough; how many went.

    keep: one that stays. most: bytes, MOST_BYTES by default.
    """
    every = stores()
    total, gone = sum(one.bytes for one in every), 0
    for one in every:
        if total <= (MOST_BYTES if most is None else most):
            break
        if one.key != keep and remove(one.key):
            total, gone = total - one.bytes, gone + 1
    return gone

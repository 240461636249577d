"""Where the cache keeps what it knows of pictures, what there is, and what has to go.

A store, decoded pictures, is a folder KEY; KEY.npz is what is known of pictures that are streamed.
"""

from __future__ import annotations

import json
import shutil
import zipfile
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from filelock import FileLock, Timeout

from mulligan import places

MOST_BYTES = 32 * 2**30
"""What all of it together may take."""

PIXELS, FACTS, KNOWN = "pixels.bin", "facts.json", ".npz"
Shape = tuple[int, int, int, int]
Row = tuple[int, int, int]
"""Channels, height and width."""

UNREADABLE = (OSError, ValueError, KeyError, TypeError, EOFError, zipfile.BadZipFile)


@dataclass(frozen=True)
class Shelved:
    """One store, or what is known of streamed pictures.

    used: when it was last, in seconds since 1970. source: what was decoded. shape: of the pictures.
    """

    key: str
    bytes: int
    used: float
    source: str
    shape: Shape
    streamed: bool


def folder() -> Path:
    """Where stores are kept, below the user's cache."""
    return places.cache_folder() / "pictures"


def known(key: str) -> Path:
    """Where it stands what is known of streamed pictures."""
    return folder() / f"{key}{KNOWN}"


def stores() -> list[Shelved]:
    """All that can be read, what was used longest ago first."""
    found = []
    for path in folder().glob("[!.]*"):  # what begins with a dot is not whole yet
        with suppress(*UNREADABLE):
            if path.suffix == KNOWN or path.is_dir():
                found.append(_shelved(path))
    return sorted(found, key=lambda one: one.used)


def _shelved(path: Path) -> Shelved:
    facts, streamed = facts_of(path), path.suffix == KNOWN
    main, held = (path, path) if streamed else (path / FACTS, path / PIXELS)
    count, channels, height, width = facts["shape"]
    shape, source = (count, channels, height, width), str(facts["manifest"]["source"])
    size, used = held.stat().st_size, main.stat().st_mtime
    return Shelved(path.stem, size, used, source, shape, streamed)


def facts_of(path: Path) -> dict[str, Any]:
    """What is written beside the pictures. Raises one of UNREADABLE."""
    if path.suffix == KNOWN:
        with np.load(path, allow_pickle=False) as arrays:
            text = arrays["facts"].tobytes()
    else:
        text = (path / FACTS).read_bytes()
    facts: dict[str, Any] = json.loads(text)
    return facts


def remove(key: str) -> bool:
    """Remove a store; whether that could be done. A run that is using it goes on."""
    with suppress(OSError):
        for path in (folder() / key, known(key), folder() / f"{key}.lock"):
            _delete(path)
        return True
    return False


def sweep() -> None:
    """Remove what is of no use: drafts of processes that were killed, and what cannot be read."""
    whole = {one.key for one in stores()}
    for path in list(folder().glob("*")):
        key = path.name.removeprefix(".").partition(".")[0]
        if path.name.startswith(".") or key not in whole:
            lock = folder() / f"{key}.lock"
            with suppress(OSError, Timeout), FileLock(lock, timeout=0):  # nobody is writing it
                _delete(path)
                if key not in whole:
                    _delete(lock)


def trim(keep: str = "", most: int | None = None) -> int:
    """Remove the stores used longest ago until the rest is small enough; how many went.

    keep: one that stays. most: bytes, MOST_BYTES by default.
    """
    sweep()
    every = stores()
    total, gone = sum(one.bytes for one in every), 0
    for one in every:
        if total <= (MOST_BYTES if most is None else most):
            break
        if one.key != keep and remove(one.key):
            total, gone = total - one.bytes, gone + 1
    return gone


def _delete(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)

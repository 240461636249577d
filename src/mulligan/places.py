"""Where things lie outside a run. The only module that reads the environment.

`MULLIGAN_DATA` is a read-only folder of data sets (`mnist/`, `fashion-mnist/`, ...).
`MULLIGAN_CACHE` is where downloads go; by default the user's cache folder.
"""

from __future__ import annotations

import os
from pathlib import Path


def data_folder() -> Path | None:
    """The folder of data sets that the user already has, or None."""
    value = os.environ.get("MULLIGAN_DATA")
    return Path(value).expanduser() if value else None


def cache_folder() -> Path:
    """The folder for downloaded data; it need not exist yet."""
    if value := os.environ.get("MULLIGAN_CACHE"):
        return Path(value).expanduser()
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "mulligan"


def launched_ranks() -> tuple[int, int, int]:
    """(rank, world size, local rank) as torchrun set them; (0, 1, 0) without it."""
    get = os.environ.get
    return int(get("RANK", "0")), int(get("WORLD_SIZE", "1")), int(get("LOCAL_RANK", "0"))

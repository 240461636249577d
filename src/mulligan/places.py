"""Where things lie outside a run. The only module that reads the environment.

`MULLIGAN_DATA` is a read-only folder of data sets (`mnist/`, `fashion-mnist/`, ...).
`MULLIGAN_CACHE` is where downloads go; by default the user's cache folder.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

from mulligan.words import one_line

ADDRESS = re.compile(r"[a-z][a-z0-9+.-]+://|hf:", re.IGNORECASE)
SECRET = re.compile(r"(?<=://)[^/]*@|(?<=\?).*", re.DOTALL)
"""What stands before the host of an address, and its query."""


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


def ranks_here() -> int:
    """How many ranks torchrun started on this machine; 1 without it."""
    return int(os.environ.get("LOCAL_WORLD_SIZE", "1"))


def is_address(name: str) -> bool:
    """Whether data are named by an address, https://..., or as a set of Hugging Face, hf:..."""
    return ADDRESS.match(name) is not None


def shown(words: str) -> str:
    """Words in which an address may stand, without its password and signature, on one line."""
    return one_line(SECRET.sub("...", words) if "://" in words else words)


def is_found_anywhere(source: str) -> bool:
    """Whether the `source` of data is an address or an absolute path, and no sentence.

    The sentence of a named set may begin with the address that it was downloaded from.
    """
    return Path(source).is_absolute() or (is_address(source) and not source.endswith(" split"))

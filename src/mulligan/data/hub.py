"""hf:NAME or hf:NAME:PART: what the package datasets loads, from the Hugging Face Hub or a path.

Code that comes with data is never run: versions of the package that could are refused.
"""

from __future__ import annotations

import sys
from importlib import import_module
from importlib.metadata import version
from pathlib import Path
from typing import Any

from mulligan.data.saved import chosen, from_streams
from mulligan.data.sources import Source
from mulligan.errors import DataError
from mulligan.words import one_line

PREFIX = "hf:"
OLDEST = 4
"""The first version of datasets that runs no scripts."""


def parse(address: str) -> tuple[str, str]:
    """(name, part) of hf:NAME:PART; the part may be empty."""
    rest = address.removeprefix(PREFIX)
    name, sign, part = rest.rpartition(":")
    return (name, part) if sign else (rest, "")


def origin(address: str) -> str:
    """The same address, for any folder to start from."""
    name, part = parse(address)
    there = Path(name).expanduser()
    name = str(there.resolve()) if there.exists() else name
    return f"{PREFIX}{name}:{part}" if part else PREFIX + name


def from_hub(address: str) -> Source:
    """The rows of a data set that `datasets.load_dataset` finds.

    Says on stderr that it asks before it does. Raises DataError without the package, and for what
    cannot be had.
    """
    name, part = parse(address)
    datasets = _package()
    there = Path(name).expanduser()
    print(
        f"loading {one_line(name)} with the package datasets, which keeps it in its own cache; it "
        "may use the network",
        file=sys.stderr,
    )
    try:
        found = datasets.load_dataset(str(there) if there.exists() else name, split=part or None)
    except Exception as error:  # the package raises what its many parts raise
        words = " ".join(str(error).split())[:500] or type(error).__name__
        raise DataError(
            f"{address} cannot be had: {words}", "hf:NAME or hf:NAME:PART is right"
        ) from error
    note = ""
    if isinstance(found, dict):
        part, note = chosen(list(found))
        found = found[part]
    files = [Path(str(file["filename"])) for file in found.cache_files]
    if not files:
        raise DataError(f"{address} left no file in the cache of datasets")
    source = from_streams(files)
    source.notes += [note] if note else []
    return source


def _package() -> Any:
    try:
        found, release = import_module("datasets"), version("datasets")
    except ImportError as problem:
        raise DataError(
            f"data sets of Hugging Face need the package datasets: {problem}",
            "pip install 'mulligan[hf]'",
        ) from problem
    if int(release.split(".")[0]) < OLDEST:
        raise DataError(
            f"datasets {release} may run code that comes with data; {OLDEST} and newer do not",
            "pip install --upgrade 'mulligan[hf]'",
        )
    return found

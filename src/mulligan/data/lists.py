"""Pictures that are named one by one: by a pattern such as photos/**/*.png, or in a text file."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from itertools import takewhile
from pathlib import Path

from mulligan.data.sources import Entry, Source, open_regular, printable
from mulligan.errors import DataError

WILD = "*?["


def is_pattern(name: str) -> bool:
    """Whether these words are a pattern of file names."""
    return any(sign in name for sign in WILD)


def from_pattern(pattern: str) -> Source:
    """The files that match, in order of name; ** stands for any folders.

    A file's name, and so its class, is what follows the folders before the first wildcard.
    Raises DataError if nothing matches.
    """
    root = fixed_part(Path(pattern))
    files = [path for path in root.glob(str(Path(pattern).relative_to(root))) if path.is_file()]
    if not files:
        raise DataError(f"no file matches {pattern}", "quote it, so that the shell leaves it alone")
    return _source((path.relative_to(root).as_posix(), path) for path in files)


def from_list(path: Path) -> Source:
    """The files whose names stand in a text file, one a line; # begins a comment.

    Relative names start from the folder of the text file. Raises DataError for a file that cannot
    be read as text.
    """
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{path} is no list of file names: {error}") from error
    names = [line.strip() for line in lines]
    named = [name for name in names if name and not name.startswith("#")]
    return _source((name.lstrip("/"), path.parent / name) for name in named)


def fixed_part(pattern: Path) -> Path:
    """The folders before the first part that has a wildcard."""
    return Path(*takewhile(lambda part: not is_pattern(part), pattern.parts))


def _source(files: Iterable[tuple[str, Path]]) -> Source:
    source, seen = Source(), set()
    for name, path in files:
        if name in seen:
            source.skip(printable(name), "named twice")
            continue
        seen.add(name)
        try:
            found = path.stat()
        except OSError as error:
            source.skip(printable(name), f"cannot be opened: {error.strerror}")
            continue
        opener = partial(open_regular, path)
        source.add(Entry(printable(name), found.st_size, opener, found.st_mtime_ns))
    source.settle()
    return source

"""Pictures that are named one by one: by a pattern such as photos/**/*.png, or in a text file."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from itertools import chain, takewhile
from pathlib import Path

from mulligan.data.decode import why
from mulligan.data.index import How
from mulligan.data.sources import Entry, Shared, Source, open_below, open_regular, printable
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
    found = (path for path in root.glob(str(Path(pattern).relative_to(root))) if path.is_file())
    if (first := next(found, None)) is None:
        raise DataError(f"no file matches {pattern}", "quote it, so that the shell leaves it alone")
    names = (path.relative_to(root).as_posix() for path in chain([first], found))
    return _source((name, root) for name in names)


def from_list(path: Path) -> Source:
    """The files whose names stand in a text file, one a line; # begins a comment.

    Relative names start from the folder of the text file. Raises DataError for a file that cannot
    be read as text.
    """
    roots = (path.parent, Path("/"))
    try:
        with path.open(encoding="utf-8-sig") as lines:
            names = (line.strip() for line in lines)
            named = (name for name in names if name and not name.startswith("#"))
            return _source((name.lstrip("/"), roots[name.startswith("/")]) for name in named)
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{path} is no list of file names: {error}") from error


def fixed_part(pattern: Path) -> Path:
    """The folders before the first part that has a wildcard."""
    return Path(*takewhile(lambda part: not is_pattern(part), pattern.parts))


def _source(files: Iterable[tuple[str, Path]]) -> Source:
    """files: the name of each, and the folder below which it lies."""
    source = Source(twice="named twice")
    hows: dict[Path, How] = {}
    for raw, root in files:
        name, path = printable(raw), root / raw
        try:
            found = path.stat()
        except (OSError, ValueError) as error:
            source.skip(name, f"cannot be opened: {why(error)}")
            continue
        how = hows.setdefault(root, partial(open_below, root))
        opener = Shared(how, name, found.st_size) if name == raw else partial(open_regular, path)
        source.add(Entry(name, found.st_size, opener, found.st_mtime_ns))
    source.settle()
    return source

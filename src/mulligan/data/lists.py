"""Files that are named one by one: by a pattern such as photos/**/*.png, or in a text file.

A pattern may also count or list in braces, train-{000..012}.tar or {cat,dog}/*.png.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from itertools import takewhile
from pathlib import Path

from mulligan.data.decode import why
from mulligan.data.index import How
from mulligan.data.packed import Words
from mulligan.data.sources import Entry, Shared, Source, open_below, open_regular, printable
from mulligan.errors import DataError
from mulligan.places import shown

WILD = "*?["
BRACES = re.compile(r"\{(?:(\d{1,9})\.\.(\d{1,9})|([^{}/]*,[^{}/]*))\}")
MOST_NAMES = 100_000  # that braces stand for


def is_pattern(name: str) -> bool:
    """Whether these words are a pattern of file names."""
    return is_wild(name) or BRACES.search(name) is not None


def is_wild(name: str) -> bool:
    """Whether a wildcard stands in these words."""
    return any(sign in name for sign in WILD)


def expand(pattern: str) -> list[str]:
    """The names that the braces of a pattern stand for, in order; the last braces change first.

    {000..012} counts, with leading zeros as the first number has them; {a,b} lists. Raises
    DataError for more than 100,000 names.
    """
    names = [""]
    pieces = BRACES.split(pattern)
    for place in range(0, len(pieces), 4):
        names = [name + pieces[place] for name in names]
        if place + 1 < len(pieces):
            words = _words(pieces[place + 1], pieces[place + 2], pieces[place + 3])
            if len(words) * len(names) > MOST_NAMES:
                raise DataError(f"{shown(pattern)} stands for more than {MOST_NAMES:,} names")
            names = [name + word for name in names for word in words]
    return names


def _words(first: str | None, last: str | None, listed: str | None) -> Sequence[str]:
    if first is None or last is None:
        return (listed or "").split(",")
    low, high = int(first), int(last)
    if abs(high - low) >= MOST_NAMES:
        raise DataError(f"{{{first}..{last}}} counts more than {MOST_NAMES:,} names")
    numbers = range(low, high + 1) if low <= high else range(low, high - 1, -1)
    width = len(first) if first.startswith("0") else 0
    return [f"{number:0{width}d}" for number in numbers]


def matching(pattern: str) -> tuple[Path, Sequence[str]]:
    """A folder, and the name below it of each file that matches; ** stands for any folders.

    A file's name, and so its class, is what follows the folders before the first part that is not
    fixed. A name without wildcards is in the answer whether it is there or not, if one is.
    Raises DataError if nothing matches.
    """
    root = fixed_part(Path(pattern))
    expanded = expand(str(Path(pattern).relative_to(root)))
    found, there = Words(), False
    known = set[str]()  # braces may stand for a file twice, one wildcard alone does not
    for words in expanded:
        wild = is_wild(words)
        for path in _glob(root, words) if wild else [root / words]:
            is_file = path.is_file()
            name = path.relative_to(root).as_posix()
            if name in known or (wild and not is_file):
                continue
            there = there or is_file
            found.append(name)
            if len(expanded) > 1:
                known.add(name)
    if not there:
        raise DataError(f"no file matches {pattern}", "quote it, so that the shell leaves it alone")
    return root, found


def _glob(root: Path, words: str) -> Iterator[Path]:
    try:
        yield from root.glob(words)
    except ValueError as error:  # **.png, where Python 3.13 takes ** for *
        raise DataError(f"{words} is no pattern: {error}", "**/*.png is right") from error


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
            return from_files((name.lstrip("/"), roots[name.startswith("/")]) for name in named)
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{path} is no list of file names: {error}") from error


def fixed_part(pattern: Path) -> Path:
    """The folders before the first part that has a wildcard."""
    return Path(*takewhile(lambda part: not is_pattern(part), pattern.parts))


def from_files(files: Iterable[tuple[str, Path]]) -> Source:
    """The pictures among these files, in order of name.

    files: the name of each, and the folder below which it lies.
    """
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

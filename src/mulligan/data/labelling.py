"""The class of each picture: from a file that lists them, or from the folders they lie in.

`dataset.json` is {"labels": [[file, index], ...], "classes": [name, ...]}; tables of any other kind
are `labels` or `metadata`, as .csv or .jsonl, with a column for the file and one for its class.
"""

from __future__ import annotations

import csv
import io
import json
import re
from array import array
from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import takewhile
from pathlib import PurePosixPath
from typing import Any

from mulligan.data.decode import UNREADABLE, why
from mulligan.data.index import Entry
from mulligan.errors import DataError
from mulligan.words import one_line

MOST_CLASSES = 100_000
MOST_DIGITS = 1000  # of the number of a class; Python reads 4,300
MOST_PARTS = 4
"""Folders such as train/train/cat of which the first ones are parts, one in the other."""

FILE_COLUMNS = ("file_name", "filename", "file", "image", "path", "name", "id")
CLASS_COLUMNS = ("label", "class", "target", "category", "labels")

SPLITS = {"train", "training", "val", "valid", "validation", "test", "testing"}
"""Names of folders that say what part of a data set lies in them."""

DOMAIN = re.compile("(train|val|test)[A-Z]")
"""Folders of two unpaired kinds of pictures, such as trainA and testB."""

Classes = tuple[Sequence[int], tuple[str, ...]]
"""The class of each file, and the names of the classes."""


def class_of_each(entry: Entry | None, files: Iterable[str], notes: list[str]) -> Classes | None:
    """The class of each file, or None without labels; what the user should know goes to `notes`.

    entry: the file that lists the classes, if there is one; without it the first folders below
    those that all files share are the classes. Raises DataError for a list that cannot be read.
    """
    if entry is None:
        return _by_folder(files, notes)
    try:
        content = entry.read()
        table, given = _read(content, entry.name)
    except DataError:
        raise
    except (*UNREADABLE, RecursionError, csv.Error) as error:
        raise DataError(f"{entry.name} cannot be read: {why(error)}") from error
    if table is None:
        return None
    files = list(files)
    found = _matched(table, files)
    if missing := [file for file, value in zip(files, found, strict=True) if value is None]:
        notes.append(
            f"no labels: {entry.name} lists no class for {len(missing)} pictures, such as "
            f"{missing[0]}"
        )
        return None
    return _numbered([value for value in found if value is not None], given, entry.name)


def _by_folder(files: Iterable[str], notes: list[str]) -> Classes | None:
    """What the folders say, of which there are few for many files: only they are looked at."""
    known: dict[str, int] = {}
    which = array("i", (known.setdefault(file.rpartition("/")[0], len(known)) for file in files))
    if (found := _of_folders(list(known), notes)) is None:
        return None
    classes, names = found
    return array("i", (classes[folder] for folder in which)), names


def _of_folders(folders: list[str], notes: list[str], parts: int = 0) -> Classes | None:
    """The class of each of these folders, which hold all the files; parts: folders cut off."""
    tops = _top_folders(folders)
    splits = set(tops)
    if len(splits) > 1 and {top.lower() for top in splits} <= SPLITS and parts < MOST_PARTS:
        notes.append(
            f"the folders {', '.join(sorted(splits))} are parts, not classes; all are used"
        )
        pairs = zip(folders, tops, strict=True)
        within = [f"{a}/".replace(f"{top}/", "", 1)[:-1] for a, top in pairs]
        return _of_folders(within, notes, parts + 1)
    if splits and all(map(DOMAIN.fullmatch, tops)):
        named = ", ".join(sorted(splits))
        notes.append(f"the folders {named} are parts of the classes that end them; all are used")
        tops = [top[-1] for top in tops]
    names = tuple(sorted(set(tops)))
    if len(names) < 2:
        return None
    if "" in names:
        notes.append("no labels: some pictures lie in sub-folders, others beside them")
        return None
    position = {name: index for index, name in enumerate(names)}
    return [position[top] for top in tops], names


def _top_folders(folders: list[str]) -> list[str]:
    """The first part of each, below the folders that all share; "" for none."""
    parts = [folder.split("/") if folder else [] for folder in folders]
    levels = takewhile(lambda level: len(set(level)) == 1, zip(*parts, strict=False))
    shared = sum(1 for _ in levels)
    return [part[shared] if len(part) > shared else "" for part in parts]


def _read(content: bytes, file: str) -> tuple[dict[str, str] | None, Any]:
    """What is listed, class by file, and the names of the classes where they are given."""
    text = content.decode("utf-8-sig")
    suffix = PurePosixPath(file).suffix.lower()
    if suffix == ".csv":
        return _from_csv(text, file), None
    if suffix == ".jsonl":
        rows = [json.loads(line) for line in text.splitlines() if line.strip()]
        return _from_rows(rows, file), None
    whole = json.loads(text)
    if not isinstance(whole, dict) or whole.get("labels") is None:
        return None, None
    return _indices(whole["labels"], file), whole.get("classes") or ()


def _from_csv(text: str, file: str) -> dict[str, str]:
    rows = [row for row in csv.reader(io.StringIO(text)) if row]
    if not rows:
        raise DataError(f"{file} is empty", "a line a picture is right: name,class")
    heads = [word.strip().lower() for word in rows[0]]
    if _column(heads, FILE_COLUMNS) is not None and _column(heads, CLASS_COLUMNS) is not None:
        return _from_rows([dict(zip(heads, row, strict=False)) for row in rows[1:]], file)
    if {len(row) for row in rows} != {2}:
        raise DataError(
            f"{file} has no columns for the file and its class",
            f"head them file_name and label, or give two columns alone; its first line is "
            f"{', '.join(rows[0])!r}",
        )
    return _table(((row[0], row[1]) for row in rows), file)


def _from_rows(rows: Sequence[Any], file: str) -> dict[str, str]:
    pairs = []
    for row in rows:
        lower = {str(key).lower(): v for key, v in row.items()} if isinstance(row, dict) else {}
        columns = [_column(lower, wanted) for wanted in (FILE_COLUMNS, CLASS_COLUMNS)]
        values = [lower[name] for name in columns if name is not None]
        if len(values) < 2 or not all(isinstance(value, (str, int)) for value in values):
            raise DataError(
                f"{file} has the row {str(row)[:100]}",
                'a name and one class are right: {"file_name": "a.png", "label": "cat"}',
            )
        pairs.append((str(values[0]), str(values[1])))
    return _table(pairs, file)


def _column(names: Iterable[str], wanted: Sequence[str]) -> str | None:
    return next((name for name in wanted if name in names), None)


def _indices(pairs: Any, file: str) -> dict[str, str]:
    rows = list(pairs.items()) if isinstance(pairs, dict) else pairs
    if not isinstance(rows, list):
        raise DataError(f"{file} has labels that are neither a list nor a table")
    for row in rows:
        right = isinstance(row, (list, tuple)) and len(row) == 2
        right = right and isinstance(row[0], str) and type(row[1]) is int
        if not right or not 0 <= row[1] < MOST_CLASSES:
            raise DataError(
                f"{file} has the label {str(row)[:100]}; [file name, class index] is right"
            )
    return {row[0]: str(row[1]) for row in rows}


def _table(pairs: Iterable[tuple[str, str]], file: str) -> dict[str, str]:
    table: dict[str, str] = {}
    for name, value in pairs:
        name, value = one_line(name.strip()), one_line(value.strip())
        name = name.replace("\\", "/").removeprefix("./")
        if table.setdefault(name, value) != value:
            raise DataError(f"{file} gives {name} two classes, {table[name]} and {value}")
    return table


def _matched(table: dict[str, str], files: list[str]) -> list[str | None]:
    """The class of each file: by its whole name, or by a part of it that only one file has."""
    for short in (lambda file: file, _basename, _stem):
        once = Counter(map(short, files))
        found = [table.get(short(file)) if once[short(file)] == 1 else None for file in files]
        if any(value is not None for value in found):
            return found
    return [None] * len(files)


def _basename(file: str) -> str:
    return PurePosixPath(file).name


def _stem(file: str) -> str:
    return PurePosixPath(file).stem


def is_number(word: str) -> bool:
    """Whether a class is called by its number; what has more digits than can be read is a word."""
    return len(word) <= MOST_DIGITS and word.isascii() and word.isdigit()


def _numbered(values: list[str], given: Any, file: str) -> Classes:
    """Positions, and names: those given, all numbers up to the highest, or the words in order."""
    if given is None and not all(map(is_number, values)):
        names = tuple(sorted(set(values)))
        if len(names) > MOST_CLASSES:
            raise DataError(f"{file} has {len(names)} classes; {MOST_CLASSES} at most are read")
        position = {name: index for index, name in enumerate(names)}
        return [position[value] for value in values], names
    indices = [int(value) for value in values]
    if max(indices) >= MOST_CLASSES:
        raise DataError(f"{file} has the class {max(indices)}; below {MOST_CLASSES} is right")
    return indices, _names(given, max(indices), file)


def _names(given: Any, highest: int, file: str) -> tuple[str, ...]:
    if not given:
        return tuple(str(index) for index in range(highest + 1))
    if not isinstance(given, list) or not all(isinstance(name, str) for name in given):
        raise DataError(f"{file} has classes that are not a list of names")
    given = [one_line(name) for name in given]
    if len(set(given)) != len(given) or highest >= len(given):
        raise DataError(
            f"{file} names {len(set(given))} different classes, its labels go up to {highest}"
        )
    return tuple(given)

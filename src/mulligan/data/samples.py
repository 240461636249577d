"""The samples of a WebDataset tar: members that share a key are one, a picture and its class.

The key is the name up to the first dot of its last part. The class stands in KEY.cls, a whole
number or a word, or in KEY.json under one of the usual keys.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from io import BytesIO
from pathlib import PurePosixPath

from mulligan.data.labelling import CLASS_COLUMNS, is_number
from mulligan.data.sources import Entry, Source

MOST_SIDE = 1 << 20  # bytes of a .cls or .json
MOST_WORD = 1000  # characters of a class
SIDES = (".json", ".cls")
"""The later one counts where a sample has both."""


def key_of(name: str) -> str:
    """What the members of one sample have in common."""
    folder, _, base = name.rpartition("/")
    return f"{folder}/{base.partition('.')[0]}"


def is_side(name: str) -> bool:
    """Whether a member may hold the class of a sample."""
    return PurePosixPath(name).suffix.lower() in SIDES


class Samples:
    """The members of one tar that are no pictures, until it is known which samples there are."""

    def __init__(self) -> None:
        self.sides: dict[str, dict[str, str | None]] = {side: {} for side in SIDES}
        self.others: dict[str, Entry] = {}

    def take(self, entry: Entry, content: bytes | None) -> None:
        """Keep a member of a new name. content: of a .cls or .json that is short enough."""
        self.others[entry.name] = entry
        suffix = PurePosixPath(entry.name).suffix.lower()
        if content is not None:
            self.sides[suffix][key_of(entry.name)] = _class_in(content, suffix)

    def settle(self, source: Source) -> dict[str, str]:
        """The class of each picture that has one; what belongs to no picture goes to the source."""
        if not self.others:
            return {}  # a million pictures without samples cost nothing here
        keys = set(map(key_of, source.pictures.names()))
        unused: Counter[str] = Counter()
        for entry in self.others.values():
            key, suffix = key_of(entry.name), PurePosixPath(entry.name).suffix.lower()
            if key not in keys:
                source.add(entry)  # which says why it is of no use
            elif self.sides.get(suffix, {}).get(key) is None:
                unused[suffix] += 1
        for suffix, count in unused.items():
            source.skip(f"*{suffix}", f"{count} parts of samples, neither picture nor class")
        classes = ((name, self._class_of(key_of(name))) for name in source.pictures.names())
        return {name: word for name, word in classes if word is not None}

    def _class_of(self, key: str) -> str | None:
        found = [self.sides[side].get(key) for side in reversed(SIDES)]
        return next((word for word in found if word is not None), None)


def as_list(title: str, table: Mapping[str, str], names: Sequence[str] | None = None) -> Entry:
    """A file that lists these classes, in the form of dataset.json, as if it lay beside the data.

    table: class by file, words or whole numbers. names: what the numbers are called, if known.
    """
    words = sorted(set(table.values()))
    if not all(map(is_number, words)):
        place = {word: index for index, word in enumerate(words)}
        rows, names = [[file, place[word]] for file, word in table.items()], words
    else:
        rows = [[file, int(word)] for file, word in table.items()]
    content = json.dumps({"labels": rows, "classes": list(names or ())}).encode()
    return Entry(title, len(content), lambda: BytesIO(content))


def _class_in(content: bytes, suffix: str) -> str | None:
    try:
        text = content.decode("utf-8-sig")
        found = _class_in_json(text) if suffix == ".json" else text.strip()
    except (ValueError, RecursionError):
        return None
    return found if found and len(found) <= MOST_WORD else None


def _class_in_json(text: str) -> str | None:
    whole = json.loads(text)
    if not isinstance(whole, dict):
        return None
    lower = {str(key).lower(): value for key, value in whole.items()}
    value = next((lower[name] for name in CLASS_COLUMNS if name in lower), None)
    if isinstance(value, bool) or not isinstance(value, (str, int)):
        return None
    return str(value).strip()

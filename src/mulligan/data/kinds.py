"""Which kind of source a place is: folder, archive, list, pattern, shards, tables, address."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path, PurePosixPath
from urllib.parse import urlsplit

from mulligan.data import hub, parquet, saved, shards, urls
from mulligan.data.lists import fixed_part, from_files, from_list, is_pattern, matching
from mulligan.data.sources import Source, from_folder, from_zip
from mulligan.data.tars import from_tar, is_tar
from mulligan.places import is_address
from mulligan.words import one_line

Place = Path | str
"""Where pictures are: a path or a pattern of paths; an address or a name of Hugging Face as str."""


def place_of(name: str) -> Place:
    """The place that these words mean."""
    return name if is_address(name) else Path(name).expanduser()


def source_of(place: Place) -> Source:
    """The pictures of a place, whatever it is. Raises DataError where nothing can be read."""
    if isinstance(place, str):
        return hub.from_hub(place) if place.startswith(hub.PREFIX) else urls.from_url(place)
    if is_pattern(str(place)) and not place.exists():
        return _of_files(*matching(str(place)))
    if place.is_dir():
        return _of_folder(place)
    if parquet.is_parquet(place):
        return parquet.from_files([(place.name, place)])
    if place.suffix.lower() == ".txt":
        return from_list(place)
    return from_tar(place) if is_tar(place) else from_zip(place)


def _of_files(root: Path, names: Sequence[str]) -> Source:
    if all(is_tar(Path(name)) for name in names):
        return shards.from_files(sorted((name, root / name) for name in names))
    if all(parquet.is_parquet(Path(name)) for name in names):
        return parquet.from_files([(name, root / name) for name in names])
    return from_files((name, root) for name in names)


def _of_folder(folder: Path) -> Source:
    if saved.is_saved(folder):
        return saved.from_saved(folder)
    if tars := shards.in_folder(folder):
        return shards.from_files(tars)
    if tables := parquet.in_folder(folder):
        return parquet.from_files(tables)
    return from_folder(folder)


def origin(place: Place) -> str:
    """The same place, for any folder to start from."""
    if isinstance(place, str):
        return hub.origin(place) if place.startswith(hub.PREFIX) else place
    return str(place.resolve())


def called(place: Place) -> str:
    """What the data are called: the folder's name, or the file's without its kind."""
    if isinstance(place, str):
        return one_line(_last_words(place))
    if is_pattern(str(place)) and not place.exists():
        place = fixed_part(place)
    return one_line(place.resolve().name if place.is_dir() else _stem(place))


def _last_words(address: str) -> str:
    """The last part of an address that is fixed, without its kind."""
    if address.startswith(hub.PREFIX):
        return PurePosixPath(hub.parse(address)[0]).name
    path = urls.path_in(address)
    if is_pattern(str(path)):
        path = fixed_part(path)
    return _stem(path) or urlsplit(address).netloc.rpartition("@")[2]


def _stem(path: Path) -> str:
    return Path(path.stem).stem if path.stem.endswith(".tar") else path.stem

"""Which kind of source a place is: folder, archive, list, pattern, shards, tables."""

from __future__ import annotations

from pathlib import Path

from mulligan.data import parquet, shards
from mulligan.data.lists import fixed_part, from_files, from_list, is_pattern, matching
from mulligan.data.sources import Source, from_folder, from_zip
from mulligan.data.tars import from_tar, is_tar


def source_of(path: Path) -> Source:
    """The pictures of a folder, an archive, a list, a pattern, shards.

    Raises DataError where nothing can be read.
    """
    if is_pattern(str(path)) and not path.exists():
        files = matching(str(path))
        if all(is_tar(file) for _, file in files):
            return shards.from_files(files)
        if all(parquet.is_parquet(file) for _, file in files):
            return parquet.from_files(files)
        return from_files(files)
    if path.is_dir():
        return _of_folder(path)
    if parquet.is_parquet(path):
        return parquet.from_files([(path.name, path)])
    if path.suffix.lower() == ".txt":
        return from_list(path)
    return from_tar(path) if is_tar(path) else from_zip(path)


def _of_folder(path: Path) -> Source:
    if tars := shards.in_folder(path):
        return shards.from_files(tars)
    if tables := parquet.in_folder(path):
        return parquet.from_files(tables)
    return from_folder(path)


def called(path: Path) -> str:
    """What the data are called: the folder's name, or the file's without its kind."""
    if is_pattern(str(path)) and not path.exists():
        path = fixed_part(path)
    if path.is_dir():
        return path.resolve().name
    return Path(path.stem).stem if path.stem.endswith(".tar") else path.stem

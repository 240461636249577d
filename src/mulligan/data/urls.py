"""Tars at addresses: https://..., s3://..., with braces, and wildcards where files can be listed.

What will be read is said on stderr before anything is asked for. http and https need no package,
everything else is read by fsspec.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from mulligan.data import shards
from mulligan.data.lists import expand, is_wild
from mulligan.data.ranges import Kept, Other, Web, attempt, call, holder
from mulligan.data.sources import Source
from mulligan.data.tars import Holder, is_tar
from mulligan.errors import DataError
from mulligan.places import shown

MOST_SAID = 20  # addresses that are named one by one


def from_url(address: str) -> Source:
    """The members of the tars at an address, in order of name.

    Raises DataError for an address that is no tar's, for tars that cannot be read, and for a
    missing package; Unreachable for a place that does not answer.
    """
    _say(address)
    found = [one for name in expand(address) for one in _listed(name)]
    for one in found:
        if not is_tar(path_in(one)):
            raise DataError(
                f"{shown(one)} is no tar by its name",
                "of what lies at addresses tars are read; download anything else",
            )
    if found != [address]:
        for one in found[:MOST_SAID]:
            _say(one)
        if len(found) > MOST_SAID:
            print(f"... and {len(found) - MOST_SAID} more", file=sys.stderr)
    kept, pairs = Kept(), zip(_short(found), found, strict=True)
    return shards.from_shards([(name, partial(_holder, name, one, kept)) for name, one in pairs])


def path_in(address: str) -> Path:
    """The folders and the file of an address, as a path, without a password."""
    if is_web(address):
        return Path(urlsplit(address).path)
    host, slash, path = address.partition("://")[2].partition("/")
    return Path(host.rpartition("@")[2] + slash + path)


def is_web(address: str) -> bool:
    """Whether this is an address of http or https."""
    return address.lower().startswith(("http://", "https://"))


def _say(address: str) -> None:
    print(f"reading {shown(address)}", file=sys.stderr)


def _listed(address: str) -> list[str]:
    """The addresses that a wildcard stands for; the address itself if it has none."""
    if is_web(address):
        try:
            path = str(path_in(address))
        except ValueError as error:
            raise DataError(f"{shown(address)} is no address: {error}") from error
        if "*" in path:
            raise DataError(
                f"{shown(address)} has a wildcard, and http cannot list files",
                "count in braces: train-{0000..0012}.tar",
            )
        return [address]
    if not is_wild(address):
        return [address]
    files, path = _file_system(address)
    try:
        found = attempt(shown(address), partial(call, files, "glob", path))
    except OSError as error:
        raise DataError(f"{shown(address)} cannot be listed: {shown(str(error))}") from error
    if not found:
        raise DataError(f"no file matches {shown(address)}")
    return sorted(str(files.unstrip_protocol(one)) for one in found)


def _holder(name: str, address: str, kept: Kept) -> Holder:
    if is_web(address):
        return holder(name, Web(address), kept)
    return holder(name, Other(*_file_system(address)), kept)


def _file_system(address: str) -> tuple[Any, str]:
    """(file system, path in it) of fsspec."""
    try:
        files, path = import_module("fsspec.core").url_to_fs(address)
    except ImportError as problem:
        raise DataError(
            f"{shown(address)} needs a package: {problem}",
            "pip install 'mulligan[remote]', and what fsspec asks for",
        ) from problem
    except ValueError as error:
        raise DataError(f"{shown(address)} is no address that fsspec knows: {error}") from error
    return files, str(path)


def _short(addresses: Sequence[str]) -> list[str]:
    """The addresses without the folders that all share."""
    parts = [path_in(address).parts for address in addresses]
    shared = 0
    while all(len(p) > shared + 1 and p[shared] == parts[0][shared] for p in parts):
        shared += 1
    return ["/".join(p[shared:]) for p in parts]

"""The first look at pictures that will be streamed: each is decoded once, hashed and let go.

So their manifest, their held-out rows and what cannot be decoded are those of the same pictures in
memory. What was found is kept in the cache, 12 bytes a picture and 8 for its class.
"""

from __future__ import annotations

import json
import os
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from mulligan.data import shelf, store
from mulligan.data.dataset import begun_sha256
from mulligan.data.decode import UNREADABLE, why
from mulligan.data.index import Index
from mulligan.data.shelf import Shape
from mulligan.data.stream import Read, row_hash
from mulligan.data.threads import in_chunks

PIECE = 1 << 22  # bytes of pixels that a thread hands over at a time


@dataclass(frozen=True)
class Look:
    """What was seen. broken: places that cannot be decoded, and why. hashes: (N,), by `row_hash`.
    sha256: as `content_sha256` of the pixels and labels, if nothing is broken."""

    broken: dict[int, str]
    hashes: NDArray[np.uint64]
    sha256: str


@dataclass(frozen=True)
class Known:
    """What the cache knows of streamed pictures. places: theirs in the source. facts: JSON."""

    places: NDArray[np.int32]
    hashes: NDArray[np.uint64]
    labels: Tensor | None
    facts: dict[str, Any]


def look_at(entries: Index, read: Read, shape: Shape, label: Tensor | None) -> Look:
    """Decode all of them, in threads and in order; shape is that of all rows together."""
    digest = begun_sha256(label, shape)
    hashes, broken = np.zeros(len(entries), dtype=np.uint64), dict[int, str]()

    def work(start: int, stop: int) -> list[bytes | str]:
        found: list[bytes | str] = []
        for entry in entries[start:stop]:
            try:
                found.append(read(entry).tobytes())
            except UNREADABLE as error:
                found.append(why(error))
        return found

    size, place = int(np.prod(shape[1:])), 0
    with store.progress(len(entries)) as more:
        for part in in_chunks(work, len(entries), max(1, min(64, PIECE // size))):
            for found in part:
                if isinstance(found, str):
                    broken[place] = found
                else:
                    hashes[place] = row_hash(found)
                    digest.update(found)
                place += 1
            more(len(part))
    return Look(broken, hashes, digest.hexdigest())


def write(key: str, known: Known) -> None:
    """Keep it under this key; a cache that cannot be written costs the next opening time."""
    path = shelf.known(key)
    part = path.with_name(f".{key}.{os.getpid()}.npz")
    arrays: dict[str, Any] = {"places": known.places, "hashes": known.hashes}
    if known.labels is not None:
        arrays["labels"] = known.labels.numpy()
    arrays["facts"] = np.frombuffer(json.dumps(known.facts).encode(), dtype=np.uint8)
    with suppress(OSError):
        try:
            np.savez(part, allow_pickle=False, **arrays)
            part.replace(path)
            shelf.trim(keep=key)
        finally:
            part.unlink(missing_ok=True)


def recall(key: str) -> Known | None:
    """What is kept under this key, or None."""
    try:
        path = shelf.known(key)
        with np.load(path, allow_pickle=False) as arrays:
            facts = json.loads(arrays["facts"].tobytes())
            label = torch.from_numpy(arrays["labels"]) if "labels" in arrays.files else None
            known = Known(arrays["places"], arrays["hashes"], label, facts)
        if not facts["shape"][0] == len(known.places) == len(known.hashes):
            return None
    except (*UNREADABLE, AttributeError):
        return None
    with suppress(OSError):
        os.utime(path)
    return known

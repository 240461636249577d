"""Rows and figures of real data, computed once: kept by what they were made of, so never stale.

A file of rows is named by a hash of the samples' bytes, the extractor's weights and code, and the
resize mode; it begins with a hash of its content. One that is damaged, or cannot be written, costs
time and nothing else.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable
from contextlib import suppress
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

import torch
from safetensors.torch import load, save
from torch import Tensor

from mulligan import evaluation, features, metrics, places
from mulligan.disk import replace
from mulligan.evaluation.lens import Lens, Rows
from mulligan.metrics.figure import Figure

MOST_BYTES = 2 * 2**30
"""What the folder may hold; the files that were used longest ago go first."""


def folder() -> Path:
    """Where rows are kept, below the user's cache."""
    return places.cache_folder() / "features"


def cached_rows(lens: Lens, values: Tensor) -> Rows:
    """As `lens.rows`, from the cache where they are there.

    values: uint8 (N, C, H, W), or (N, dims) points, which are never kept: they cost nothing.
    """
    if lens.extractor is None:
        return lens.rows(values)
    path = folder() / f"{_key(lens, values)}.rows"
    found = _read(path, len(values))
    if found is None:
        found = lens.rows(values)
        _write(path, found)
    return found


def _key(lens: Lens, values: Tensor) -> str:
    shape = f"{values.dtype} {tuple(values.shape)}"
    head = f"{_code(features)} {lens.name} {lens.digest} {lens.resize} {shape}\n"
    digest = hashlib.sha256(head.encode())
    digest.update(values.contiguous().reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()[:40]


def _read(path: Path, count: int) -> Rows | None:
    try:
        content = _opened(path)
    except OSError:
        return None
    if content is None:
        return None
    with suppress(OSError):  # a folder that may only be read
        os.utime(path)
    tensors = load(content)
    rows = Rows(tensors["features"], tensors["probabilities"])
    return rows if len(rows) == count else None


def _write(path: Path, rows: Rows) -> None:
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    tensors = {"features": rows.features, "probabilities": rows.probabilities}
    content = save({name: tensor.contiguous() for name, tensor in tensors.items()})
    with suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            part.write_bytes(_sealed(content))
            part.replace(path)
        finally:
            part.unlink(missing_ok=True)
        _trim(path.parent)


def _sealed(content: bytes) -> bytes:
    return hashlib.sha256(content).digest() + content


def _opened(path: Path) -> bytes | None:
    """What was sealed into this file; None if a bit of it has changed. Raises OSError."""
    content = path.read_bytes()
    return content[32:] if _sealed(content[32:]) == content else None


def cached_figures(protocol: dict[str, Any], make: Callable[[], list[Figure]]) -> list[Figure]:
    """The figures of real rows against real rows under this protocol, made once.

    protocol: all that they depend on, plain JSON. The code that computes them counts as well.
    """
    text = json.dumps([protocol, _code(metrics), _code(evaluation)], sort_keys=True)
    path = folder() / f"{hashlib.sha256(text.encode()).hexdigest()[:40]}.figures"
    with suppress(OSError):
        if content := _opened(path):
            return [Figure.from_json(entry) for entry in json.loads(content)]
    figures = make()
    with suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        replace(path, _sealed(json.dumps([figure.to_json() for figure in figures]).encode()))
    return figures


@cache
def _code(package: ModuleType) -> str:
    """A hash of the arithmetic: figures of another version are not those of this one."""
    digest = hashlib.sha256()
    for source in sorted(Path(str(package.__file__)).parent.glob("*.py")):
        digest.update(source.read_bytes())
    return digest.hexdigest()


def _trim(home: Path) -> None:
    files = sorted(home.glob("*.rows"), key=lambda file: file.stat().st_mtime)
    total = sum(file.stat().st_size for file in files)
    for file in files[:-1]:
        if total <= MOST_BYTES:
            return
        total -= file.stat().st_size
        file.unlink()

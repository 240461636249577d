"""mnist, fashion-mnist and kmnist: the IDX format, gzipped."""

from __future__ import annotations

import gzip
import math
import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from mulligan.data.dataset import DataSet, build
from mulligan.data.download import file_sha256, obtain
from mulligan.data.remote import REMOTE
from mulligan.errors import DataError
from mulligan.fields import Image, Label

LARGEST = 1 << 30  # bytes of one array: MNIST has 47 million
PREFIXES = {"train": "train", "test": "t10k"}
CLASSES: dict[str, tuple[str, ...]] = {
    "mnist": tuple("0123456789"),
    "fashion-mnist": (
        "T-shirt/top",
        "trouser",
        "pullover",
        "dress",
        "coat",
        "sandal",
        "shirt",
        "sneaker",
        "bag",
        "ankle boot",
    ),
    "kmnist": ("o", "ki", "su", "tsu", "na", "ha", "ma", "ya", "re", "wo"),
}


def open_idx(name: str, split: str) -> DataSet:
    """mnist, fashion-mnist or kmnist: 28x28 grey, labelled, in the original order."""
    prefix = PREFIXES[split]
    paths = [
        obtain(name, f"{prefix}-images-idx3-ubyte.gz"),
        obtain(name, f"{prefix}-labels-idx1-ubyte.gz"),
    ]
    images, label = read_idx(paths[0], 3), read_idx(paths[1], 1)
    names = CLASSES[name]
    if len(images) != len(label):
        raise DataError(f"{paths[0]} has {len(images)} images, {paths[1]} has {len(label)} labels")
    if len(label) == 0 or label.max() >= len(names):
        raise DataError(f"{paths[1]} has no labels, or one above {len(names) - 1}")
    files, notes = known_files(name, paths)
    return build(
        name,
        {"real": Image(1, images.shape[1], images.shape[2]), "label": Label(names)},
        {
            "real": torch.from_numpy(images)[:, None],  # (N, 1, H, W)
            "label": torch.from_numpy(label.astype(np.int64)),
        },
        source=f"{REMOTE[name][paths[0].name].urls[0]} and labels, {split} split",
        files=files,
        notes=notes,
    )


def known_files(name: str, paths: list[Path]) -> tuple[list[dict[str, Any]], list[str]]:
    """The manifest's entries for files of a named set, and a note for each altered one."""
    files, notes = [], []
    for path in paths:
        sha256 = file_sha256(path)
        files.append({"file": path.name, "bytes": path.stat().st_size, "sha256": sha256})
        if sha256 != REMOTE[name][path.name].sha256:
            notes.append(f"{path} is not the original file of {name} (its sha256 is {sha256})")
    return files, notes


def read_idx(path: Path, dims: int) -> NDArray[np.uint8]:
    """The one array of a gzipped IDX file, uint8 with `dims` dimensions.

    Raises DataError where magic number, sizes or length are not exactly right.
    """
    try:
        with gzip.open(path, "rb") as stream:
            header = stream.read(4 + 4 * dims)
            if len(header) < 4 + 4 * dims:
                raise DataError(f"{path} ends inside its header")
            magic, *shape = struct.unpack(f">{dims + 1}I", header)
            if magic != 0x800 + dims:
                raise DataError(
                    f"{path} starts with {magic:#010x}, an IDX file of {dims} dimensions of "
                    f"bytes starts with {0x800 + dims:#010x}"
                )
            size = math.prod(shape)
            if size > LARGEST:
                raise DataError(f"{path} claims {size} bytes, at most {LARGEST} are read")
            content = stream.read(size + 1)
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(f"{path} cannot be read: {error}", "delete it and get it again") from error
    if len(content) != size:
        found = "more" if len(content) > size else f"only {len(content)}"
        raise DataError(f"{path} should hold {size} bytes after its header, it holds {found}")
    return np.frombuffer(bytearray(content), dtype=np.uint8).reshape(shape)

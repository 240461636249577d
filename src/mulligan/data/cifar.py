"""cifar10 and cifar100: the authors' binary version, read from its tar.gz without unpacking it."""

from __future__ import annotations

import tarfile
import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from mulligan.data.dataset import DataSet, build
from mulligan.data.download import obtain
from mulligan.data.idx import known_files
from mulligan.data.remote import REMOTE
from mulligan.errors import DataError
from mulligan.fields import Image, Label

PIXELS = 3 * 32 * 32
MOST_MEMBERS, LARGEST_OTHER = 64, 1 << 20  # what a stranger's archive may hold beside the pictures


@dataclass(frozen=True)
class Layout:
    """Where the pictures lie in an archive.

    splits: the members of each split, in order. records: pictures in each member.
    label_bytes: bytes before the pixels of a record, the last of which is the class.
    """

    archive: str
    splits: dict[str, tuple[str, ...]]
    records: dict[str, int]
    label_bytes: int
    names: str
    classes: int


LAYOUTS = {
    "cifar10": Layout(
        "cifar-10-binary.tar.gz",
        {
            "train": tuple(f"cifar-10-batches-bin/data_batch_{k}.bin" for k in range(1, 6)),
            "test": ("cifar-10-batches-bin/test_batch.bin",),
        },
        {"train": 10_000, "test": 10_000},
        1,
        "cifar-10-batches-bin/batches.meta.txt",
        10,
    ),
    "cifar100": Layout(
        "cifar-100-binary.tar.gz",
        {"train": ("cifar-100-binary/train.bin",), "test": ("cifar-100-binary/test.bin",)},
        {"train": 50_000, "test": 10_000},
        2,
        "cifar-100-binary/fine_label_names.txt",
        100,
    ),
}


def open_cifar(name: str, split: str) -> DataSet:
    """cifar10, or cifar100 with its 100 fine classes: 32x32 colour, in the original order."""
    layout = LAYOUTS[name]
    path = obtain(name, layout.archive)
    images, label, names = read_cifar(path, layout, split)
    files, notes = known_files(name, [path])
    return build(
        name,
        {"real": Image(3, 32, 32), "label": Label(names)},
        {"real": images, "label": label},
        source=f"{REMOTE[name][layout.archive].urls[0]}, {split} split",
        files=files,
        notes=notes,
    )


def read_cifar(path: Path, layout: Layout, split: str) -> tuple[Tensor, Tensor, tuple[str, ...]]:
    """Images, uint8 (N, 3, 32, 32), labels, int64 (N,), and class names.

    Raises DataError where a member is missing, of another size, or no plain file.
    """
    record = layout.label_bytes + PIXELS
    size = layout.records[split] * record
    members = layout.splits[split]
    held = _members(path, {*members, layout.names}, dict.fromkeys(members, size))
    rows = np.frombuffer(b"".join(held[member] for member in members), dtype=np.uint8)
    rows = rows.reshape(-1, record)
    label = torch.from_numpy(rows[:, layout.label_bytes - 1].astype(np.int64))
    names = tuple(held[layout.names].decode("ascii", "replace").split())
    if len(names) != layout.classes:
        raise DataError(f"{path} names {len(names)} classes, there should be {layout.classes}")
    if label.max() >= layout.classes:
        raise DataError(f"{path} has label {int(label.max())}, above {layout.classes - 1}")
    images = torch.from_numpy(rows[:, layout.label_bytes :].copy()).view(-1, 3, 32, 32)
    return images, label, names


def _members(path: Path, wanted: set[str], sizes: dict[str, int]) -> dict[str, bytes]:
    held: dict[str, bytes] = {}
    try:
        with tarfile.open(path, "r|gz") as archive:
            for position, member in enumerate(archive):
                name = member.name.removeprefix("./")
                if position >= MOST_MEMBERS or name in held:
                    raise DataError(f"{path} is no archive of CIFAR: too many or repeated members")
                if name in wanted:
                    held[name] = _content(archive, member, sizes.get(name), path)
                if len(held) == len(wanted):
                    break
    except (OSError, EOFError, tarfile.TarError, zlib.error) as error:
        raise DataError(f"{path} cannot be read: {error}", "delete it and get it again") from error
    if missing := sorted(wanted - set(held)):
        raise DataError(f"{path} lacks {', '.join(missing)}", "get the binary version of the set")
    return held


def _content(
    archive: tarfile.TarFile, member: tarfile.TarInfo, size: int | None, path: Path
) -> bytes:
    right = member.size == size if size else member.size <= LARGEST_OTHER
    stream = archive.extractfile(member) if member.isreg() and right else None
    if stream is None:
        raise DataError(f"{path}: {member.name} has {member.size} bytes, expected {size} of a file")
    content = stream.read()
    if len(content) != member.size:
        raise DataError(f"{path} ends inside {member.name}", "delete it and get it again")
    return content

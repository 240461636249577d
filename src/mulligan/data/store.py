"""Decoded pictures in the cache, mapped into memory: packed once, shared by runs, never half there.

A store is a folder named by what it was made of: names, sizes and times of the files, the content
of some, the plan (size, channels, framing), and the code that decodes. It is written under another
name and renamed when it is whole. Batches are gathered from the mapped file, whose pages belong to
the system and not to the process.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import shutil
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import PIL
import torch
from filelock import FileLock
from numpy.typing import NDArray
from torch import Tensor

from mulligan.data import decode, framing, labelling, shelf
from mulligan.data.framing import Framing
from mulligan.data.packed import evenly
from mulligan.data.shelf import FACTS, PIXELS, Row, Shape, folder, known, trim
from mulligan.data.sources import Source

LEAST = 500
"""Pictures from which on a store pays: fewer are decoded in a second or two."""

SPOTS = 8
"""Pictures whose content is part of the name of a store."""

LABELS = "labels.bin"


@dataclass(frozen=True)
class Kept:
    """What a store holds. pixels: uint8 (N, C, H, W), mapped. labels: int64 (N,) or None. facts:
    plain JSON."""

    pixels: Tensor
    labels: Tensor | None
    facts: dict[str, Any]


def files_of(source: Source, framing: Framing) -> str:
    """What is common to the names of all stores of these files, whatever size they are kept in."""
    digest = hashlib.sha256(f"{_code()} {PIL.__version__} {framing}\n".encode())
    for entry in source.pictures:
        line = f"{entry.name}\0{entry.size}\0{entry.stamp}\n"
        digest.update(line.encode("utf-8", "surrogatepass"))
    for skip in source.skipped:
        digest.update(f"{skip['file']}\0{skip['reason']}\n".encode("utf-8", "surrogatepass"))
    # names, sizes and times are all alike where what packs or copies files sets them
    spots = [source.pictures[place] for place in evenly(len(source.pictures), SPOTS)]
    for entry in [*spots, *([source.labels] if source.labels else [])]:
        with suppress(*decode.UNREADABLE):  # the error is said where the file is used
            digest.update(entry.read())
    return digest.hexdigest()[:32]


def key_of(files: str, row: Row) -> str:
    """The name of the store of these files with pictures of this shape."""
    return hashlib.sha256(f"{files} {row}".encode()).hexdigest()[:8] + files


def own(files: str) -> Row | None:
    """The shape that these pictures get where nobody asks for another; None if no store says."""
    for path in folder().glob(f"[!.]*{files}*"):
        with suppress(*shelf.UNREADABLE):
            channels, height, width = map(int, shelf.facts_of(path)["own"])
            return channels, height, width
    return None


@cache
def _code() -> str:
    """A hash of the code that decides what a store holds."""
    files = [Path(str(module.__file__)) for module in (decode, framing, labelling)]
    return hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest()


@contextmanager
def alone(key: str) -> Iterator[None]:
    """Inside, nobody else packs the same files; where no lock can be had, they may."""
    try:
        folder().mkdir(parents=True, exist_ok=True)
        lock = FileLock(folder() / f"{key}.lock")
        lock.acquire()
    except OSError:  # a cache that may only be read
        yield
        return
    try:
        yield
    finally:
        lock.release()


def read(key: str) -> Kept | None:
    """What the store of this name holds, or None if there is none that is whole."""
    home = folder() / key
    try:
        facts = json.loads((home / FACTS).read_text())
        shape: Shape = tuple(facts["shape"])
        size = int(np.prod(shape))
        if (home / PIXELS).stat().st_size != size:
            return None
        pixels = torch.from_file(str(home / PIXELS), shared=False, size=size, dtype=torch.uint8)
        label = None
        if "label" in facts["fields"]:
            label = torch.from_numpy(np.fromfile(home / LABELS, np.int64).reshape(shape[0]))
    except (OSError, ValueError, KeyError, TypeError, RuntimeError):
        return None
    with suppress(OSError):
        os.utime(home / FACTS)
    return Kept(pixels.view(shape), label, facts)


class Draft:
    """A store that is being written: pixels to fill, then `publish`."""

    def __init__(self, key: str, shape: Shape) -> None:
        """Raises OSError where the disk has no room for it, or may not be written."""
        self.home, self.target = folder() / f".{key}.{os.getpid()}", folder() / key
        size = int(np.prod(shape))
        for old in folder().glob(f".{key}.*"):  # of one that was killed: the lock is ours
            shutil.rmtree(old, ignore_errors=True)
        self.home.mkdir(parents=True, exist_ok=True)
        try:
            if reason := lacks_room(size):
                raise OSError(reason)
            self.pixels = np.memmap(self.home / PIXELS, np.uint8, "w+", shape=shape)
            _reserve(self.home / PIXELS, size)
        except BaseException:
            self.drop()
            raise

    def compact(self, good: Sequence[int] | NDArray[np.int32]) -> NDArray[np.uint8]:
        """The rows that decoded, moved together; the disk gets them while they are hashed."""
        if len(good) < len(self.pixels):
            for place, row in enumerate(good):  # downwards only: nothing is overwritten before use
                if place != row:
                    self.pixels[place] = self.pixels[row]
        aside = ThreadPoolExecutor(1)
        self.written = aside.submit(_to_disk, self.home / PIXELS)
        aside.shutdown(wait=False)
        return self.pixels[: len(good)]

    def publish(self, count: int, facts: dict[str, Any], label: Tensor | None) -> Kept | None:
        """Keep the first `count` rows, and give the store its name. None if that failed.

        label: int64 (count,), in a file of their own: as JSON a million took 100 MB.
        """
        shape = (count, *self.pixels.shape[1:])
        del self.pixels
        with suppress(OSError):
            os.truncate(self.home / PIXELS, int(np.prod(shape)))
            if label is not None:
                label.numpy().tofile(self.home / LABELS)
            (self.home / FACTS).write_text(json.dumps({**facts, "shape": shape}))
            self.written.result()
            _to_disk(self.home / PIXELS)
            shutil.rmtree(self.target, ignore_errors=True)
            self.home.rename(self.target)
            known(self.target.name).unlink(missing_ok=True)  # they are not streamed any more
            trim(keep=self.target.name)
            return read(self.target.name)
        self.drop()
        return None

    def drop(self) -> None:
        """Remove what was written so far."""
        shutil.rmtree(self.home, ignore_errors=True)


def lacks_room(size: int) -> str:
    """Why the cache has no room for so many bytes of pixels; empty if it has."""
    if size > shelf.MOST_BYTES:
        return (
            f"{size / 1e9:.1f} GB are more than the cache may hold, {shelf.MOST_BYTES / 1e9:.1f} GB"
        )
    place = next((at for at in (folder(), *folder().parents) if at.exists()), folder())
    with suppress(OSError):
        if shutil.disk_usage(place).free < size + (size >> 4):
            return f"{size / 1e9:.1f} GB do not fit on the disk of {folder()}"
    return ""


def _to_disk(path: Path) -> None:
    """Wait until the disk has it. Raises OSError if it cannot."""
    with path.open("rb+") as file:
        os.fsync(file.fileno())


def _reserve(path: Path, size: int) -> None:
    """Take the room on the disk now: a page that finds none later ends the process (SIGBUS).

    Raises OSError if there is none. File systems that cannot promise it are believed.
    """
    if not hasattr(os, "posix_fallocate"):
        return
    with path.open("rb+") as file:
        try:
            os.posix_fallocate(file.fileno(), 0, size)
        except OSError as error:
            if error.errno not in (errno.EOPNOTSUPP, errno.EINVAL):
                raise


@contextmanager
def progress(count: int) -> Iterator[Callable[[int], None]]:
    """Say on the terminal how many of `count` pictures are decoded; told how many more are."""
    done, said = 0, time.monotonic()

    def more(number: int) -> None:
        nonlocal done, said
        done += number
        if time.monotonic() - said > 0.5:
            said = time.monotonic()
            print(f"\rpacking {done:,}/{count:,} pictures", end="", file=sys.stderr, flush=True)

    shown = sys.stderr.isatty()
    yield more if shown else lambda number: None
    if shown:
        print(f"\r{'':60}\r", end="", file=sys.stderr, flush=True)

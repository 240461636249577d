"""Processes that decode side by side: threads would wait for each other's turn in Python.

They take plain files below one folder, for a store's mapped pixels. Whatever else there is, and
whatever a process that has ended leaves behind, is decoded by the threads that ask.
"""

from __future__ import annotations

import json
import queue
import subprocess
import sys
import threading
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mulligan.data.framing import Framing
from mulligan.data.index import Entry, Shared
from mulligan.data.sources import open_below
from mulligan.data.threads import workers
from mulligan.data.worker import Failures, decoded

LEAST = 2_000
"""Pictures from which on it pays to start processes, a fifth of a second each."""

MOST = 4
"""Processes; each may have a picture of 64 megapixels in hand."""


class Workers:
    """Decodes chunks of files into pixels, uint8 (N, C, H, W). Use it in a `with`."""

    def __init__(self, pixels: NDArray[np.uint8], framing: Framing, count: int) -> None:
        """count: pictures that there are, of which it depends whether processes pay."""
        self.pixels, self.framing = pixels, framing
        self.idle: queue.SimpleQueue[subprocess.Popen[str]] = queue.SimpleQueue()
        self.started: list[subprocess.Popen[str]] = []
        mapped = isinstance(pixels, np.memmap) and pixels.filename is not None
        self.wanted = min(MOST, workers()) if mapped and count >= LEAST and workers() > 1 else 0
        self.root: Path | None = None
        self.starting = threading.Lock()

    def __enter__(self) -> Workers:
        return self

    def __exit__(self, *error: object) -> None:
        for child in self.started:
            child.kill()
            child.wait()
            for pipe in (child.stdin, child.stdout):
                with suppress(OSError):
                    pipe.close()  # type: ignore[union-attr]

    def decode(self, start: int, entries: Sequence[Entry]) -> Failures:
        """Fill the rows from `start` on; called by several threads, each with its chunk."""
        if (root := _folder_of(entries)) is not None and self._ready(root):
            with suppress(queue.Empty, OSError, ValueError):
                return self._asked(start, entries)
        return decoded(start, list(entries), self.pixels, self.framing)

    def _ready(self, root: Path) -> bool:
        """Whether there are processes for this folder; the first call starts them."""
        with self.starting:
            if self.root is None and self.wanted:
                self.root = root
                for _ in range(self.wanted):
                    self._start(root)
        return root == self.root

    def _start(self, root: Path) -> None:
        assert isinstance(self.pixels, np.memmap)
        told = {"root": str(root), "pixels": str(self.pixels.filename)}
        told |= self.framing.values()
        call = [sys.executable, "-m", "mulligan.data.worker"]
        with suppress(OSError):  # no room for a process: the threads do it
            child = subprocess.Popen(
                call,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                text=True,
            )
            self.started.append(child)
            assert child.stdin is not None
            child.stdin.write(json.dumps({**told, "shape": self.pixels.shape}) + "\n")
            self.idle.put(child)

    def _asked(self, start: int, entries: Sequence[Entry]) -> Failures:
        """What a process answers. Raises queue.Empty, OSError or ValueError if none does."""
        child = self.idle.get_nowait()
        assert child.stdin is not None
        assert child.stdout is not None
        asked = [start, [entry.name for entry in entries], [entry.size for entry in entries]]
        child.stdin.write(json.dumps(asked) + "\n")
        child.stdin.flush()
        found = [
            (row, reason, passing) for row, reason, passing in json.loads(child.stdout.readline())
        ]
        self.idle.put(child)
        return found


def _folder_of(entries: Sequence[Entry]) -> Path | None:
    """The folder below which all these files lie and are opened by name; None if there is none."""
    roots = set()
    for entry in entries:
        how = entry.open.how if isinstance(entry.open, Shared) else None
        if getattr(how, "func", None) is not open_below:
            return None
        roots.add(how.args[0])  # type: ignore[union-attr]
    return roots.pop() if len(roots) == 1 else None

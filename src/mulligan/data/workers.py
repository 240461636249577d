"""Processes that look at files, and decode, side by side: threads would wait for each other's turn.

They take plain files below one folder, and decode them into a store's mapped pixels. Whatever else
there is, and whatever a process that has ended leaves behind, is done by the threads that ask.
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
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mulligan.data.framing import Framing
from mulligan.data.index import Entry, Shared
from mulligan.data.sources import open_below
from mulligan.data.threads import workers
from mulligan.data.worker import Failures, Header, decoded, headers, mapped_from

LEAST = 2_000
"""Pictures from which on it pays to start processes, a fifth of a second each."""

MOST = 4
"""Processes; each may have a picture of 64 megapixels in hand."""


class Workers:
    """Reads headers of chunks of files, and decodes them into pixels. Use it in a `with`."""

    def __init__(self, count: int) -> None:
        """count: pictures that there are, of which it depends whether processes pay."""
        self.idle: queue.SimpleQueue[subprocess.Popen[str]] = queue.SimpleQueue()
        self.started: list[subprocess.Popen[str]] = []
        self.wanted = min(MOST, workers()) if count >= LEAST and workers() > 1 else 0
        self.root: Path | None = None
        self.starting = threading.Lock()
        self.into: dict[str, Any] = {}

    def __enter__(self) -> Workers:
        return self

    def __exit__(self, *error: object) -> None:
        for child in self.started:
            child.kill()
            child.wait()
            for pipe in (child.stdin, child.stdout):
                with suppress(OSError):
                    pipe.close()  # type: ignore[union-attr]

    def headers(self, entries: Sequence[Entry]) -> list[Header]:
        """What the header of each says; called by several threads, each with its chunk."""
        found = self._asked(entries, {})
        return headers(entries) if found is None else found

    def fill(self, pixels: NDArray[np.uint8], framing: Framing) -> None:
        """Where `decode` puts its rows: uint8 (N, C, H, W), and how they get that shape."""
        self.pixels, self.framing = pixels, framing
        if (file := mapped_from(pixels)) is not None:
            self.into = {"pixels": str(file), "shape": pixels.shape, **framing.values()}
            for child in self.started:
                with suppress(OSError):  # it has ended
                    _tell(child, self.into)

    def decode(self, start: int, entries: Sequence[Entry]) -> Failures:
        """Fill the rows from `start` on; called by several threads, each with its chunk."""
        found = self._asked(entries, {"start": start}) if self.into else None
        return decoded(start, entries, self.pixels, self.framing) if found is None else found

    def _ready(self, root: Path) -> bool:
        """Whether there are processes for this folder; the first call starts them."""
        with self.starting:
            if self.root is None and self.wanted:
                self.root = root
                for _ in range(self.wanted):
                    self._start(root)
        return root == self.root

    def _start(self, root: Path) -> None:
        with suppress(OSError):  # no room for a process: the threads do it
            child = subprocess.Popen(
                [sys.executable, "-m", "mulligan.data.worker"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                text=True,
            )
            self.started.append(child)
            _tell(child, {"root": str(root)})
            if self.into:
                _tell(child, self.into)
            self.idle.put(child)

    def _asked(self, entries: Sequence[Entry], more: dict[str, int]) -> list[Any] | None:
        """What a process answers; None if there is none for these files, or it has ended."""
        if not self.wanted:
            return None
        entries = list(entries)  # an index makes them anew each time
        root = _folder_of(entries)
        if root is None or not self._ready(root):
            return None
        names, sizes = [entry.name for entry in entries], [entry.size for entry in entries]
        with suppress(queue.Empty, OSError, ValueError):
            child = self.idle.get_nowait()
            _tell(child, {**more, "names": names, "sizes": sizes})
            assert child.stdout is not None
            found = [tuple(one) for one in json.loads(child.stdout.readline())]
            self.idle.put(child)
            return found
        return None


def _tell(child: subprocess.Popen[str], what: dict[str, Any]) -> None:
    assert child.stdin is not None
    child.stdin.write(json.dumps(what) + "\n")
    child.stdin.flush()


def _folder_of(entries: Sequence[Entry]) -> Path | None:
    """The folder below which all these files lie and are opened by name; None if there is none."""
    roots = set()
    for entry in entries:
        how = entry.open.how if isinstance(entry.open, Shared) else None
        if getattr(how, "func", None) is not open_below:
            return None
        roots.add(how.args[0])  # type: ignore[union-attr]
    return roots.pop() if len(roots) == 1 else None

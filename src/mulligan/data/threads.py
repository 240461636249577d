"""Work on many things in threads, a few chunks ahead: a million tasks at once would fill memory."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

T = TypeVar("T")

CHUNK = 64  # things a task: one task each would cost more than a tiny picture
AHEAD = 4
"""Tasks a thread that are under way or wait to be taken."""


def workers() -> int:
    """Threads that decode at a time."""
    return min(8, os.cpu_count() or 1)


def in_chunks(work: Callable[[int, int], T], count: int, chunk: int = CHUNK) -> Iterator[T]:
    """work(start, stop) for the chunks of 0..count, in order."""
    waiting: deque[Future[T]] = deque()
    with ThreadPoolExecutor(workers()) as pool:
        try:
            for start in range(0, count, chunk):
                waiting.append(pool.submit(work, start, min(start + chunk, count)))
                if len(waiting) > AHEAD * workers():
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            for future in waiting:
                future.cancel()

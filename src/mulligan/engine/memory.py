"""Freed memory that stays with the process, in large pages: a round on a processor reuses it.

By default glibc gives large blocks back to the system as they are freed. A round of a small network
then takes thousands of page faults, a tenth of its time.
"""

from __future__ import annotations

import ctypes
import mmap
import sys
from contextlib import suppress
from functools import lru_cache
from pathlib import Path

M_TRIM_THRESHOLD, M_TOP_PAD, M_MMAP_THRESHOLD = -1, -2, -3  # of mallopt(3)
KEPT = 1 << 30  # bytes of freed memory that stay
AHEAD = 1 << 29  # bytes that the heap grows by: untouched, they cost no memory
LARGEST = 1 << 25  # the most that glibc allows: larger blocks are mapped one by one


@lru_cache(maxsize=1)
def keep_freed_memory() -> bool:
    """Ask the allocator to keep what is freed, once a process; whether it could be asked.

    Only on Linux with glibc; elsewhere nothing happens.
    """
    if not sys.platform.startswith("linux"):
        return False
    with suppress(OSError, AttributeError, ValueError):
        libc = ctypes.CDLL(None)
        libc.gnu_get_libc_version  # noqa: B018  other libraries have no such name, or no mallopt
        for name, value in (
            (M_MMAP_THRESHOLD, LARGEST), (M_TRIM_THRESHOLD, KEPT), (M_TOP_PAD, AHEAD),
        ):  # fmt: skip
            libc.mallopt(name, value)
        _in_large_pages(libc)
        return True
    return False


def _in_large_pages(libc: ctypes.CDLL) -> None:
    """Grow the heap once, and let the kernel back it by pages of 2 MB where it allows that."""
    libc.malloc.restype = ctypes.c_void_p
    libc.free.argtypes = [ctypes.c_void_p]
    libc.free(libc.malloc(ctypes.c_size_t(LARGEST - (1 << 16))))
    for line in Path("/proc/self/maps").read_text().splitlines():
        if line.endswith("[heap]"):
            start, end = (int(word, 16) for word in line.split()[0].split("-"))
            first = -(-start // mmap.PAGESIZE) * mmap.PAGESIZE
            advice = getattr(mmap, "MADV_HUGEPAGE", 14)
            libc.madvise(ctypes.c_void_p(first), ctypes.c_size_t(end - first), advice)

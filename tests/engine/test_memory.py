"""Freed memory stays with the process: the allocator's own books say where blocks come from."""

from __future__ import annotations

import json
import platform
import subprocess
import sys

import pytest

from mulligan.engine.memory import keep_freed_memory

BLOCK = 30 << 20
ASK = f"""
import ctypes, json
from mulligan.engine.memory import keep_freed_memory

class Books(ctypes.Structure):  # mallinfo2(3)
    _fields_ = [(name, ctypes.c_size_t) for name in (
        "arena", "ordblks", "smblks", "hblks", "hblkhd", "usmblks", "fsmblks", "uordblks",
        "fordblks", "keepcost")]

libc = ctypes.CDLL(None)
libc.malloc.restype = ctypes.c_void_p
libc.free.argtypes = [ctypes.c_void_p]
libc.mallinfo2.restype = Books

def mapped_and_kept():
    first = libc.mallinfo2()
    blocks = [libc.malloc(ctypes.c_size_t({BLOCK})) for _ in range(3)]
    taken = libc.mallinfo2()
    for block in blocks:
        libc.free(block)
    return taken.hblkhd - first.hblkhd, libc.mallinfo2().arena

print(json.dumps([mapped_and_kept(), keep_freed_memory(), mapped_and_kept()]))
"""


def has_books() -> bool:
    library, release = platform.libc_ver()
    return library == "glibc" and tuple(map(int, release.split("."))) >= (2, 33)


@pytest.mark.skipif(not has_books(), reason="mallinfo2 came with glibc 2.33")
def test_large_blocks_come_from_the_heap_and_stay_there() -> None:
    done = subprocess.run(
        [sys.executable, "-c", ASK], capture_output=True, text=True, check=True, timeout=120
    )
    (mapped, kept), asked, (mapped_then, kept_then) = json.loads(done.stdout)
    assert asked
    assert mapped >= 3 * BLOCK  # each mapped by itself, and given back when freed
    assert kept < 3 * BLOCK
    assert mapped_then == 0
    assert kept_then >= 3 * BLOCK  # though nothing is in use


def test_asking_twice_or_elsewhere_does_no_harm(monkeypatch: pytest.MonkeyPatch) -> None:
    assert keep_freed_memory() == keep_freed_memory()
    monkeypatch.setattr(sys, "platform", "darwin")
    assert keep_freed_memory.__wrapped__() is False

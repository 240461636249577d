"""Whether decoded pictures fit into memory: into half of what is free now."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

GROUP = Path("/sys/fs/cgroup")
"""Where Linux says what a container may take, and takes."""

SHARE = 0.5
"""Of the free memory that pictures may take: networks, optimizers and the system need some."""


def free_memory() -> int | None:
    """Bytes that can be had without swapping, within the limit of a container; None if unknown."""
    found = []
    with suppress(OSError, ValueError, IndexError):  # Linux
        text = Path("/proc/meminfo").read_text()
        found.append(int(text.split("MemAvailable:")[1].split()[0]) * 1024)
    with suppress(OSError, ValueError):  # "max" without a limit
        limit = int((GROUP / "memory.max").read_text())
        taken = int((GROUP / "memory.current").read_text()) - _of_files()
        found.append(max(0, limit - taken))
    if not found:
        with suppress(AttributeError, ValueError, OSError):  # macOS knows only the whole
            found.append(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"))
    return min(found, default=None)


def _of_files() -> int:
    """Bytes of a container that are copies of files, which the system drops where it needs room."""
    words = (GROUP / "memory.stat").read_text().split()
    stat = dict(zip(words[::2], words[1::2], strict=False))
    return int(stat.get("inactive_file", 0)) + int(stat.get("active_file", 0))


def too_large(size: int) -> str:
    """Why so many bytes of pictures are not held in memory; empty if they may be."""
    free = free_memory()
    if free is None or size <= SHARE * free:
        return ""
    return f"{size / 1e9:.1f} GB are more than half of the free memory, {free / 1e9:.1f} GB"

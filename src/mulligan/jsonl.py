"""Append-only logs: one JSON object a line, one write a line, the truth of a run.

A crash can leave a torn last line, and rows of rounds that will be played again. Neither is ever
edited away: readers leave them out. `mend` cuts a torn line before a writer goes on.
"""

from __future__ import annotations

import json
import math
import os
from errno import ENOSPC
from pathlib import Path
from typing import Any

RESUME = "resume"
"""{"event": "resume", "round": N}: what stands before it with a round above N did not count."""


def append(path: Path, row: dict[str, Any]) -> None:
    """Append one line in one write; a line that does not fit on the disk leaves no trace.

    Raises OSError, and ValueError for a number that is not finite.
    """
    line = (json.dumps(row, allow_nan=False) + "\n").encode()
    handle = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o666)
    try:
        written = os.write(handle, line)
        if written < len(line):
            os.ftruncate(handle, os.fstat(handle).st_size - written)
            raise OSError(ENOSPC, os.strerror(ENOSPC))
    finally:
        os.close(handle)


def read(path: Path) -> list[dict[str, Any]]:
    """The lines as objects, in order; none without the file.

    A line that has no end, or is no JSON object (power was lost while it was written), is left
    out. Raises OSError.
    """
    try:
        lines = path.read_bytes().split(b"\n")[:-1]
    except FileNotFoundError:
        return []
    rows = [_parse(line) for line in lines]
    return [row for row in rows if row is not None]


def _parse(line: bytes) -> dict[str, Any] | None:
    try:
        row = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return row if isinstance(row, dict) else None


def without_undone(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The rows that count: none with a round above that of a resume that comes later."""
    limit = math.inf
    kept = []
    for row in reversed(rows):
        at = row.get("round")
        if not isinstance(at, int | float):
            kept.append(row)
            continue
        if at <= limit:
            kept.append(row)
        if row.get("event") == RESUME:
            limit = min(limit, at)
    return kept[::-1]


def mend(path: Path) -> None:
    """Cut off a torn last line, so that the next one starts fresh. Raises OSError."""
    if not path.exists():
        return
    content = path.read_bytes()
    whole = content.rfind(b"\n") + 1
    if whole < len(content):
        os.truncate(path, whole)

"""A process that opens damaged pictures, and says what became of them: one row of JSON a format.

python opened_mutants.py COUNT SEED BATCH; guarded by limits, as it may be fed anything.
"""

from __future__ import annotations

import json
import logging
import resource
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from data.mutants import SUFFIX, lay_mutants
from mulligan.data import worker, workers
from mulligan.data.open import open_data

GUARD = 3 << 30  # bytes of address space beyond what the libraries take
slowest = 0.0


def status(word: str) -> int:
    text = Path("/proc/self/status").read_text()
    return int(text.split(f"{word}:")[1].split()[0]) * 1024


def timed(plain: Callable[..., Any]) -> Callable[..., Any]:
    """The same, with the processor time of the slowest call kept in `slowest`."""

    def call(*given: Any) -> Any:
        global slowest
        began = time.thread_time()
        try:
            return plain(*given)
        finally:
            slowest = max(slowest, time.thread_time() - began)

    return call


def row(kind: str, path: Path, before: int) -> dict[str, Any]:
    """What opening this folder gave. Raises AssertionError where a file is unaccounted for."""
    global slowest
    slowest = 0.0
    files = {file.name for file in path.iterdir()}
    data = open_data(str(path), size=(16, 16), channels=3)
    decoded = {file["file"] for file in data.manifest["files"]}
    skipped = {skip["file"]: skip["reason"] for skip in data.manifest["skipped"]}
    assert len(data) == len(decoded)
    assert not decoded & set(skipped)
    assert decoded | set(skipped) == files
    assert all(skipped.values())
    assert data.arrays["real"].shape == (len(decoded), 3, 16, 16)
    return {
        "format": kind,
        "files": len(files),
        "decoded": len(decoded),
        "reasons": Counter(skipped.values()),
        "slowest": slowest,
        "memory": status("VmHWM") - before,
    }


def main(count: int, seed: int, batch: int) -> None:
    logging.disable(logging.CRITICAL)
    resource.setrlimit(resource.RLIMIT_AS, (status("VmSize") + GUARD,) * 2)
    workers.LEAST = 10**9  # in this process, whose memory and time are watched
    worker.decode, worker.read_header = timed(worker.decode), timed(worker.read_header)
    open_data("digits")
    Path("/proc/self/clear_refs").write_text("5")
    before = status("VmRSS")
    for start in range(0, count, batch):
        with tempfile.TemporaryDirectory() as place:
            lay_mutants(Path(place) / "all", min(batch, count - start), seed + start)
            for kind in SUFFIX:
                print(json.dumps(row(kind, Path(place) / "all" / kind, before)), flush=True)


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))

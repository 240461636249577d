"""What does an index of very many files cost?

Folders of 1,000 pictures each (hard links to a few real ones) are opened as data sets are: they are
listed and put in order, the key of their store is made, every header is read, and each picture gets
its class and its place in the manifest. Nothing is decoded. A process of its own does this; its
anonymous memory (`RssAnon`, what the process itself has allocated) is read every few milliseconds,
and what stood there before is taken away. The aim is less than 200 MB for a million files.

    python benchmarks/index.py        Linux; writes docs/results/index.md; needs a million inodes
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from memory import anonymous
from mulligan.data.decode import quiet_decoders
from mulligan.data.framing import Framing
from mulligan.data.headers import surveyed
from mulligan.data.kinds import source_of
from mulligan.data.labelling import class_of_each
from mulligan.data.store import files_of
from mulligan.data.workers import Workers
from reporting import hardware, write_page

COUNTS = (100_000, 1_000_000)
EACH = 1000
"""Files of a folder; each file system has a limit to the links of one file."""

AIM = 200
STEPS = {
    "listed": "listed and put in order",
    "key": "key of the store",
    "headers": "every header read",
    "described": "classes and manifest",
}


def lay(root: Path, count: int) -> None:
    """`count` files in folders of EACH: links to a picture of the folder."""
    draw = np.random.default_rng(0)
    for start in range(0, count, EACH):
        folder = root / f"class-{start // EACH:04d}"
        folder.mkdir(parents=True)
        first = folder / f"picture-{start:07d}.png"
        Image.fromarray(draw.integers(0, 256, (16, 16, 3), dtype=np.uint8)).save(first)
        for place in range(start + 1, min(start + EACH, count)):
            (folder / f"picture-{place:07d}.png").hardlink_to(first)


class Watch(threading.Thread):
    """The most anonymous memory that this process had, in KB."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.most, self.pid = 0.0, int(Path("/proc/self").readlink().name)

    def run(self) -> None:
        while True:
            self.most = max(self.most, anonymous(self.pid))
            time.sleep(0.005)


def opened(root: Path) -> dict[str, Any]:
    """Seconds of each step, and the peak and the rest of memory in MB over that before."""
    watch = Watch()
    before = anonymous(watch.pid)
    watch.start()
    taken: dict[str, float] = {}

    def timed(step: str, work: Callable[[], Any]) -> Any:
        start = time.perf_counter()
        made = work()
        taken[step] = time.perf_counter() - start
        return made

    source = timed("listed", lambda: source_of(root))
    with closing(source), quiet_decoders():
        timed("key", lambda: files_of(source, Framing()))
        with Workers(len(source.pictures)) as hands:
            kept, _ = timed("headers", lambda: surveyed(source, hands))
        found = timed("described", lambda: (class_of_each(None, kept.names(), []), kept.listed()))
        held = anonymous(watch.pid) - before
    classes, names = found[0]
    assert len(kept) == len(classes)
    assert len(names) == max(classes) + 1
    return {**taken, "peak": (watch.most - before) / 1024, "held": held / 1024}


def measured(count: int) -> dict[str, Any]:
    """What a fresh process says of `count` files."""
    with tempfile.TemporaryDirectory() as folder:
        lay(Path(folder) / "set", count)
        call = [sys.executable, __file__, "--open", str(Path(folder) / "set")]
        done = subprocess.run(call, check=True, capture_output=True, text=True)
    return dict(json.loads(done.stdout))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--open", type=Path, help="open this folder and say what it cost")
    parser.add_argument("--counts", type=int, nargs="+", default=COUNTS)
    parser.add_argument("--out", type=Path, default=Path("docs/results/index.md"))
    options = parser.parse_args()
    if options.open:
        print(json.dumps(opened(options.open)))
        return
    lines = [
        "| files | MB at most | MB a million | MB that stay | "
        + " | ".join(f"{words}, s" for words in STEPS.values())
        + f" | below {AIM} MB |"
    ]
    lines.append("| --- " * (5 + len(STEPS)) + "|")
    for count in options.counts:
        found = measured(count)
        cells = [f"{count:,}", f"**{found['peak']:.0f}**", f"{found['peak'] / count * 1e6:.0f}"]
        cells += [f"{found['held']:.0f}", *(f"{found[step]:.1f}" for step in STEPS)]
        cells.append("yes" if found["peak"] < AIM else "no")
        lines.append(f"| {' | '.join(cells)} |")
        print(lines[-1], flush=True)
    write_page(options.out, "An index of a million files", __doc__ or "", [*lines, "", hardware()])


if __name__ == "__main__":
    main()

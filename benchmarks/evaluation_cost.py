"""What measuring during training costs, and what the cache of reference rows saves.

`mulligan train digits` as `make demo` runs it, with its evaluations and without any, in alternating
pairs: ticks, previews and checkpoints included. What counts is processor seconds, which other work
on the machine changes little; wall seconds stand beside them. Then the rows of 10,000 real images:
computed, and read from the cache.

    python benchmarks/evaluation_cost.py        writes docs/results/evaluation-cost.md
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import tempfile
import time
from pathlib import Path

import mulligan
from mulligan.data.open import open_data
from mulligan.evaluation.cache import cached_rows
from mulligan.evaluation.lens import open_lens
from reporting import hardware, write_page

IMAGES = 40 * 82 * 64
"""What the demo saw in its time on the machine of docs/results/demo.md, in 40 ticks."""

TICK = 82  # rounds
EVERY = 2


def seconds(every: int, folder: Path, images: int = IMAGES) -> tuple[float, float]:
    """Processor and wall seconds of a run with evaluations every so many ticks, 0 for none."""
    begun = time.process_time(), time.perf_counter()
    mulligan.train(
        "digits", images=images, tick=TICK, evaluate_every=every, patience=0, device="cpu",
        log="none", runs_dir=str(folder), name="cost", force=True,
    )  # fmt: skip
    return time.process_time() - begun[0], time.perf_counter() - begun[1]


def reference() -> tuple[float, float]:
    """Seconds for the rows of the embedded digits: computed, then cached."""
    data = open_data("digits")
    lens = open_lens("digits", data.fields["real"])
    taken = []
    for _ in range(2):
        begun = time.perf_counter()
        cached_rows(lens, data.arrays["real"])
        taken.append(time.perf_counter() - begun)
    return taken[0], taken[1]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pairs", type=int, default=3)
    parser.add_argument("--out", type=Path, default=Path("docs/results/evaluation-cost.md"))
    options = parser.parse_args()
    folder = Path(tempfile.mkdtemp())
    os.environ["MULLIGAN_CACHE"] = str(folder / "cache")
    try:
        seconds(EVERY, folder, IMAGES // 20)  # one evaluation: warms everything up
        pairs = []
        for place in range(options.pairs):
            order = (0, EVERY) if place % 2 else (EVERY, 0)
            taken = {every: seconds(every, folder) for every in order}
            pairs.append((taken[0], taken[EVERY]))
            print(pairs[-1], flush=True)
        first, second = reference()
    finally:
        shutil.rmtree(folder)
    ratios = sorted(with_[0] / without[0] for without, with_ in pairs)
    lines = [
        "| without: processor s | wall s | with evaluations: processor s | wall s | ratio |",
        "| --- | --- | --- | --- | --- |",
        *(
            f"| {a:.1f} | {wall:.1f} | {b:.1f} | {wall_with:.1f} | {b / a:.3f} |"
            for (a, wall), (b, wall_with) in pairs
        ),
    ]
    lines += [
        "",
        f"**Median ratio {statistics.median(ratios):.3f}** ({ratios[0]:.3f} to {ratios[-1]:.3f}); "
        f"limit 1.05. {40 // EVERY} evaluations in {IMAGES:,} images.",
        "",
        f"Reference rows of 10,000 images, wall: {first:.2f} s computed, {second:.3f} s from the "
        "cache.",
        "",
        hardware(),
    ]
    print("\n".join(lines))
    write_page(options.out, "What evaluation costs", __doc__ or "", lines)


if __name__ == "__main__":
    main()

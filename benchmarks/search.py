"""The search for the default recipe: who is nearest to the data after a minute?

Every arm trains for as many images as it plays in the given time on this machine (measured once,
alone, and kept), on MNIST and on Fashion-MNIST; then 10,000 samples of the averaged generator are
compared with the 10,000 test images, through the shipped extractors. Arms with a class are told it,
so they fit labelled data alone. One seed: an arm must win clearly, or on both sets.

    python benchmarks/search.py [ARM ...] --seconds 60        resumable; writes search-60s.md
"""

from __future__ import annotations

import argparse
import json
import math
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from campaign import tried
from mulligan import load
from mulligan.data.open import open_data
from mulligan.engine.calibrate import images_in
from mulligan.engine.plan import make_plan
from mulligan.evaluation.lens import open_lens
from mulligan.metrics.distances import frechet_distance
from mulligan.metrics.moments import Moments
from mulligan.run import Run
from reporting import hardware, write_page

SETS = {"mnist": "digits", "fashion-mnist": "fashion"}
COUNT, CHUNK = 10_000, 1000
PLAIN: dict[str, Any] = {"recipe": "r3gan", "body": "plain"}
ARMS: dict[str, dict[str, Any]] = {
    "dcgan": {"recipe": "dcgan"},
    "r3gan": {"recipe": "r3gan"},
    "r3gan, twice the rate": {"recipe": "r3gan", "rate": 1e-3},
    "r3gan, 48 wide, twice the rate": {"recipe": "r3gan", "rate": 1e-3, "width": 48},
    "r3gan, batch 32": {"recipe": "r3gan", "batch": 32},
    "r3gan, penalty 0.3": {"recipe": "r3gan", "penalty": 0.3},
    "r3gan on plain": PLAIN,
    "r3gan on plain, twice the rate": {**PLAIN, "rate": 1e-3},
    "r3gan, labels": {"recipe": "r3gan", "labels": True},
    "r3gan on plain, labels": {**PLAIN, "labels": True},
    "cgan": {"recipe": "cgan"},
    "cgan, twice the rate": {"recipe": "cgan", "rate": 1e-3},
    "cgan, batch 32": {"recipe": "cgan", "batch": 32},
    "cgan, 16 wide": {"recipe": "cgan", "width": 16},
    "cgan on compact": {"recipe": "cgan", "body": "compact"},
    "acgan": {"recipe": "acgan"},
}


def pace(data: str, seconds: float, home: Path, arm: str) -> dict[str, Any]:
    """Images in the time, and the arithmetic that was quickest; measured once and kept."""
    kept = home / f"search-pace-{data}-{arm.replace(' ', '-').replace(',', '')}-{seconds:g}.json"
    if not kept.exists():
        plan = make_plan(data, {**ARMS[arm], "device": "cpu", "images": 10**9})
        chosen = {name: plan[name] for name in ("precision", "threads")}
        kept.parent.mkdir(parents=True, exist_ok=True)
        kept.write_text(json.dumps({"images": images_in(plan, seconds), **chosen}))
    return dict(json.loads(kept.read_text()))


def distance(run: Run, data: str) -> float:
    """FD of the averaged generator's last state, kept beside the run."""
    kept = run.path / "campaign-distance.json"
    if not kept.exists():
        test = open_data(data, split="test").arrays["real"][:COUNT]
        made = torch.from_numpy(load(run, checkpoint="last").sample(COUNT, seed=0).images)
        lens = open_lens(SETS[data], open_data(data).fields["real"])

        def moments(images: Tensor) -> Moments:
            rows = [lens.rows(part).features for part in images.split(CHUNK)]
            return Moments.of(torch.cat(rows).double())

        value = frechet_distance(moments(test), moments(made.permute(0, 3, 1, 2)))
        kept.write_text(json.dumps(value))
    return float(json.loads(kept.read_text()))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("arms", nargs="*", default=list(ARMS))
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--runs-dir", type=Path, default=Path("runs/campaigns"))
    parser.add_argument("--out", type=Path, help="docs/results/search-60s.md")
    options = parser.parse_args()
    rows = []
    for arm in options.arms:
        found, seen, status = [], [], ""
        for data in SETS:
            settled = pace(data, options.seconds, options.runs_dir, arm)
            asked = {**ARMS[arm], **settled, "patience": 0, "evaluate_every": 0, "seed": 0}
            run = tried(data, options.runs_dir, device="cpu", **asked)
            found.append(distance(run, data))
            seen.append(settled["images"])
            status = status or ("diverged" if run.info()["status"] == "diverged" else "")
        mean = math.sqrt(math.prod(found))
        cells = [f"{value:.2f}" for value in found] + [f"{count / 1000:.0f}k" for count in seen]
        rows.append((mean, f"| {arm} | {' | '.join(cells)} | {mean:.2f} | {status} |"))
        print(rows[-1][1], flush=True)
    lines = ["| arm | FD-digits | FD-fashion | images | images | geometric mean | |"]
    lines += ["| --- " * 7 + "|", *(line for _, line in sorted(rows))]
    lines += ["", "Images: seen on MNIST, and on Fashion-MNIST.", "", hardware()]
    out = options.out or Path(f"docs/results/search-{options.seconds:g}s.md")
    write_page(out, f"The search, {options.seconds:g} seconds", __doc__ or "", lines)


if __name__ == "__main__":
    main()

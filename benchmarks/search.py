"""The search for the default recipe: who is nearest to the data after a minute?

Every arm trains for as many images as it plays in the given time on this machine (measured once,
alone, and kept), on MNIST and on Fashion-MNIST; then 10,000 samples of the averaged generator are
compared with the 10,000 test images, through the shipped extractors. Arms with a class are told it,
so they fit labelled data alone. One seed: an arm must win clearly, or on both sets.

    python benchmarks/search.py [ARM ...] --seconds 60        resumable; writes search-60s.md

`--pace` only measures how fast the arms are, on a machine that does nothing else; the training
itself may then share it.
"""

from __future__ import annotations

import argparse
import json
import math
import re
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from campaign import pace, tried
from mulligan import load
from mulligan.data.open import open_data
from mulligan.disk import tidy_name
from mulligan.evaluation.lens import open_lens
from mulligan.metrics.distances import frechet_distance
from mulligan.metrics.moments import Moments
from mulligan.run import Run
from reporting import hardware, write_page

SETS = {"mnist": "digits", "fashion-mnist": "fashion"}
COUNT, CHUNK = 10_000, 1000
R3GAN: dict[str, Any] = {"recipe": "r3gan", "body": "auto", "rate": 5e-4, "lazy": 1}
PLAIN: dict[str, Any] = {**R3GAN, "body": "plain"}
R1: dict[str, Any] = {**PLAIN, "both": False, "paired": False, "beta1": 0.5}
CGAN: dict[str, Any] = {"recipe": "cgan", "lazy": 1, "rate": 5e-4}
FAST: dict[str, Any] = {**CGAN, "lazy": 4, "rate": 1e-3}
ARMS: dict[str, dict[str, Any]] = {
    "dcgan": {"recipe": "dcgan", "rate": 5e-4},
    "dcgan, rate 1e-3": {"recipe": "dcgan", "rate": 1e-3},
    "r3gan": R3GAN,
    "r3gan on plain, rate 1e-3": {**PLAIN, "rate": 1e-3},
    "r3gan on plain, lazy 4, rate 1e-3": {**PLAIN, "rate": 1e-3, "lazy": 4},
    "r3gan on plain, R1 alone, unpaired, lazy 4, rate 1e-3, beta1 0.5": {
        **R1, "rate": 1e-3, "lazy": 4
    },
    "r3gan on plain, R1 alone, unpaired, beta1 0.5": R1,
    "r3gan on plain, labels": {**PLAIN, "labels": True},
    "r3gan on plain, labels, lazy 4, rate 1e-3": {
        **PLAIN, "labels": True, "lazy": 4, "rate": 1e-3
    },
    "r3gan on plain, labels, lazy 4, rate 2e-3": {
        **PLAIN, "labels": True, "lazy": 4, "rate": 2e-3
    },
    "cgan": CGAN,
    "cgan, rate 1e-3": {**CGAN, "rate": 1e-3},
    "cgan, lazy 4": {**CGAN, "lazy": 4},
    "cgan, lazy 4, rate 1e-3": FAST,
    "cgan, lazy 4, rate 2e-3": {**FAST, "rate": 2e-3},
    "cgan, lazy 8, rate 1e-3": {**FAST, "lazy": 8},
    "cgan, batch 32, lazy 4": {**CGAN, "batch": 32, "lazy": 4},
    "cgan, batch 32, lazy 4, rate 1e-3": {**FAST, "batch": 32},
    "cgan, 16 wide": {**CGAN, "width": 16},
    "cgan on compact": {**CGAN, "body": "compact"},
    "acgan": {"recipe": "acgan"},
}  # fmt: skip
"""By name, in the words of the knobs; what an arm leaves out is its recipe's default."""

SPEEDLESS = r", (rate|beta1|penalty) [^,]+"
"""Parts of an arm's name that say nothing of its speed."""


def distance(run: Run, data: str, at: str | int = "last") -> float:
    """FD of the averaged generator at this checkpoint, kept beside the run."""
    kept = run.path / f"campaign-distance-{at}.json"
    if not kept.exists():
        test = open_data(data, split="test").arrays["real"][:COUNT]
        made = torch.from_numpy(load(run, checkpoint=at).sample(COUNT, seed=0).images)
        lens = open_lens(SETS[data], open_data(data).fields["real"])

        def moments(images: Tensor) -> Moments:
            rows = [lens.rows(part).features for part in images.split(CHUNK)]
            return Moments.of(torch.cat(rows).double())

        value = frechet_distance(moments(test), moments(made.permute(0, 3, 1, 2)))
        kept.write_text(json.dumps(value))
    return float(json.loads(kept.read_text()))


def pace_of(data: str, home: Path, arm: str) -> dict[str, Any]:
    """The pace of an arm, or of the one that differs from it in numbers alone."""
    alike = re.sub(SPEEDLESS, "", arm)
    own = (home / f"pace-{data}-{tidy_name(arm)}.json").exists() or alike not in ARMS
    name = arm if own else alike
    return pace(data, home, name, **ARMS[name])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("arms", nargs="*", default=list(ARMS))
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--runs-dir", type=Path, default=Path("runs/campaigns"))
    parser.add_argument("--out", type=Path, help="docs/results/search-60s.md")
    parser.add_argument("--pace", action="store_true", help="measure how fast the arms are")
    parser.add_argument("--threads", type=int, help="of the training, where something else runs")
    options = parser.parse_args()
    if options.pace:
        for arm in options.arms:
            for data in SETS:
                print(arm, data, pace_of(data, options.runs_dir, arm), flush=True)
        return
    rows = []
    for arm in options.arms:
        found, seen, status = [], [], ""
        for data in SETS:
            settled = pace_of(data, options.runs_dir, arm)
            images = int(settled.pop("images_per_second") * options.seconds)
            settled["threads"] = options.threads or settled["threads"]
            asked = {**ARMS[arm], **settled, "images": images, "patience": 0, "seed": 0}
            run = tried(data, options.runs_dir, device="cpu", evaluate_every=0, **asked)
            found.append(distance(run, data))
            seen.append(images)
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

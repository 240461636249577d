"""The search for the default recipe at 64 pixels, for pictures without classes.

Every arm trains for as many images as it plays in the given time on this machine (measured once,
alone, and kept): on `tinyhero`, whose classes it is not told, and on camvid's street scenes. KD is
the kernel distance (KID's estimator, through SqueezeNet) to pictures that were not trained on, with
its 95 % interval; spread is the mean distance between two samples over that between two pictures.
All else is chosen by `mulligan train`. One seed: an arm must win clearly, or on both sets.

    python benchmarks/search_64.py [ARM ...] --seconds 300     resumable; needs MULLIGAN_DATA

`--pace` only measures how fast the arms are, on a machine that does nothing else; the training
itself may then share it.
"""

from __future__ import annotations

import argparse
import json
import math
from pathlib import Path
from typing import Any

import mulligan
from campaign import pace, tried
from mulligan.data.open import open_data
from mulligan.evaluation.result import Evaluation
from mulligan.places import data_folder
from mulligan.run import Run
from own_pictures import COUNT, SETS, samples, spread
from reporting import hardware, write_page

R3GAN: dict[str, Any] = {"recipe": "r3gan", "lazy": 1}
ARMS: dict[str, dict[str, Any]] = {
    "r3gan": R3GAN,
    "r3gan, lazy 4": {**R3GAN, "lazy": 4},
    "r3gan, lazy 4, R1 alone, unpaired, beta1 0.5": {
        **R3GAN, "lazy": 4, "both": False, "paired": False, "beta1": 0.5
    },
    "dcgan": {"recipe": "dcgan"},
}  # fmt: skip
"""By name, in the words of the knobs; what an arm leaves out is its recipe's default."""

USED = ("tinyhero", "camvid")


def figures(run: Run, root: Path, data: str) -> tuple[float, str, float]:
    """KD, KD with its interval, and spread, kept beside the run."""
    kept, (place, others) = run.path / "campaign-evaluation.json", SETS[data]
    if not kept.exists():
        given = str(root / others) if others else None
        found = mulligan.evaluate(run, given, checkpoint="last", extractor="squeezenet")
        real = open_data(str(root / place)).arrays["real"]
        step = max(1, len(real) // COUNT)
        share = spread(samples(run, COUNT)) / spread(real[::step])
        kept.write_text(json.dumps({**found.to_json(), "spread": share}))
    values = json.loads(kept.read_text())
    share = float(values.pop("spread"))
    kd = next(one for one in Evaluation.from_json(values).figures if one.name.startswith("KD"))
    return kd.value, f"{kd.value:.2f} ({kd.low:.2f} to {kd.high:.2f})", share


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("arms", nargs="*", default=list(ARMS))
    parser.add_argument("--seconds", type=float, default=300)
    parser.add_argument("--runs-dir", type=Path, default=Path("runs/campaigns"))
    parser.add_argument("--out", type=Path, default=Path("docs/results/search-64-pixels.md"))
    parser.add_argument("--pace", action="store_true", help="measure how fast the arms are")
    parser.add_argument("--threads", type=int, help="of the training, where something else runs")
    options = parser.parse_args()
    root, home = data_folder(), options.runs_dir
    if root is None:
        parser.error("set MULLIGAN_DATA to a folder that holds the sets")
    rows = []
    for arm in options.arms:
        cells, values = [], []
        for data in USED:
            place = str(root / SETS[data][0])
            settled = pace(place, home, f"{data} {arm}", **ARMS[arm])
            print(arm, data, settled, flush=True)
            if options.pace:
                continue
            images = int(settled.pop("images_per_second") * options.seconds)
            settled["threads"] = options.threads or settled["threads"]
            asked = {**ARMS[arm], **settled, "images": images, "patience": 0, "seed": 0}
            run = tried(place, home, device="cpu", evaluate_every=0, **asked)
            value, words, share = figures(run, root, data)
            cells += [f"{images / 1000:.0f}k", words, f"{share:.2f}"]
            values.append(max(value, 1e-3))
        if not options.pace:
            rows.append((math.prod(values), f"| {arm} | {' | '.join(cells)} |"))
            print(rows[-1][1], flush=True)
    heads = " | ".join(f"{data}: images | KD | spread" for data in USED)
    lines = [f"| arm | {heads} |", "| --- " * 7 + "|", *(line for _, line in sorted(rows))]
    if rows:
        title = f"The search at 64 pixels, {options.seconds:g} seconds"
        write_page(options.out, title, __doc__ or "", [*lines, "", hardware()])


if __name__ == "__main__":
    main()

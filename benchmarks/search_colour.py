"""The search for the default recipe in colour: at 32 pixels with classes, at 64 without.

Every arm trains for as many images as it plays in the given time on this machine (measured once,
alone, and kept). At 32 pixels: CIFAR-10 (a lossy copy) and `tinyhero`, the four views of 800
characters, whose classes cgan, acgan and the arms with labels are told. At 64 pixels: `tinyhero`,
and camvid's street scenes; nobody is told a class. KD is the kernel distance (KID's estimator,
through SqueezeNet) to pictures that were not trained on, with its 95 % interval; spread is the mean
distance between two samples over that between two pictures. All else is chosen by `mulligan train`.
One seed: an arm must win clearly, or on both sets. Best first, by the product of the KDs.

    python benchmarks/search_colour.py --size 64 [ARM ...] --seconds 300     resumable

`--pace` only measures how fast the arms are, on a machine that does nothing else; the training
itself may then share it. Needs MULLIGAN_DATA.
"""

from __future__ import annotations

import argparse
import json
import math
from pathlib import Path
from typing import Any

import mulligan
from campaign import pace, tried
from convert_cifar10 import cifar10_zip
from mulligan.data.open import open_data
from mulligan.evaluation.result import Evaluation
from mulligan.places import data_folder
from mulligan.run import Run
from own_pictures import COUNT, SETS, samples, spread
from reporting import hardware, write_page

R3GAN: dict[str, Any] = {"recipe": "r3gan", "lazy": 1}
CGAN: dict[str, Any] = {"recipe": "cgan"}
TOLD: dict[str, Any] = {"recipe": "r3gan", "labels": True}
ARMS: dict[int, dict[str, dict[str, Any]]] = {
    32: {
        "cgan": CGAN,
        "cgan, rate 5e-4": {**CGAN, "rate": 5e-4},
        "cgan, rate 2e-3": {**CGAN, "rate": 2e-3},
        "cgan, batch 32": {**CGAN, "batch": 32},
        "cgan, 48 wide": {**CGAN, "width": 48},
        "cgan, 64 wide": {**CGAN, "width": 64},
        "cgan on compact": {**CGAN, "body": "compact"},
        "cgan on resnet": {**CGAN, "body": "resnet"},
        "cgan on dcgan": {**CGAN, "body": "dcgan"},
        "cgan on dcgan, no penalty, rate 5e-4": {
            **CGAN, "body": "dcgan", "penalty": 0.0, "lazy": 1000, "rate": 5e-4
        },
        "r3gan": {"recipe": "r3gan"},
        "r3gan, labels": TOLD,
        "r3gan, labels, 48 wide": {**TOLD, "width": 48},
        "r3gan, labels, on dcgan": {**TOLD, "body": "dcgan"},
        "acgan": {"recipe": "acgan"},
        "dcgan": {"recipe": "dcgan"},
        "dcgan, 48 wide": {"recipe": "dcgan", "width": 48},
    },
    64: {
        "r3gan": R3GAN,
        "r3gan, lazy 4": {**R3GAN, "lazy": 4},
        "r3gan, lazy 4, R1 alone, unpaired, beta1 0.5": {
            **R3GAN, "lazy": 4, "both": False, "paired": False, "beta1": 0.5
        },
        "dcgan": {"recipe": "dcgan"},
    },
}  # fmt: skip
"""By side and name, in the words of the knobs; what an arm leaves out is its recipe's default."""

USED = {32: ("cifar10", "tinyhero"), 64: ("tinyhero", "camvid")}


def places(data: str) -> tuple[str, str | None]:
    """What is trained on, and other pictures to compare with; None: the held-out ones."""
    if data == "cifar10":
        return str(cifar10_zip()), None
    root, (place, others) = data_folder(), SETS[data]
    if root is None:
        raise SystemExit("set MULLIGAN_DATA to a folder that holds the sets")
    return str(root / place), str(root / others) if others else None


def figures(run: Run, data: str, side: int) -> tuple[float, str, float]:
    """KD, KD with its interval, and spread, kept beside the run."""
    kept, (place, others) = run.path / "campaign-evaluation.json", places(data)
    if not kept.exists():
        found = mulligan.evaluate(run, others, checkpoint="last", extractor="squeezenet")
        real = open_data(place, size=(side, side)).arrays["real"]
        step = max(1, len(real) // COUNT)
        share = spread(samples(run, COUNT)) / spread(real[::step])
        kept.write_text(json.dumps({**found.to_json(), "spread": share}))
    values = json.loads(kept.read_text())
    share = float(values.pop("spread"))
    kd = next(one for one in Evaluation.from_json(values).figures if one.name.startswith("KD"))
    return kd.value, f"{kd.value:.2f} ({kd.low:.2f} to {kd.high:.2f})", share


def tell(arm: str, options: argparse.Namespace) -> tuple[float, str]:
    """The product of an arm's KDs, and its line of the table."""
    side, home = options.size, options.runs_dir
    cells, values = [], []
    for data in USED[side]:
        place = places(data)[0]
        asked = {**ARMS[side][arm], "size": side}
        settled = pace(place, home, f"{data} {side} {arm}", **asked)
        print(arm, data, settled, flush=True)
        if options.pace:
            continue
        images = int(settled.pop("images_per_second") * options.seconds)
        settled["threads"] = options.threads or settled["threads"]
        asked |= {**settled, "images": images, "patience": 0, "seed": 0, "evaluate_every": 0}
        run = tried(place, home, device="cpu", **asked)
        value, words, share = figures(run, data, side)
        cells += [f"{images / 1000:.0f}k", words, f"{share:.2f}"]
        values.append(max(value, 1e-3))
    line = f"| {arm} | {' | '.join(cells)} |"
    print(line, flush=True)
    return math.prod(values), line


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("arms", nargs="*", help="of this size; all of them where none is named")
    parser.add_argument("--size", type=int, choices=list(ARMS), default=64)
    parser.add_argument("--seconds", type=float, default=300)
    parser.add_argument("--runs-dir", type=Path, default=Path("runs/campaigns"))
    parser.add_argument("--out", type=Path, help="docs/results/search-SIZE-pixels.md")
    parser.add_argument("--pace", action="store_true", help="measure how fast the arms are")
    parser.add_argument("--threads", type=int, help="of the training, where something else runs")
    options = parser.parse_args()
    rows = [tell(arm, options) for arm in options.arms or ARMS[options.size]]
    if options.pace:
        return
    heads = " | ".join(f"{data}: images | KD | spread" for data in USED[options.size])
    lines = [f"| arm | {heads} |", "| --- " * 7 + "|", *(line for _, line in sorted(rows))]
    out = options.out or Path(f"docs/results/search-{options.size}-pixels.md")
    title = f"The search at {options.size} pixels, {options.seconds:g} seconds"
    write_page(out, title, __doc__ or "", [*lines, "", hardware()])


if __name__ == "__main__":
    main()

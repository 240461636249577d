"""How good are pictures after a minute, ten minutes, an hour? The default recipe and the classic.

Each arm trains for as many images as it plays in its time on this machine (measured once, alone,
ticks included, and kept; "taken" are the minutes that the run itself counted, whatever else the
machine did meanwhile); then 10,000 samples of the twin are compared with the 10,000 test images
through the shipped extractors. `dcgan --preset classic` is one run of 50 epochs, looked at its
end and, where it takes longer, after an hour. The default is told the classes, which the classic is
not; search-60s.md has recipes that are not told. Beside them: what training images get. One seed.

    python benchmarks/quality.py [PART ...]        resumable; needs mnist and fashion-mnist

`--pace` only measures how fast the arms are, on a machine that does nothing else; the training
itself may then share it.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from campaign import finished, pace
from mulligan import load
from mulligan.data.open import open_data
from mulligan.engine.plan import make_plan
from mulligan.evaluation.lens import open_lens
from mulligan.metrics.distances import frechet_distance
from mulligan.metrics.moments import Moments
from mulligan.run import Run
from reporting import hardware, write_page
from search import CHUNK, COUNT, SETS, distance

CLASSIC: dict[str, Any] = {"recipe": "dcgan", "preset": "classic"}
PARTS = ("60s", "10min", "classic")
SECONDS = {"60s": 60.0, "10min": 600.0}
EPOCHS, ROWS, BATCH = 50, 60_000, 256
HOUR = 3600.0
SHOWN = 50

Line = tuple[str, str, float, float, float, int]
"""Arm, data, FD, seconds by its pace, seconds taken, images."""


def default(part: str, data: str, home: Path, threads: int | None) -> Run:
    """The default recipe, for as many images as the time allows."""
    settled = pace(data, home, "default")
    settled["threads"] = threads or settled["threads"]
    images = int(settled.pop("images_per_second") * SECONDS[part])
    plan = make_plan(data, {"images": images, "device": "cpu", **settled})
    settled |= {"recipe": plan.recipe_name, **plan.settings.model_dump()}  # as they are today
    return finished(data, home, device="cpu", seed=0, patience=0, images=images, **settled)


def classic(data: str, home: Path, threads: int | None) -> tuple[Run, int | None]:
    """The classic DCGAN's 50 epochs, and the round at which an hour had passed, if it did."""
    settled = pace(data, home, "classic", **CLASSIC)
    settled["threads"] = threads or settled["threads"]
    rounds = int(settled.pop("images_per_second") * HOUR / BATCH)
    tick = rounds // 20
    asked = {**CLASSIC, "images": EPOCHS * ROWS, "tick": tick, "save_every": 10, "keep_every": 1}
    run = finished(data, home, device="cpu", seed=0, evaluate_every=0, **asked, **settled)
    return run, 20 * tick if 20 * tick * BATCH < EPOCHS * ROWS else None


def looked_at(part: str, data: str, home: Path, out: Path, threads: int | None) -> list[Line]:
    """The lines of one part and data set; their samples are written beside the page."""
    lines: list[Line] = []
    if part != "classic":
        run = default(part, data, home, threads)
        speed = pace(data, home, "default")["images_per_second"]
        places: list[tuple[str, str | int]] = [(f"default, {part}", "last")]
    else:
        run, hour = classic(data, home, threads)
        speed = pace(data, home, "classic", **CLASSIC)["images_per_second"]
        places = [("classic, 60min", hour)] if hour else []
        places.append(("classic, 50 epochs", "last"))
    for name, at in places:
        model = load(run, checkpoint=at)
        images, taken = (model.state["counters"][word] for word in ("seen", "seconds"))
        stem = f"{out.stem}-{data}-{name.replace(',', '').replace(' ', '-')}"
        model.sample(SHOWN, seed=0).save(out.with_name(f"{stem}.png"), force=True)
        lines.append((name, data, distance(run, data, at), images / speed, taken, images))
        print(lines[-1], flush=True)
    return lines


def floor(data: str) -> float:
    """FD of as many training images: what zero means."""
    train, test = (open_data(data, split=part).arrays["real"][:COUNT] for part in ("train", "test"))
    lens = open_lens(SETS[data], open_data(data).fields["real"])

    def moments(images: Tensor) -> Moments:
        features = [lens.rows(part).features for part in images.split(CHUNK)]
        return Moments.of(torch.cat(features).double())

    return frechet_distance(moments(test), moments(train))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("parts", nargs="*", default=list(PARTS))
    parser.add_argument("--pace", action="store_true", help="measure how fast the arms are")
    parser.add_argument("--threads", type=int, help="of the training, where something else runs")
    parser.add_argument("--sets", nargs="+", choices=SETS, default=list(SETS))
    parser.add_argument("--runs-dir", type=Path, default=Path("runs/campaigns"))
    parser.add_argument("--out", type=Path, default=Path("docs/results/quality.md"))
    options = parser.parse_args()
    home = options.runs_dir
    if options.pace:
        for data in options.sets:
            print(data, pace(data, home, "default"), pace(data, home, "classic", **CLASSIC))
        return
    lines = ["| | data | FD | minutes of training | taken | images |", "| --- " * 6 + "|"]
    pictures = []
    for data in options.sets:
        for part in options.parts:
            for name, _, found, seconds, taken, images in looked_at(
                part, data, home, options.out, options.threads
            ):
                cells = f"**{found:.2f}** | {seconds / 60:.0f} | {taken / 60:.1f} | {images:,}"
                lines.append(f"| {name} | {data} | {cells} |")
                stem = f"{options.out.stem}-{data}-{name.replace(',', '').replace(' ', '-')}"
                pictures += ["", f"{name}, {data}:", "", f"![samples]({stem}.png)"]
        lines.append(f"| training images | {data} | {floor(data):.2f} | | | {COUNT:,} |")
    write_page(options.out, "Time to quality", __doc__ or "", [*lines, "", hardware(), *pictures])


if __name__ == "__main__":
    main()

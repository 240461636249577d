"""Pictures of one's own: photographs, pixel art, tiles, and very few of them; one command each.

Everything is left to `mulligan train DATA` but the number of images. KD is the kernel distance
(KID's estimator, through SqueezeNet) to pictures that were not trained on; beside it stands what
training pictures get in the samples' place. Spread is the mean distance between two samples over
that between two pictures, in pixels: 1 is the data's variety, near 0 one picture over and over.
Nearest is a sample's distance to the nearest training picture over that of unseen pictures (median;
far below 1 is a copy, or a blur); copies is the share of samples as close to one training picture,
for what the next ten are, as only 1 % of unseen pictures are.
Minutes are those of a machine that may have done other things beside it, and be paused.

100 pictures: 100 characters seen from the front, with the augmentation that is chosen for so few
and without any, against the 700 characters that were left out.

Sets for research use give figures and no pictures; tinyhero (CC BY-SA 3.0 or GPL 3.0, made with the
Universal LPC spritesheet) and the tiles of Dungeon Crawl Stone Soup (CC0) are shown.

    python benchmarks/own_pictures.py [SET ...]     resumable; needs MULLIGAN_DATA; pictures.md
"""

from __future__ import annotations

import argparse
import zipfile
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

import mulligan
from campaign import finished
from mulligan import load
from mulligan.data.open import open_data
from mulligan.evaluation.lens import open_lens
from mulligan.evaluation.memorised import replay
from mulligan.evaluation.result import Evaluation
from mulligan.metrics.distances import frechet_distance
from mulligan.metrics.moments import Moments
from mulligan.places import data_folder
from mulligan.run import Run
from reporting import hardware, write_page

HERO = "tinyhero/tinyhero-64x64.zip"
SETS: dict[str, tuple[str, str]] = {
    "tinyhero": (HERO, ""),
    "cats-dogs": ("cats-dogs", ""),
    "camvid": ("camvid/train/images", "camvid/val/images"),
    "dcss-tiles": ("dcss-tiles/dcss-32x32.zip", ""),
}
"""A name, what is trained on, and other pictures to compare with; without, the held-out ones."""

SHOWN = ("tinyhero", "dcss-tiles", "100 pictures", "100 pictures, no augmentation")
FEW = {"100 pictures": {}, "100 pictures, no augmentation": {"augment": "off"}}
CHOSEN = ("recipe", "size", "channels", "background", "augment")
COUNT = 500
HEADS = (
    "| data | pictures | chosen | images seen | minutes | images/s | spread | KD | of training |"
)
HEADS += " nearest | copies |"


def spread(images: Tensor) -> float:
    """Mean distance between two of the images. images: uint8 (N, ...)."""
    return float(torch.pdist(images[:COUNT].flatten(1).float()).mean())


def samples(run: Run, count: int) -> Tensor:
    """uint8 (N, C, H, W)."""
    made = torch.from_numpy(load(run).sample(count, seed=0).images)
    return made.permute(0, 3, 1, 2).contiguous()


def trained(name: str, place: str, options: argparse.Namespace, **given: Any) -> Run:
    """The run, trained, resumed or found; its samples are written where they may be shown."""
    asked = {"images": options.images, "device": "cpu", "patience": 0, **given}
    run = finished(place, options.runs_dir, **asked)
    if name in SHOWN:
        stem = f"{options.out.stem}-{name.replace(',', '').replace(' ', '-')}"
        load(run).sample(40, seed=0).save(options.out.with_name(f"{stem}.png"), force=True)
    return run


def facts(name: str, run: Run) -> str:
    """The first cells of a line: what was chosen, and how long it took."""
    row, config = run.rows()[-1], run.config()
    chosen = ", ".join(str(config[word]["value"]) for word in CHOSEN if word in config)
    pictures = run.read_json("data.json")["count"]
    minutes, pace = row["seconds"] / 60, row["images"] / row["seconds"]
    return f"| {name} | {pictures:,} | {chosen} | {row['images']:,} | {minutes:.0f} | {pace:.0f} |"


def cell(found: Evaluation, kind: str) -> str:
    """A figure with its interval."""
    figure = next((one for one in found.figures if one.name.startswith(kind)), None)
    return f"{figure.value:.3g} ({figure.low:.3g} to {figure.high:.3g})" if figure else "-"


def line(name: str, root: Path, options: argparse.Namespace) -> str:
    """A line of the first table."""
    place, others = SETS[name]
    run = trained(name, str(root / place), options)
    found = mulligan.evaluate(run, str(root / others) if others else None, extractor="squeezenet")
    learned = [one for one in found.baseline if one.name.startswith("KD-")]
    real, made = open_data(str(root / place)).arrays["real"], samples(run, COUNT)
    assert real.shape[1:] == made.shape[1:]
    rows = torch.linspace(0, len(real) - 1, COUNT).long()
    share = spread(made) / spread(real[rows])
    base = f"{learned[0].value:.3g}" if learned else "-"
    kinds = [cell(found, kind) for kind in ("KD-", "nearest ratio", "copies")]
    return f"{facts(name, run)} {share:.2f} | {kinds[0]} | {base} | {kinds[1]} | {kinds[2]} |"


def few(root: Path, options: argparse.Namespace) -> list[str]:
    """100 pictures with and without augmentation, against those that were left out."""
    parts = {"hundred": range(100), "others": range(100, 800)}
    homes = {word: options.runs_dir / f"tinyhero-{word}" for word in parts}
    with zipfile.ZipFile(root / HERO) as archive:
        for word, numbers in parts.items():
            homes[word].mkdir(parents=True, exist_ok=True)
            for number in numbers:
                content = archive.read(f"front/{number:04}.png")
                (homes[word] / f"{number:04}.png").write_bytes(content)
    real = {word: open_data(str(homes[word])).arrays["real"] for word in parts}
    lens = open_lens("squeezenet", open_data(str(homes["others"])).fields["real"])
    seen, unseen = (lens.rows(real[word]).features for word in parts)
    lines = [HEADS.replace("KD | of training", "FD").replace("copies", "copies | said")]
    lines.append("| --- " * 11 + "|")
    for name, given in FEW.items():
        run = trained(name, str(homes["hundred"]), options, **given)
        images = samples(run, len(real["others"]))
        made = lens.rows(images).features
        distance = frechet_distance(Moments.of(unseen.double()), Moments.of(made.double()))
        found = replay(made, seen, unseen, "squeezenet", {})
        ratio, copies = found.figures
        share = spread(images) / spread(real["hundred"])
        lines.append(
            f"{facts(name, run)} {share:.2f} | {distance:.1f} | {ratio.value:.2f} | "
            f"{copies.value:.1%} | {'memorised' if found.replays else 'no sign of it'} |"
        )
        print(lines[-1], flush=True)
    return lines


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("sets", nargs="*", default=[*SETS, "few"])
    parser.add_argument("--images", type=int, default=200_000)
    parser.add_argument("--runs-dir", type=Path, default=Path("runs/campaigns"))
    parser.add_argument("--out", type=Path, default=Path("docs/results/pictures.md"))
    options = parser.parse_args()
    root = data_folder()
    if root is None:
        parser.error("set MULLIGAN_DATA to a folder that holds the sets")
    lines = [HEADS, "| --- " * 11 + "|"]
    for name in options.sets:
        if name in SETS:
            lines.append(line(name, root, options))
            print(lines[-1], flush=True)
    if "few" in options.sets:
        lines += ["", *few(root, options)]
    lines += ["", f"Chosen: {', '.join(CHOSEN)}. One seed."]
    for name in [*options.sets, *(FEW if "few" in options.sets else ())]:
        if name in SHOWN:
            stem = f"{options.out.stem}-{name.replace(',', '').replace(' ', '-')}"
            lines += ["", f"{name}:", "", f"![samples]({stem}.png)"]
    write_page(options.out, "Pictures of one's own", __doc__ or "", [*lines, "", hardware()])


if __name__ == "__main__":
    main()

"""Are labels obeyed in colour? ACGAN on pixel art and on photographs, at 32 and at 64 pixels.

`tinyhero` has four classes, the views of a character; `cats-dogs` has two, from 500 photographs
each. No shipped classifier knows them, so a logistic regression on SqueezeNet's features learns
them from four fifths of the real pictures, as they are, noisy and blurred, since samples are so
too. Its accuracy on the last fifth stands beside: labels cannot be read better than that. Samples
are 500 of each class. The spread is the mean distance in pixels between two samples of a class over
that between two real pictures of it: near 0 is one picture a class. The photographs are for
research use, so samples of their generator are not shown.

    python benchmarks/colour_labels.py        resumable; needs MULLIGAN_DATA
"""

from __future__ import annotations

import argparse
import zipfile
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler
from torch import Tensor

from campaign import finished
from mulligan import load, pictures
from mulligan.data.dataset import DataSet
from mulligan.data.open import open_data
from mulligan.evaluation.lens import Lens, open_lens
from mulligan.fields import Label
from mulligan.places import data_folder
from own_pictures import spread
from reporting import hardware, write_page

SIZES = (32, 64)
EACH = 500
SHOWN = "tinyhero"
FIFTH = 5
NOISE = 20.0
"""Deviation of the noise in pictures to learn from, of 255."""


def photographs(root: Path, path: Path) -> Path:
    """A zip of two folders, cats and dogs, from the training pictures of both."""
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        with zipfile.ZipFile(path, "w") as archive:
            for folder, name in (("trainA", "cats"), ("trainB", "dogs")):
                for picture in sorted((root / "cats-dogs" / folder).iterdir()):
                    archive.write(picture, f"{name}/{picture.name}")
    return path


def spoilt(images: Tensor) -> list[Tensor]:
    """The images, the images with noise, and the images blurred; uint8 all."""
    chance = torch.Generator().manual_seed(0)
    values = images.float()
    noisy = values + NOISE * torch.randn(values.shape, generator=chance)
    padded = F.pad(values, (1, 1, 1, 1), mode="replicate")
    blurred = F.avg_pool2d(padded, 3, stride=1)
    return [images, *(one.round().clamp(0, 255).to(torch.uint8) for one in (noisy, blurred))]


def reader(data: DataSet, lens: Lens) -> tuple[Pipeline, float]:
    """A classifier of real pictures, and its accuracy on every fifth picture of each class."""
    every = [lens.rows(images).features.numpy() for images in spoilt(data.arrays["real"])]
    labels = data.arrays["label"].numpy()
    place = np.empty(len(labels), dtype=int)  # the same characters are left out of every view
    for label in np.unique(labels):
        place[labels == label] = np.arange((labels == label).sum())
    kept = place % FIFTH != 0
    model = make_pipeline(StandardScaler(), LogisticRegression(C=0.01, max_iter=2000))
    model.fit(np.concatenate([rows[kept] for rows in every]), np.tile(labels[kept], len(every)))
    return model, float(model.score(every[0][~kept], labels[~kept]))


def spreads(made: Tensor, asked: Tensor, data: DataSet) -> float:
    """The mean over classes of a class's spread over the data's."""
    real, labels = data.arrays["real"], data.arrays["label"]
    return float(
        np.mean(
            [
                spread(made[asked == k]) / spread(real[labels == k][:EACH])
                for k in labels.unique().tolist()
            ]
        )
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=int, default=200_000)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--runs-dir", type=Path, default=Path("runs/campaigns"))
    parser.add_argument("--out", type=Path, default=Path("docs/results/colour-labels.md"))
    options = parser.parse_args()
    root = data_folder()
    if root is None:
        parser.error("set MULLIGAN_DATA to a folder that holds cats-dogs/ and tinyhero/")
    places = {
        "tinyhero": root / "tinyhero" / "tinyhero-64x64.zip",
        "cats-dogs": photographs(root, options.runs_dir / "cats-dogs.zip"),
    }
    lines = ["| data | size | agreement | each class | of real pictures | spread | images | s |"]
    lines.append("| --- " * 8 + "|")
    for name, place in places.items():
        for size in SIZES:
            asked_of = {"recipe": "acgan", "size": size, "images": options.images, "patience": 0}
            run = finished(str(place), options.runs_dir, device=options.device, **asked_of)
            data = open_data(str(place), size=(size, size))
            lens = open_lens("squeezenet", data.fields["real"])
            model, limit = reader(data, lens)
            field = data.fields["label"]
            assert isinstance(field, Label)
            asked = torch.arange(len(field.names)).repeat_interleave(EACH)
            found = load(run).sample(len(asked), seed=0, label=asked.numpy()).images
            made = torch.from_numpy(found).permute(0, 3, 1, 2).contiguous()
            right = model.predict(lens.rows(made).features.numpy()) == asked.numpy()
            shares = right.reshape(-1, EACH).mean(1)
            each = ", ".join(
                f"{label} {100 * share:.1f}"
                for label, share in zip(field.names, shares, strict=True)
            )
            row = run.rows()[-1]
            lines.append(
                f"| {name} | {size} | **{100 * right.mean():.1f} %** | {each} | "
                f"{100 * limit:.1f} % | {spreads(made, asked, data):.2f} | {row['images']:,} | "
                f"{row['seconds']:.0f} |"
            )
            print(lines[-1], flush=True)
            if name == SHOWN:
                few = made.unflatten(0, (-1, EACH))[:, :8].flatten(0, 1)
                sheet = pictures.grid(few, 8)
                sheet.save(options.out.with_name(f"colour-labels-{size}.png"))
    lines.append("")
    lines += [f"![{SHOWN} at {size}: a row a class](colour-labels-{size}.png)" for size in SIZES]
    write_page(options.out, "Labels in colour", __doc__ or "", [*lines, "", hardware()])


if __name__ == "__main__":
    main()

"""Toy distributions of points: one normal, a ring, a grid and a spiral.

Ring and grid are those of PacGAN (Lin et al. 2017, arXiv:1712.04086, section 4.1) with the
constants of the authors' public code: modes of equal weight on the unit circle with deviation
0.01, and on {-4, -2, 0, 2, 4}^2 with deviation 0.05. The label is the mode.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from mulligan.data.dataset import DataSet, build
from mulligan.errors import DataError
from mulligan.fields import Fields, Label, Points

COUNT = 100_000
SEEDS = {"train": 20171204, "test": 20171205}

SPIRAL_INNER, SPIRAL_OUTER = 0.2, 2.0  # radii at both ends of an arm
SPIRAL_TURNS = 1.25
SPIRAL_DEVIATION = 0.02


@dataclass(frozen=True)
class Mixture:
    """Normal modes of equal weight and one deviation; scale makes coordinates about one."""

    centres: tuple[tuple[float, ...], ...]
    deviation: float
    scale: float
    names: tuple[str, ...]


_STEPS = (-4, -2, 0, 2, 4)
MIXTURES = {
    "1d:gauss": Mixture(((4.0,),), 1.25, 4.0, ("4",)),
    "2d:ring": Mixture(
        tuple((math.cos(math.pi * k / 4), math.sin(math.pi * k / 4)) for k in range(8)),
        0.01,
        1.0,
        tuple(f"{45 * k} degrees" for k in range(8)),
    ),
    "2d:grid": Mixture(
        tuple((float(x), float(y)) for x in _STEPS for y in _STEPS),
        0.05,
        4.0,
        tuple(f"({x}, {y})" for x in _STEPS for y in _STEPS),
    ),
}


def modes(name: str) -> tuple[Tensor, float]:
    """The centres, float32 (modes, dims) in data units, and the deviation around each of them.

    Raises DataError for a set of points that is not a mixture of normal modes.
    """
    if name not in MIXTURES:
        raise DataError(
            f"{name!r} has no modes; the sets of points with modes are {', '.join(MIXTURES)}"
        )
    mixture = MIXTURES[name]
    return torch.tensor(mixture.centres), mixture.deviation


def open_points(name: str, split: str) -> DataSet:
    """The named points: always the same ones, whatever state torch's own generator is in.

    split: "train", or "test" for an independent draw from the same distribution. Every mode and
    arm has the same number of points (to within one), in random order.
    """
    generator = torch.Generator().manual_seed(SEEDS[split])
    if name == "2d:spiral":
        real, label = _spiral(generator)
        scale = SPIRAL_OUTER
        names: tuple[str, ...] = ("arm 1", "arm 2")
    else:
        mixture = MIXTURES[name]
        real, label = _mixture(mixture, generator)
        scale, names = mixture.scale, mixture.names
    fields: Fields = {"real": Points(real.shape[1], scale)}
    arrays = {"real": real}
    if len(names) > 1:
        fields["label"] = Label(names)
        arrays["label"] = label
    return build(name, fields, arrays, source=f"drawn from a formula, {split} split")


def _shuffled_labels(classes: int, generator: torch.Generator) -> Tensor:
    return torch.randperm(COUNT, generator=generator) % classes


def _mixture(mixture: Mixture, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    centres = torch.tensor(mixture.centres)
    label = _shuffled_labels(len(centres), generator)
    spread = torch.randn(COUNT, centres.shape[1], generator=generator)
    return centres[label] + mixture.deviation * spread, label


def _spiral(generator: torch.Generator) -> tuple[Tensor, Tensor]:
    label = _shuffled_labels(2, generator)
    # the root spreads points evenly along the arm, whose circumference grows with the radius
    along = torch.rand(COUNT, generator=generator).sqrt()
    radius = SPIRAL_INNER + (SPIRAL_OUTER - SPIRAL_INNER) * along
    angle = 2 * math.pi * SPIRAL_TURNS * along + math.pi * label
    line = torch.stack([radius * angle.cos(), radius * angle.sin()], dim=1)
    return line + SPIRAL_DEVIATION * torch.randn(COUNT, 2, generator=generator), label

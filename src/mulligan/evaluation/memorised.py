"""Whether a generator replays its training images: figures, a verdict, and the nearest pairs."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from PIL.Image import Image as Picture
from torch import Tensor

from mulligan import pictures
from mulligan.evaluation.figures import share_figure
from mulligan.metrics.figure import Figure, Stamp
from mulligan.metrics.intervals import Interval
from mulligan.metrics.memorisation import SAME, memorisation, nearest

TOLERATED = 0.1
"""Share of copies from which a generator is said to replay; ten times what honest ones have."""

PAIRS = 16


@dataclass(frozen=True)
class Replay:
    """Figures of memorisation, whether it is called a replay, and the nearest pairs.

    pairs: (generated row, training row) of the nearest, nearest first.
    """

    figures: tuple[Figure, ...]
    replays: bool
    pairs: tuple[tuple[int, int], ...]

    @property
    def verdict(self) -> str:
        """One sentence."""
        words = "memorised" if self.replays else "no sign of memorisation"
        return (
            f"{words}: {self.figures[1].value:.1%} of the samples are as close to one training "
            "image, for what the next ten are, as only 1 % of unseen real images are"
        )


def replay(
    generated: Tensor, training: Tensor, held_out: Tensor, extractor: str, stamp: Stamp
) -> Replay:
    """Compare the nearest training row of generated rows with that of held-out real rows.

    generated: (N, d), training: (M, d) all rows that were trained on, held_out: (K, d).
    Raises UsageError if nearly all of the held-out rows are training rows.
    """
    # copies of training rows are not unseen: a hundredth of them would make any distance a long one
    away = nearest(held_out, training).distances
    unseen = held_out[away > SAME * away.median()]
    found = memorisation(generated, training, unseen)
    counts = len(unseen), len(generated)
    copies = share_figure(f"copies-{extractor}", found.copied, stamp, len(unseen))
    ratio = Figure.of(f"nearest ratio-{extractor}", _median(found.ratios), counts, stamp)
    closest = found.nearest.distances.argsort()[:PAIRS]
    pairs = tuple((int(row), int(found.nearest.rows[row])) for row in closest)
    return Replay((ratio, copies), copies.low > TOLERATED, pairs)


def _median(values: Tensor) -> Interval:
    """The median with the interval of two order statistics, which needs no shape (David 1981)."""
    ordered, count = values.sort().values, len(values)
    reach = 1.96 * math.sqrt(count) / 2
    low, high = max(0, math.floor(count / 2 - reach)), min(count - 1, math.ceil(count / 2 + reach))
    middle = float(ordered.median())
    return Interval(
        middle,
        min(middle, float(ordered[low])),
        max(middle, float(ordered[high])),
        "95 %, order statistics",
        "the median among fresh samples",
    )


def pair_picture(generated: Tensor, training: Tensor, found: Replay) -> Picture:
    """Each of the nearest generated images, and beside it its training image.

    generated, training: uint8 (N, C, H, W), the images whose rows `replay` compared.
    """
    rows = torch.stack([torch.stack((generated[a], training[b])) for a, b in found.pairs])
    return pictures.grid(rows.flatten(0, 1).numpy(), columns=8)

"""Random changes of what a discriminator sees, reals and fakes alike: for data of few pictures.

Changing reals alone leaks into the samples, changing them in one turn alone upsets the balance; so
`Duel.scores` applies this to every picture that is judged.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mulligan.errors import UsageError
from mulligan.fields import Field, Image

TARGET = 0.6
"""The mean sign of the scores of reals above which the discriminator knows them by heart."""

LEAST = 256
"""Reals whose signs are averaged before the chance moves, as in ADA: four batches of 64."""

MOST = 0.8
"""Highest chance that is adapted to: above it the changes were seen to leak into samples."""


def augmentation(wanted: str, pace: float, field: Field, undecided: float | None) -> Augment | None:
    """The augmentation of this name: None for off, else on or adaptive.

    pace: images in which an adaptive chance can rise from 0 to 1. undecided: the score at which the
    discriminator cannot tell. Raises UsageError for points, and for a critic that is to be adapted
    to.
    """
    if wanted == "off":
        return None
    if not isinstance(field, Image):
        raise UsageError(f"--augment {wanted} changes pictures; the data are {field}", "leave it")
    if wanted == "adaptive" and undecided is None:
        raise UsageError(
            "--augment adaptive follows a discriminator that says real or fake; this is a critic",
            "--augment on",
        )
    return Augment(wanted == "adaptive", pace)


class Augment(nn.Module):
    """Colour, translation and cutout of DiffAugment, each at a chance of its own for each picture.

    Zhao et al. 2020, arXiv:2006.10738, section 3.2. adaptive: the chance starts at 0 and follows
    the discriminator's overfitting (Karras et al. 2020, arXiv:2006.06676, section 3.1); otherwise
    it is 1. pace: images in which it can rise from 0 to 1. In evaluation mode nothing changes.
    Can be differentiated twice by the pictures.
    """

    chance: Tensor
    signs: Tensor
    gauge: Tensor

    def __init__(self, adaptive: bool, pace: float) -> None:
        super().__init__()
        self.adaptive, self.pace = adaptive, pace
        self.register_buffer("chance", torch.tensor(0.0 if adaptive else 1.0))
        self.register_buffer("signs", torch.zeros(2))  # sum and count since the last update
        self.register_buffer("gauge", torch.zeros(2))  # the same since the chance last moved

    def forward(self, images: Tensor) -> Tensor:
        """(N, C, H, W) in [-1, 1] to the same; colours may leave that range."""
        if not self.training:
            return images
        images = self._some(images, recoloured(images))
        images = self._some(images, shifted(images))
        return self._some(images, images * cutout(images))

    def _some(self, plain: Tensor, changed: Tensor) -> Tensor:
        if not self.adaptive:
            return changed
        return torch.where(_uniform(plain, 1)[0] < self.chance, changed, plain)

    def note(self, reals: Tensor, undecided: float) -> None:
        """Count the signs of the scores of reals, (N,), that the discriminator was updated on."""
        signs = (reals.detach() - undecided).sign().float()
        self.signs += torch.stack([signs.sum(), signs.new_tensor(float(signs.numel()))])

    def adapt(self) -> None:
        """Move the chance by what was noted, of all ranks: up where reals are known too well."""
        self.gauge += self.signs
        self.signs.zero_()
        total, count = self.gauge
        enough = count >= LEAST
        step = torch.sign(total / count.clamp(min=1) - TARGET) * count / self.pace
        self.chance += torch.where(enough, step, 0.0)
        self.chance.clamp_(0.0, MOST)
        self.gauge *= torch.where(enough, 0.0, 1.0)


def recoloured(images: Tensor) -> Tensor:
    """Brightness plus U(-0.5, 0.5), saturation times U(0, 2), contrast times U(0.5, 1.5)."""
    brightness, saturation, contrast = _uniform(images, 3).to(images.dtype)
    colours, alpha = images[:, :3], images[:, 3:]
    colours = colours + (brightness - 0.5)
    grey = colours.mean(1, keepdim=True)
    colours = grey + 2 * saturation * (colours - grey)
    level = colours.mean((1, 2, 3), keepdim=True)
    colours = level + (0.5 + contrast) * (colours - level)
    return torch.cat([colours, alpha], 1)


def shifted(images: Tensor) -> Tensor:
    """Moved by up to an eighth of each side; what comes in is 0."""
    count, _, height, width = images.shape
    down, right = (round(side / 8) for side in (height, width))
    padded = F.pad(images, (right, right, down, down))
    rows, columns = (
        _whole(images, 2 * reach + 1) + _places(images, side)
        for side, reach in ((height, down), (width, right))
    )
    which = _places(images, count)[:, None, None]
    moved = padded.permute(0, 2, 3, 1)[which, rows[:, :, None], columns[:, None, :]]
    return moved.permute(0, 3, 1, 2)


def cutout(images: Tensor) -> Tensor:
    """(N, 1, H, W): 0 in a rectangle of half of each side around a random place, 1 elsewhere."""
    inside = []
    for side in images.shape[2:]:
        half, place = round(side / 2), _places(images, side)
        first = _whole(images, side + 1 - half % 2) - half // 2
        inside.append((place >= first) & (place < first + half))
    hole = inside[0][:, None, :, None] & inside[1][:, None, None, :]
    return (~hole).to(images.dtype)


def _uniform(images: Tensor, count: int) -> Tensor:
    """(count, N, 1, 1, 1) of U(0, 1), as exact as float32."""
    return images.new_empty((count, len(images), 1, 1, 1), dtype=torch.float32).uniform_()


def _whole(images: Tensor, below: int) -> Tensor:
    """(N, 1) whole numbers from 0 to below - 1."""
    return (_uniform(images, 1).view(-1, 1) * below).long().clamp(max=below - 1)


def _places(images: Tensor, count: int) -> Tensor:
    """(count,): 0, 1, ..."""
    return images.new_tensor(range(count), dtype=torch.int64)

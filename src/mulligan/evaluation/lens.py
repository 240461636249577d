"""How samples become rows that figures compare: by an extractor, or by their coordinates."""

from __future__ import annotations

import os
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache

import torch
from torch import Tensor

from mulligan.data.dataset import DataSet
from mulligan.errors import UsageError
from mulligan.evaluation.reals import named
from mulligan.features.extractor import Extractor
from mulligan.features.names import FOR_DATA, RESIZES
from mulligan.features.open import open_extractor, shipped_beside_data
from mulligan.fields import Field, Image, Points


@dataclass(frozen=True)
class Rows:
    """What a lens makes of samples.

    features: (N, d) float32. probabilities: (N, classes) of the extractor's classes, or (N, 0).
    """

    features: Tensor
    probabilities: Tensor

    def __len__(self) -> int:
        return len(self.features)

    def take(self, rows: Tensor | slice) -> Rows:
        """Some of the rows."""
        return Rows(self.features[rows], self.probabilities[rows])

    @property
    def labels(self) -> Tensor:
        """(N,) int64: the likeliest class of each row. Only where there are classes."""
        return self.probabilities.argmax(dim=1)


@dataclass(frozen=True)
class Lens:
    """An extractor for images; None compares points by coordinates over their scale."""

    extractor: Extractor | None
    scale: float = 1.0

    @property
    def name(self) -> str:
        """The extractor's name, or "points"."""
        return self.extractor.name if self.extractor else "points"

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of the classes that the extractor tells apart; none for most."""
        return self.extractor.classes if self.extractor else ()

    @property
    def digest(self) -> str:
        """sha256 of the extractor's weights; for points, their scale."""
        return self.extractor.digest if self.extractor else f"scale {self.scale:g}"

    @property
    def resize(self) -> str:
        """How images of another size are resized."""
        return self.extractor.resize_mode if self.extractor else "none"

    def rows(self, values: Tensor) -> Rows:
        """values: uint8 (N, C, H, W), or (N, dims) points in data units."""
        if self.extractor is None:
            features = values.float() / self.scale
            return Rows(features, features[:, :0])
        values = values.flatten().view(values.shape)  # another layout is rounded otherwise
        if self.classes:
            return Rows(*self.extractor.judged(values))
        features = self.extractor.features(values)
        return Rows(features, features[:, :0])


def choose(data: DataSet, quick: bool = False) -> tuple[str, str]:
    """The extractor that suits these data, and the reason in words.

    quick: for looks during training, which SqueezeNet at 100 images a second would slow down.
    """
    if isinstance(data.fields["real"], Points):
        return "points", "points are compared by their coordinates"
    if named(data) and data.name in FOR_DATA:
        return FOR_DATA[data.name], f"shipped, for {data.name}"
    if quick:
        return "random", "quick; for looks during training"
    if shipped_beside_data() is not None:
        return "squeezenet", "its weights lie in MULLIGAN_DATA"
    return "random", "no trained extractor is at hand: name one with --extractor and --weights"


def open_lens(
    name: str,
    field: Field,
    *,
    weights: str | None = None,
    download: bool = False,
    resize: str = "antialiased",
    device: str = "cpu",
) -> Lens:
    """The lens of this extractor for these data.

    Raises UsageError if the extractor does not fit points or images, or cannot be opened.
    """
    if resize not in RESIZES:
        raise UsageError(f"--resize {resize} is none of {', '.join(RESIZES)}", "leave it out")
    if isinstance(field, Points) != (name == "points"):
        raise UsageError(
            f"--extractor {name} does not fit {field}",
            "points are compared by --extractor points, images by any other",
        )
    if isinstance(field, Points):
        return Lens(None, field.scale)
    assert isinstance(field, Image)
    age: float = 0
    with suppress(OSError):  # a file that is not there is refused below
        age = os.stat(weights).st_mtime if weights else 0  # noqa: PTH116
    place = f"{weights or ''} {age} {shipped_beside_data()}"
    return Lens(_opened(name, weights, place, download, resize, device))


@lru_cache(maxsize=2)
def _opened(
    name: str, weights: str | None, place: str, download: bool, resize: str, device: str
) -> Extractor:
    """The extractor, read once a process. place: changes where its weights may have changed."""
    return open_extractor(name, weights=weights, download=download, resize=resize, device=device)


def joined(parts: list[Rows]) -> Rows:
    """One after the other."""
    return Rows(
        torch.cat([part.features for part in parts]),
        torch.cat([part.probabilities for part in parts]),
    )

"""The real rows that figures compare with: a split of its own, or the rows held out of training."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from mulligan import places
from mulligan.data.dataset import DataSet
from mulligan.data.framing import Framing
from mulligan.data.names import WITH_TEST
from mulligan.data.open import open_data
from mulligan.data.order import hold_out
from mulligan.data.stream import as_streamed
from mulligan.errors import UsageError
from mulligan.fields import Image

SPLITS = ("auto", "test", "held-out", "train")
LEAST = 50
"""Rows that a figure's interval needs: 20 groups of 2, and some."""

MOST_STREAMED = 10_000
"""Rows of a split that are compared where pictures are streamed: they must fit into memory."""


@dataclass(frozen=True)
class Reals:
    """Real samples, and those a generator was trained on.

    values: what figures compare with, uint8 (N, C, H, W) or points in data units. labels: (N,) or
    None. training: all rows that were trained on. split: "test", "held-out" or "train". training
    and values are the same rows for "train". notes: what the user should know.
    """

    data: DataSet
    split: str
    values: Tensor
    labels: Tensor | None
    training: Tensor
    notes: tuple[str, ...] = ()


def named(data: DataSet) -> bool:
    """Whether this is a data set with a name, and no folder that bears the same."""
    return not places.is_found_anywhere(str(data.manifest["source"]))


def real_rows(data: DataSet, split: str, held_out: float, only_label: str = "") -> Reals:
    """The rows of this split.

    split: "test" for the data's own; "held-out" for those that `held_out`, the run's share, kept
    from training; "train"; "auto" for the first of these that there is.
    Raises UsageError for a split that these data do not have.
    """
    if split not in SPLITS:
        raise UsageError(f"--split {split} is none of {', '.join(SPLITS)}", "--split auto")
    training, held = hold_out(data.arrays["real"], held_out)
    tested = named(data) and data.name in WITH_TEST
    if split == "auto":
        split = "test" if tested else "held-out" if len(held) >= LEAST else "train"
    if split == "test":
        return _tested(data, training, only_label)
    rows = held if split == "held-out" else training
    if len(rows) < LEAST:
        raise UsageError(
            f"{data.name}: {len(rows)} rows of the split {split}, and figures need {LEAST}",
            "--split train compares with the training images, and flatters a generator that "
            "copies them",
        )
    real, labels = data.arrays["real"], data.arrays.get("label")
    rows, training, notes = _few(data, rows), _few(data, training), _notes(data, training)
    labels = None if labels is None else labels[rows]
    return Reals(data, split, real[rows], labels, real[training], notes)


def _few(data: DataSet, rows: Tensor) -> Tensor:
    """These rows; of streamed pictures as many as are compared, drawn once and for all."""
    if as_streamed(data.arrays["real"]) is None or len(rows) <= MOST_STREAMED:
        return rows
    return rows[some(MOST_STREAMED, len(rows), seed=0)]


def _notes(data: DataSet, training: Tensor) -> tuple[str, ...]:
    count = len(_few(data, training))
    if count == len(training):
        return ()
    return (f"the pictures are streamed: {count:,} of {len(training):,} training rows are used",)


def _tested(data: DataSet, training: Tensor, only_label: str) -> Reals:
    field = data.fields["real"]
    size, channels = (field.size, field.channels) if isinstance(field, Image) else (None, None)
    test = open_data(
        data.name,
        size=size,
        channels=channels,
        only_label=only_label or None,
        split="test",
        framing=Framing.of(data.manifest.get("framing", {})),
    )
    return Reals(
        data, "test", test.arrays["real"], test.arrays.get("label"), data.arrays["real"][training]
    )


def some(count: int, of: int, seed: int) -> Tensor:
    """(count,) sorted rows out of `of`, drawn without copies by a private generator."""
    draw = torch.Generator().manual_seed(seed)
    return torch.randperm(of, generator=draw)[:count].sort().values

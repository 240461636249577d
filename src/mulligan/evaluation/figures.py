"""The figures of generated rows against real ones, each with its interval and protocol."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from functools import partial

import torch
from torch import Tensor

from mulligan.errors import UsageError
from mulligan.evaluation.lens import Lens, Rows
from mulligan.features.names import figure_name
from mulligan.metrics.distances import FewSamples, TooFewSamples
from mulligan.metrics.figure import Figure, Stamp
from mulligan.metrics.groups import GROUPS, split_rows
from mulligan.metrics.intervals import Interval, jackknife, wilson
from mulligan.metrics.measure import (
    coverage_figures,
    frechet_figures,
    kernel_figure,
    mind_figure,
)
from mulligan.metrics.score import inception_score

MOST_NEIGHBOURS = 2000
"""Rows of each side in figures of nearest neighbours and in MIND, whose cost would be minutes."""

Notes = list[str]


def distribution_figures(
    real: Rows, generated: Rows, lens: Lens, stamp: Stamp, seed: int = 0
) -> tuple[list[Figure], Notes]:
    """Every figure that these rows allow, and what was left out or is doubtful, in sentences.

    FD at these sizes and in the limit of many samples, KD, MIND, precision, recall, density,
    coverage; with an extractor that tells classes apart, also the score.
    """
    figures, notes = _frechet(real, generated, lens, stamp, seed)
    pair = real.features, generated.features
    figures.append(kernel_figure(*pair, figure_name("KD", lens.name), stamp, seed))
    count = min(len(real), len(generated), MOST_NEIGHBOURS)
    few, fakes = (_some(side, count, seed) for side in pair)
    figures.append(mind_figure(few, fakes, figure_name("MIND", lens.name), stamp, seed))
    figures += coverage_figures(few, fakes, lens.name, stamp, seed)
    if lens.classes:
        figures.append(score_figure(generated, lens, stamp, seed))
    if lens.extractor and lens.extractor.note:
        notes.append(lens.extractor.note)
    return figures, notes


def _frechet(
    real: Rows, generated: Rows, lens: Lens, stamp: Stamp, seed: int
) -> tuple[list[Figure], Notes]:
    name = figure_name("FD", lens.name)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", FewSamples)
        try:
            found = frechet_figures(real.features, generated.features, name, stamp, seed)
        except TooFewSamples as refusal:
            return [], [f"{name} was left out: {refusal.message}; {refusal.suggestion}"]
    return list(found), [f"{name}: {entry.message}" for entry in caught]


def score_figure(generated: Rows, lens: Lens, stamp: Stamp, seed: int = 0) -> Figure:
    """The Inception-style score of an extractor that tells classes apart."""
    name = figure_name("IS", lens.name)
    score = partial(inception_score, splits=1, seed=seed)
    found = jackknife(OneSide(score, generated.probabilities, seed))
    return Figure.of(name, found.expectation(name), (0, len(generated)), stamp)


class OneSide:
    """A figure of generated rows alone, in groups."""

    groups = GROUPS

    def __init__(self, figure: Callable[[Tensor], float], rows: Tensor, seed: int) -> None:
        self._figure, self._parts = figure, split_rows(rows, GROUPS, seed)

    def value(self, keep: Sequence[int]) -> float:
        return self._figure(torch.cat([self._parts[group] for group in keep]))


def _some(rows: Tensor, count: int, seed: int) -> Tensor:
    """`count` of the rows, drawn without copies; all of them in their order if that is all."""
    if count >= len(rows):
        return rows
    draw = torch.Generator().manual_seed(seed)
    return rows[torch.randperm(len(rows), generator=draw)[:count].sort().values]


def label_figures(
    generated: Rows, labels: Tensor, names: Sequence[str], lens: Lens, stamp: Stamp
) -> list[Figure]:
    """Whether samples show the class that was asked for: the share that the extractor agrees on.

    labels: (N,) positions in `names`, which must be the extractor's classes.
    Returns the accuracy of all samples, then of each class that has any. Raises UsageError for
    other classes.
    """
    if tuple(names) != lens.classes:
        raise UsageError(f"the extractor {lens.name} knows other classes than the data")
    right = generated.labels == labels.cpu()
    parts = {"label accuracy": right}
    for place, name in enumerate(names):
        if bool((labels == place).any()):
            parts[f"label accuracy of {name}"] = right[labels.cpu() == place]
    return [share_figure(name, found, stamp) for name, found in parts.items()]


def share_figure(name: str, truths: Tensor, stamp: Stamp, reals: int = 0) -> Figure:
    """The share of true ones among (N,) independent rows, with Wilson's interval."""
    share = float(truths.double().mean())
    low, high = wilson(share, len(truths))
    interval = Interval(
        share, min(low, share), max(high, share), "95 %, Wilson's", "the share among fresh samples"
    )
    return Figure.of(name, interval, (reals, len(truths)), stamp)

"""From samples and real rows to an evaluation: every figure, what zero means, and the verdicts."""

from __future__ import annotations

import time
from dataclasses import dataclass

from PIL.Image import Image as Picture
from torch import Tensor

from mulligan.errors import UsageError
from mulligan.evaluation import memorised, probe
from mulligan.evaluation.cache import cached_figures, cached_rows
from mulligan.evaluation.figures import MOST_NEIGHBOURS, distribution_figures, label_figures
from mulligan.evaluation.lens import Lens, Rows
from mulligan.evaluation.modes_found import class_modes, point_figures
from mulligan.evaluation.reals import LEAST, Reals, some
from mulligan.evaluation.result import Evaluation
from mulligan.fields import Label
from mulligan.metrics.figure import Figure, Stamp


@dataclass(frozen=True)
class Samples:
    """What is evaluated: uint8 (N, C, H, W) or points in data units, and the labels asked for.

    target: its name. images: images seen in training, None for a folder.
    """

    values: Tensor
    target: str
    images: int | None = None
    labels: Tensor | None = None


@dataclass(frozen=True)
class Asked:
    """How to evaluate. count: rows of each side at most. probe: train a fresh critic as well."""

    count: int = 10_000
    seed: int = 0
    probe: bool = False
    device: str = "cpu"


def appraise(
    samples: Samples, reals: Reals, lens: Lens, asked: Asked
) -> tuple[Evaluation, Picture | None]:
    """The evaluation, and a picture of the samples nearest to training images, beside those.

    Real and generated rows are compared in equal numbers. Raises UsageError for too few of them.
    """
    begun = time.monotonic()
    count = min(asked.count, len(samples.values), len(reals.values))
    least, what = (probe.LEAST, "the probe needs") if asked.probe else (LEAST, "figures need")
    if count < least:
        raise UsageError(f"{count} rows to compare, and {what} {least}", "--count 1000")
    stamp = stamp_of(reals, lens, asked.seed)
    rows = cached_rows(lens, reals.values)
    real = rows.take(some(count, len(rows), asked.seed))
    made = lens.rows(samples.values[:count])
    figures, notes = distribution_figures(real, made, lens, stamp, asked.seed)
    notes += reals.notes
    more, verdicts = _modes(samples.values[:count], real, made, reals, lens, stamp)
    figures += more
    figures += _labels(samples, made, reals, lens, stamp)
    baseline, learned = _baseline(reals, real, lens, stamp, asked)
    picture = None
    found = _replay(made, rows, learned, stamp)
    if isinstance(found, str):
        notes.append(found)
    else:
        figures += found.figures
        verdicts.append(found.verdict)
        if samples.values.ndim == 4:
            picture = memorised.pair_picture(samples.values, reals.training, found)
    if asked.probe:
        values = reals.values[some(count, len(rows), asked.seed)]
        figures.append(_probe(values, samples.values[:count], stamp, asked))
    took = round(time.monotonic() - begun, 3)
    name = reals.data.name
    return Evaluation(
        samples.target, name, samples.images, tuple(figures), tuple(baseline), tuple(notes),
        tuple(verdicts), took,
    ), picture  # fmt: skip


def stamp_of(reals: Reals, lens: Lens, seed: int) -> Stamp:
    """The protocol that every figure carries."""
    return {
        "extractor": lens.name,
        "weights": lens.digest,
        "resize": lens.resize,
        "split": reals.split,
        "data": reals.data.name,
        "data_sha256": str(reals.data.manifest["sha256"]),
        "seed": seed,
    }


def _modes(
    values: Tensor, real: Rows, made: Rows, reals: Reals, lens: Lens, stamp: Stamp
) -> tuple[list[Figure], list[str]]:
    found = (
        point_figures(values, reals.data.name, stamp)
        if values.ndim == 2
        else class_modes(real, made, lens, stamp)
    )
    return (found[0], [found[1]]) if found else ([], [])


def _labels(samples: Samples, made: Rows, reals: Reals, lens: Lens, stamp: Stamp) -> list[Figure]:
    """The accuracy of labels, where samples have them and the extractor knows these classes."""
    field = reals.data.fields.get("label")
    if samples.labels is None or not isinstance(field, Label) or field.names != lens.classes:
        return []
    return label_figures(made, samples.labels[: len(made)], field.names, lens, stamp)


def _baseline(
    reals: Reals, real: Rows, lens: Lens, stamp: Stamp, asked: Asked
) -> tuple[list[Figure], Rows | None]:
    """The figures of training rows in the place of samples, and all training rows' features."""
    if reals.split == "train":
        return [], None
    learned = cached_rows(lens, reals.training)
    chosen = some(min(len(real), len(learned)), len(learned), asked.seed + 1)

    def make() -> list[Figure]:
        rows = learned.take(chosen)
        figures, _ = distribution_figures(real, rows, lens, stamp, asked.seed)
        return figures + _modes(reals.training[chosen], real, rows, reals, lens, stamp)[0]

    size = {"real": len(real), "of": len(reals.values), "training": len(learned)}
    return cached_figures({**stamp, **size}, make), learned


def _replay(made: Rows, rows: Rows, learned: Rows | None, stamp: Stamp) -> memorised.Replay | str:
    """What tells of memorisation, or why nothing does. rows: all real ones."""
    if learned is None:
        return "compared with the training images themselves: copies of them look perfect"
    few = made.features[:MOST_NEIGHBOURS]
    count = min(MOST_NEIGHBOURS, len(rows))
    unseen = rows.take(some(count, len(rows), int(stamp["seed"] or 0))).features
    try:
        return memorised.replay(few, learned.features, unseen, str(stamp["extractor"]), stamp)
    except UsageError as refusal:
        return f"memorisation was left out: {refusal.message}"


def _probe(real: Tensor, made: Tensor, stamp: Stamp, asked: Asked) -> Figure:
    found = probe.probe(real, made, seed=asked.seed, device=asked.device)
    entries = {**found.to_json(), "stamp": {**found.stamp, **stamp}}
    return Figure.from_json(entries)

"""Evaluation during training: the figure of progress on rows that no discriminator sees.

Each rank draws and reads its share of the samples; the leading one compares. The same noise and the
same real rows each time, so that two figures of a run differ by its weights and not by luck.
Looking changes nothing: noise has a key of its own, and torch's state is put back.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import Tensor

from mulligan.data.dataset import DataSet
from mulligan.engine.feed import Feed, from_batch
from mulligan.engine.parallel import World
from mulligan.engine.plan import Plan
from mulligan.engine.randomness import key
from mulligan.engine.watching import watching
from mulligan.evaluation.cache import cached_rows
from mulligan.evaluation.lens import Lens, Rows, open_lens
from mulligan.evaluation.progress import Mark, Standing, figure_of, progress_figure
from mulligan.evaluation.reals import LEAST, some
from mulligan.metrics.figure import Figure, Stamp
from mulligan.recipe import Batch, Recipe

COUNT = 500
"""Samples, and real rows at most: a few thousandths of what a run trains on between two figures."""

CHUNK = 64


@dataclass(frozen=True)
class Verdict:
    """What one evaluation found. best: the lowest value so far. stop: why to stop, or empty.

    figure: None where none was due, and on ranks that do not lead.
    """

    figure: Figure | None
    best: bool
    stop: str


class Judge:
    """The evaluations of one run, and what they have found so far."""

    def __init__(self, plan: Plan, feed: Feed) -> None:
        self.every, self.patience = plan["evaluate_every"], plan["patience"]
        self.plan, self.feed = plan, feed
        self.split = "held-out" if len(feed.held_out) >= LEAST else "train"
        source = feed.held_out if self.split == "held-out" else feed.training
        # drawn: files are often sorted by class, and the first rows would show one of them alone
        self.rows = source[some(min(COUNT, len(source)), len(source), seed=0)]
        self.standing = Standing()
        self._lens: Lens | None = None
        self._ready: tuple[Lens, Rows, Stamp] | None = None

    def due(self, tick: int, last: bool) -> bool:
        """Whether to evaluate at this tick, counted from 1. last: the run ends here."""
        possible = self.every > 0 and len(self.rows) >= LEAST
        return possible and (last or tick % self.every == 0)

    def made(self, twin: Recipe, world: World) -> Rows:
        """Samples of the twin, as rows: this rank's share of the fixed noise."""
        chunks = range(0, len(self.rows), CHUNK)[world.share(math.ceil(len(self.rows) / CHUNK))]
        samples = self._samples(twin, chunks)
        self._lens = self._lens or open_run_lens(self.plan, str(self.feed.device))
        return self._lens.rows(samples)

    def look(self, twin: Recipe, made: Rows, round: int, images: int) -> Verdict:
        """Compare all ranks' samples of the twin with the real rows."""
        lens, real, stamp = self._ready = self._ready or self._prepare()
        stamp = {**stamp, "images": images, "averaged": bool(twin.averaged)}
        figure = progress_figure(real, made, lens, stamp)
        best = self.standing.take(Mark.of(figure, round, images))
        return Verdict(figure, best, self.stop())

    def stop(self) -> str:
        """Why to stop, or empty."""
        at = self.standing
        if not self.patience or at.without < self.patience:
            return ""
        return (
            f"{figure_of(self.plan['extractor'])} gained nothing beyond noise in {at.without} "
            f"evaluations; the best was {at.best}, and its checkpoint is kept"
        )

    def _prepare(self) -> tuple[Lens, Rows, Stamp]:
        """The lens, the rows of real data and their protocol, once a run."""
        data = self.plan.data
        lens = self._lens = self._lens or open_run_lens(self.plan, str(self.feed.device))
        real = cached_rows(lens, data.arrays["real"][self.rows])
        return lens, real, self._stamp(data, lens)

    def _stamp(self, data: DataSet, lens: Lens) -> Stamp:
        return {
            "extractor": lens.name,
            "weights": lens.digest,
            "resize": lens.resize,
            "split": self.split,
            "data": data.name,
            "data_sha256": str(data.manifest["sha256"]),
            "seed": self.plan["seed"],
        }

    def _samples(self, twin: Recipe, chunks: Sequence[int]) -> Tensor:
        """Samples in data units, of fixed noise and the conditions of fixed rows.

        chunks: the first rows of the chunks that are wanted.
        """
        seed, field = self.plan["seed"], self.plan.data.fields["real"]
        parts = [self.plan.data.arrays["real"][:0]]
        with watching(twin, key(seed, 0, "evaluate")):
            for start in chunks:
                size = min(CHUNK, len(self.rows) - start)
                parts.append(from_batch(twin.generate(self._batch(twin, start, size)), field))
        return torch.cat(parts)

    def _batch(self, twin: Recipe, start: int, size: int) -> Batch:
        batch = self.feed.fields(self.rows[start : start + size], twin.conditions)
        batch["noise"] = self.feed.noise(size, key(self.plan["seed"], 0, "evaluate", start))
        return batch

    def best(self) -> dict[str, Any] | None:
        """Where the best checkpoint lies and what it scored, for run.json; None before."""
        return asdict(self.standing.best) if self.standing.best else None

    def state(self) -> dict[str, Any]:
        """Part of a checkpoint: a resumed run stops where the uninterrupted one would."""
        return self.standing.state()

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from a state."""
        self.standing = Standing.from_state(state)

    def count_anew(self) -> None:
        """Be patient again: for a run that has stopped for want of gain, and is to go on."""
        if self.stop():
            self.standing.gained, self.standing.without = None, 0


def open_run_lens(plan: Plan, device: str = "cpu") -> Lens:
    """The lens of a run's plan. Raises UsageError if its extractor cannot be opened."""
    field, weights = plan.data.fields["real"], plan["weights"] or None
    return open_lens(plan["extractor"], field, weights=weights, device=device)

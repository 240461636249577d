"""One round: the paper's algorithm box played once, each update on fresh rows and fresh noise."""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor

from mulligan.engine.job import Job
from mulligan.engine.randomness import key, reseed
from mulligan.engine.step import Logged
from mulligan.recipe import Turn

Place = tuple[int, int, int]
Note = Callable[[Turn, Place, Tensor, Logged], None]


def play_round(job: Job, note: Note | None = None) -> None:
    """Play every due turn, then count the images and move the averaged weights.

    note: called after each update with the turn, its place (round, turn, repeat), the rows of the
    data that the global batch held, and what was logged.
    Raises Diverged before a weight moves.
    """
    at, feed, world = job.counters, job.feed, job.world
    now = job.recipe.now = job.recipe.schedule(at.seen, job.total)
    for player in job.stepper.players.values():
        player.apply(now)

    for index, turn in enumerate(job.turns):
        for repeat in range(turn.repeat if turn.due(at.round, at.seen) else 0):
            place = (at.round, index, repeat)
            rows = feed.rows(job.seed, at.attempt, at.drawn, job.batch)
            batch = feed.batch(rows, key(job.seed, at.attempt, "noise", *place), world)
            reseed(key(job.seed, at.attempt, "update", *place, world.rank))
            logged = job.stepper.update(turn, batch, job.batch)
            job.tally.add(turn.player, logged)
            if note is not None:
                note(turn, place, rows, logged)
            at.drawn += job.batch

    at.round += 1
    at.seen += job.batch
    job.twin.update(now.get("ema", 0.0), at.seen, job.batch)

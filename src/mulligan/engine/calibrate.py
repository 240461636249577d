"""How many images fit into a time: measured once, before a run, and then written down.

The clock is read here and never again to steer a run, so that a resume repeats it exactly.
"""

from __future__ import annotations

import math
import statistics
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from typing import Any, NamedTuple

from mulligan.engine.environment import own_threads
from mulligan.engine.job import Job
from mulligan.engine.judge import COUNT
from mulligan.engine.layers import Value
from mulligan.engine.parallel import World
from mulligan.engine.plan import Plan
from mulligan.engine.preview import GRID
from mulligan.engine.rounds import play_round
from mulligan.engine.watching import watching
from mulligan.places import launched_ranks
from mulligan.recipe import Turn

WARM_UP = 0.5  # seconds: the first rounds allocate memory and choose kernels
MEASURE = 2.0  # seconds
LEAST_ROUNDS = 5
HEAVY = 4.0  # seconds: rounds that take so long are not repeated for the measurement's sake
OVERHEAD = 0.11  # share of the time that ticks take: previews, evaluations, checkpoints, reports
LOOKING = 0.05  # share of the time that previews alone may take
LONGEST_CYCLE = 1000  # rounds after which what turns are played is taken to repeat itself

Taken = dict[int, float]
"""Seconds of rounds, by their numbers."""


class Fit(NamedTuple):
    """images: what fits, a whole number of batches, at least one. tick: the least rounds between
    two previews that leave most of the time to the rounds."""

    images: int
    tick: int


def fit(plan: Plan, seconds: float) -> Fit:
    """What training by this plan does in `seconds`, its last preview and evaluation included.

    Rounds of a scratch copy are timed, and a look at it; the run itself starts from the beginning.
    With several ranks all of them measure at once, each on its share of a batch; the leading
    rank's word counts.
    """
    with own_threads():
        job = scratch(plan)
        taken = _rounds_for(job, WARM_UP)
        if sum(taken.values()) < HEAVY:
            taken = _rounds_for(job, MEASURE)
        pace = on_average(job.turns, taken, statistics.median)
        look, image = _look(job)
    last = look + (COUNT * image if plan["evaluate_every"] != 0 else 0.0)
    rounds = int((seconds * (1 - OVERHEAD) - last) / pace)
    return Fit(int(max(1, rounds) * plan["batch"]), math.ceil(look / (LOOKING * pace)))


def _look(job: Job) -> tuple[float, float]:
    """Seconds of a preview, and of each image of it."""
    start = time.perf_counter()
    twin = job.shown()
    middle = time.perf_counter()
    with watching(twin, 0):
        for values in twin.show(job.feed.fixed(GRID, 0)).values():
            values.cpu()  # waits for the device
    end = time.perf_counter()
    return end - start, (end - middle) / GRID


def scratch(plan: Plan, **settled: Any) -> Job:
    """A copy of the run that nothing comes of: this rank alone, on its share of a batch.

    settled: values that differ from the plan's. Sets torch's number of threads.
    """
    share = math.ceil(plan["batch"] / launched_ranks()[1])
    settled = {"tick": 1, "images": 10**12, "batch": share, **settled}
    values = {name: Value(value, "default", "measuring") for name, value in settled.items()}
    return Job(replace(plan, values={**plan.values, **values}), World())


def _rounds_for(job: Job, seconds: float) -> Taken:
    """Each round played for about so long."""
    taken: Taken = {}
    total = 0.0
    while total < seconds or (len(taken) < LEAST_ROUNDS and total < HEAVY):
        number, start = job.counters.round, time.perf_counter()
        play_round(job)
        job.tally.means()  # waits for the device
        job.tally.clear()
        taken[number] = time.perf_counter() - start
        total += taken[number]
    return taken


def on_average(turns: list[Turn], taken: Taken, of: Callable[[list[float]], float]) -> float:
    """Seconds of a round on average, where some turns come every few rounds only.

    Rounds in which the same turns are played are one kind; `of` says what the rounds of a kind
    take, and each kind counts as often as it comes. A kind that was not played takes what all do.
    """
    kinds: dict[tuple[bool, ...], list[float]] = {}
    for number, seconds in taken.items():
        kinds.setdefault(_kind(turns, number), []).append(seconds)
    cycle = min(math.lcm(*(turn.every for turn in turns)), LONGEST_CYCLE)
    shares = Counter(_kind(turns, number) for number in range(cycle))
    every = list(taken.values())
    return sum(share * of(kinds.get(kind, every)) for kind, share in shares.items()) / cycle


def _kind(turns: list[Turn], number: int) -> tuple[bool, ...]:
    """Which turns are played in the round of this number."""
    return tuple(number % turn.every == 0 for turn in turns)

"""How many images fit into a time: measured once, before a run, and then written down.

The clock is read here and never again to steer a run, so that a resume repeats it exactly.
"""

from __future__ import annotations

import math
import statistics
import time
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

WARM_UP = 0.5  # seconds: the first rounds allocate memory and choose kernels
MEASURE = 2.0  # seconds
LEAST_ROUNDS = 5
HEAVY = 4.0  # seconds: rounds that take so long are not repeated for the measurement's sake
OVERHEAD = 0.11  # share of the time that ticks take: previews, evaluations, checkpoints, reports
LOOKING = 0.05  # share of the time that previews alone may take


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
        if sum(taken) < HEAVY:
            taken = _rounds_for(job, MEASURE)
        pace = statistics.median(taken)
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


def _rounds_for(job: Job, seconds: float) -> list[float]:
    """Seconds of each round, for about so long."""
    taken: list[float] = []
    while sum(taken) < seconds or (len(taken) < LEAST_ROUNDS and sum(taken) < HEAVY):
        start = time.perf_counter()
        play_round(job)
        job.tally.means()  # waits for the device
        job.tally.clear()
        taken.append(time.perf_counter() - start)
    return taken

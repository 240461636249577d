"""How many images fit into a time: measured once, before a run, and then written down.

The clock is read here and never again to steer a run, so that a resume repeats it exactly.
"""

from __future__ import annotations

import math
import statistics
import time
from dataclasses import replace
from typing import Any

from mulligan.engine.environment import own_threads
from mulligan.engine.job import Job
from mulligan.engine.layers import Value
from mulligan.engine.parallel import World
from mulligan.engine.plan import Plan
from mulligan.engine.rounds import play_round
from mulligan.places import launched_ranks

WARM_UP = 0.5  # seconds: the first rounds allocate memory and choose kernels
MEASURE = 2.0  # seconds
LEAST_ROUNDS = 5
OVERHEAD = 0.11  # share of the time that ticks take: previews, evaluations, checkpoints, reports


def images_in(plan: Plan, seconds: float) -> int:
    """Images that training by this plan sees in `seconds`, a whole number of batches, at least one.

    Rounds of a scratch copy are timed; the run itself starts from the beginning. With several
    ranks all of them measure at once, each on its share of a batch; the leading rank's word counts.
    """
    with own_threads():
        job = scratch(plan)
        _rounds_for(job, WARM_UP)
        pace = statistics.median(_rounds_for(job, MEASURE))
    rounds = int(seconds * (1 - OVERHEAD) / pace)
    return int(max(1, rounds) * plan["batch"])


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
    while len(taken) < LEAST_ROUNDS or sum(taken) < seconds:
        start = time.perf_counter()
        play_round(job)
        job.tally.means()  # waits for the device
        job.tally.clear()
        taken.append(time.perf_counter() - start)
    return taken

"""The arithmetic that plays a round soonest on this processor: number format and threads.

Measured once, before a run, and then written down: which of the two is quicker depends on the
network, and on who else uses the machine. A resume takes what is written.
"""

from __future__ import annotations

import math
import time
from dataclasses import replace
from itertools import product

import torch

from mulligan.engine.calibrate import OVERHEAD, Taken, on_average, scratch
from mulligan.engine.environment import own_threads
from mulligan.engine.job import Job
from mulligan.engine.layers import Value
from mulligan.engine.plan import Plan
from mulligan.engine.rounds import play_round
from mulligan.fields import Points
from mulligan.places import launched_ranks
from mulligan.words import duration

Way = tuple[str, int]
"""A precision and a number of threads."""

LEAST_ROUNDS = 500
"""A run of fewer rounds is over before a measurement would have paid."""

MEASURE = 2.0
"""Seconds to measure for, about."""

MOST_TIMES = 20

SPELL = 0.02
"""Seconds for which a way is played on end: threads that were idle lose a round in waking up."""

PART, LEAST_ROWS = 16, 4
"""Of a batch whose rounds take longer than the whole measurement should: its part, and rows."""

GAIN = 1.15
"""How much quicker than the plainest way another must be: two runs should not differ by chance."""


def settle_arithmetic(plan: Plan) -> None:
    """Give `precision` and `threads` a value where the plan left them open, with the reason."""
    open_names = [name for name in ("precision", "threads") if plan[name] is None]
    if not open_names:
        return
    every, reason = ways(plan), "the run is too short to measure"
    chosen = every[0]
    if len(every) == 1:
        reason = "the only way here"
    elif pays(plan):
        times = measure(plan, every)
        chosen = quickest(times)
        _say_length(plan, times[chosen])
        reason = ", ".join(
            f"{way[0]} on {way[1]}: {1000 * taken:.1f} ms a round" for way, taken in times.items()
        )
    for name, value in zip(("precision", "threads"), chosen, strict=True):
        if name in open_names:
            plan.values[name] = Value(value, "default", reason)


def pays(plan: Plan) -> bool:
    """Whether the run is long enough for something to be measured before it."""
    return plan["images"] is None or bool(plan["images"] >= LEAST_ROUNDS * plan["batch"])


def _say_length(plan: Plan, taken: float) -> None:
    """Put how long the run takes here beside its number of images. taken: seconds of a round."""
    images = plan.values["images"]
    if images.value is not None:
        whole = images.value / plan["batch"] * taken / (1 - OVERHEAD)
        reason = f"{images.reason}; about {duration(whole)} here"
        plan.values["images"] = replace(images, reason=reason)


def ways(plan: Plan) -> list[Way]:
    """All that the plan leaves open on this processor, the plainest first.

    float32 before bfloat16, which points never take: they lie nearer to each other than its steps.
    """
    precisions, threads = [plan["precision"]], [plan["threads"]]
    if plan["precision"] is None:
        points = isinstance(plan.data.fields["real"], Points)
        precisions = ["float32"] if points or not has_bfloat16() else ["float32", "bfloat16"]
    if plan["threads"] is None:
        most = torch.get_num_threads()
        several = most > 1 and launched_ranks()[1] == 1
        threads = [most, 1] if several else [most]
    return list(product(precisions, threads))


def has_bfloat16() -> bool:
    """Whether the processor multiplies bfloat16 itself; elsewhere it is many times slower."""
    signs = ("_is_avx512_bf16_supported", "_is_amx_tile_supported")  # private: may go one day
    return any(bool(getattr(torch.cpu, sign, bool)()) for sign in signs)


def measure(plan: Plan, every: list[Way]) -> dict[Way, float]:
    """Seconds of a round of each way on average, played in turns on scratch copies of the run.

    Of each kind of rounds the quickest, not the median: what others do on the machine only ever
    adds. Heavy rounds are played with a part of the batch, and their time is carried on in a
    straight line.
    """
    threads = torch.get_num_threads()
    batch = math.ceil(plan["batch"] / launched_ranks()[1])
    part = min(batch, max(LEAST_ROWS, math.ceil(batch / PART)))
    sample = scratch(plan, precision=every[0][0], threads=every[0][1], batch=part)
    first, second = (_play(sample, every[0], number, spell=0) for number in range(2))
    quicker = min(*first.values(), *second.values())
    rows = part if quicker * batch / part > MEASURE else batch
    jobs = {
        name: scratch(plan, precision=name, threads=threads, batch=rows) for name in dict(every)
    }
    taken: dict[Way, Taken] = {way: {} for way in every}
    begun = time.perf_counter()
    for number in range(1 + MOST_TIMES):
        for way in every:
            spell = _play(jobs[way[0]], way, len(taken[way]))
            if number:  # the first allocates memory and chooses kernels
                taken[way] |= spell
        if number and time.perf_counter() - begun > MEASURE:
            break
    turns = jobs[every[0][0]].turns
    return {way: on_average(turns, taken[way], min) * batch / rows for way in every}


def _play(job: Job, way: Way, first: int, spell: float = SPELL) -> Taken:
    """The rounds that a spell holds, one at least, on the way's threads. spell: in seconds.

    first: their first number. Two ways share a job, and each plays the seldom turns in its turn.
    """
    taken: Taken = {}
    job.counters.round = first
    with own_threads(way[1]):
        begun = now = time.perf_counter()
        while not taken or now - begun < spell:
            number = job.counters.round
            play_round(job)
            before, now = now, time.perf_counter()
            taken[number] = now - before
    return taken


def quickest(times: dict[Way, float]) -> Way:
    """The first way, unless another gains enough on it; then the quickest of all."""
    first = next(iter(times))
    best = min(times, key=lambda way: times[way])
    return best if times[first] > GAIN * times[best] else first

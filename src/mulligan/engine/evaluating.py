"""One evaluation during training: each rank draws and reads a share, the leading one compares.

Whatever goes wrong with it, on whichever rank, is said and never stops training.
"""

from __future__ import annotations

import math

from mulligan.engine.job import Job
from mulligan.engine.judge import Verdict
from mulligan.errors import MulliganError
from mulligan.evaluation.lens import Rows, joined
from mulligan.run import Run
from mulligan.screen import Screen


def evaluate(job: Job, run: Run, screen: Screen, last: bool) -> tuple[Verdict, dict[str, float]]:
    """The verdict, on every rank, and what the row says of it, on the leading one. Collective."""
    at = job.counters
    if not job.judge.due(math.ceil(at.round / job.tick), last):
        return Verdict(None, False, ""), {}
    parts = job.world.gather(_part(job))
    looked = _look(job, run, screen, parts) if job.world.leads else None
    figure = looked.figure if looked else None
    best, stop = job.world.tell((looked.best, looked.stop) if looked else None)
    if figure is None:
        return Verdict(None, best, stop), {}
    run.figure({"round": at.round, "images": at.seen, "figures": [figure.to_json()]})
    found = {figure.name: figure.value, "low": figure.low, "high": figure.high}
    return Verdict(figure, best, stop), {f"progress/{word}": v for word, v in found.items()}


def _part(job: Job) -> Rows | str:
    """This rank's samples as rows, or why there are none: all ranks must come to the gathering."""
    twin = job.shown()
    try:
        return job.judge.made(twin, job.world)
    except Exception as error:
        return _said(error)


def _look(job: Job, run: Run, screen: Screen, parts: list[Rows | str]) -> Verdict:
    at, twin = job.counters, job.shown()
    reason = next((part for part in parts if isinstance(part, str)), "")
    if not reason:
        made = joined([part for part in parts if isinstance(part, Rows)])
        try:
            return job.judge.look(twin, made, at.round, at.seen)
        except Exception as error:
            reason = _said(error)
    screen.event({"event": "evaluation failed", "round": at.round, "reason": reason})
    run.event("evaluation failed", round=at.round, images=at.seen, reason=reason)
    return Verdict(None, False, "")


def _said(error: Exception) -> str:
    return error.message if isinstance(error, MulliganError) else repr(error)

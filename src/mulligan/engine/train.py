"""The training loop, from top to bottom, and the two doors to it: train and resume."""

from __future__ import annotations

import time
from functools import partial

from mulligan.engine import records, reopening, transfer
from mulligan.engine.environment import own_threads
from mulligan.engine.job import Job
from mulligan.engine.parallel import joined
from mulligan.engine.plan import Plan
from mulligan.engine.rounds import play_round
from mulligan.engine.stopping import Asked, Stopped, listening
from mulligan.errors import Diverged, MulliganError, UsageError
from mulligan.run import Run
from mulligan.screen import Screen


def play(job: Job, run: Run, screen: Screen, asked: Asked) -> str:
    """Play rounds until all images are seen, nothing is gained any more, or a stop is asked for.

    Everything random is keyed by the place in the run, and the clock is read for display only.
    Returns why it ended. Raises Stopped at a round's boundary, its checkpoint written; Diverged
    before a weight moves.
    """
    at = job.counters
    note = partial(records.trace, run) if job.traced and job.world.leads else None
    resumed_at = time.monotonic() - at.seconds
    while at.seen < job.total:
        play_round(job, note)
        records.lost(job, run, screen)
        at.seconds = time.monotonic() - resumed_at
        screen.progress(at.seen, at.seen / at.seconds)

        # Once a tick: evaluate if it is due, log, draw. Once every few: save and report.
        last = at.seen >= job.total
        if at.round % job.tick == 0 or last:
            verdict = records.tick(job, run, screen, last)
            due = at.round % (job.tick * job.save_every) == 0
            if due or last or verdict.best or verdict.stop:
                records.save(job, run, screen)
            if due or last or verdict.stop:
                records.report(job, run, screen)
            if verdict.stop:
                return verdict.stop

        # Stop where a run can go on exactly.
        if signal := job.world.agree(asked.signal):
            records.save(job, run, screen)
            raise Stopped(signal, run)
    return "all images seen"


def train(plan: Plan, screen: Screen, command: str = "") -> Run:
    """Train a new run to its end and return it.

    plan: every value resolved (`make_plan`). screen: where progress is shown.
    command: what was typed, kept in command.txt.
    Raises UsageError if the run exists, StorageError if it cannot be written, Diverged, Stopped.
    """
    with joined() as world, own_threads(plan["threads"]):
        if plan["batch"] < world.size:
            raise UsageError(
                f"--batch {plan['batch']} leaves some of the {world.size} ranks without a row",
                f"--batch {world.size} or more",
            )
        plan.values = world.tell(plan.values)  # a time measured by each rank is not the same
        run = records.create(plan, world, command)
        with run.lock() if world.leads else records.nobody():
            with records.beginning(run, world):
                job = Job(plan, world)
                if plan.start:
                    transfer.adopt(job, plan.start)
                if world.leads:
                    records.begin(job, run)
                records.save(job, run, screen)
            _to_the_end(job, run, screen)
    return run


def resume(run: Run, screen: Screen, images: str | None = None, device: str | None = None) -> Run:
    """Go on exactly where a run stood, and return it.

    images: a new total ("600k"), or more of them ("+100k"). device: another device; not exact.
    Raises CorruptCheckpoint if no checkpoint verifies, UsageError for a changed config.toml,
    DataError for changed data.
    """
    with (
        joined() as world,
        run.lock() if world.leads else records.nobody(),
        own_threads(),  # the job sets how many
    ):
        job = reopening.reopen(run, world, screen, images, device)
        over = job.counters.seen >= job.total
        if reason := "all images seen" if over else world.tell(job.judge.stop()):
            screen.event({"event": "already done", "images": job.counters.seen, "reason": reason})
            if world.leads:
                run.update(status="done", reason=reason, images=job.counters.seen, total=job.total)
            return run
        _to_the_end(job, run, screen)
    return run


def _to_the_end(job: Job, run: Run, screen: Screen) -> None:
    """Play, and leave the run's status true whatever happens."""
    leads = job.world.leads
    screen.start(records.facts(job, run), job.total)
    with screen:
        try:
            with listening() as asked:
                if leads:
                    run.update(status="running", reason="")
                reason = play(job, run, screen, asked)
        except BaseException as error:
            status = {Stopped: "stopped", Diverged: "diverged"}.get(type(error), "crashed")
            reason = error.message if isinstance(error, MulliganError) else repr(error)
            if leads:
                records.close(job, run, screen, status, reason)
            raise
        if leads:
            records.close(job, run, screen, "done", reason)

"""What a run leaves behind: its folder at the start, a row a tick, checkpoints, its status."""

from __future__ import annotations

import gc
import math
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from hashlib import blake2b
from pathlib import Path

from torch import Tensor

from mulligan.disk import replace
from mulligan.engine import checkpoint, preview
from mulligan.engine.environment import environment
from mulligan.engine.evaluating import evaluate
from mulligan.engine.job import Job
from mulligan.engine.judge import Verdict
from mulligan.engine.parallel import World
from mulligan.engine.plan import Plan
from mulligan.engine.step import Logged
from mulligan.errors import Diverged, MulliganError, StorageError
from mulligan.eventfiles import check_tensorboard, write_events
from mulligan.recipe import Turn
from mulligan.report import write_report
from mulligan.run import Run
from mulligan.screen import Screen

RETRY_SAVE_AFTER = (1, 4)  # seconds; a disk that was full for a moment does not end a run


@contextmanager
def nobody() -> Iterator[None]:
    """In place of the writer's lock, for ranks that write nothing."""
    yield


def create(plan: Plan, world: World, command: str) -> Run:
    """The new run's folder, with what was decided written down. Collective."""
    path = None
    if plan["tensorboard"]:
        check_tensorboard()
    if world.leads:
        stem = f"{Path(plan.data.name).stem or plan.data.name}-{plan.recipe_name}"
        stem = "".join(c if c.isalnum() or c in "-_." else "-" for c in stem).strip("-.")
        run = Run.create(Path(plan["runs_dir"]), plan["name"] or None, stem, force=plan["force"])
        path = run.path
        replace(run.command, f"{command}\n".encode())
        run.write_config(plan.stored())
        run.write_json("data.json", plan.data.manifest)
        run.write_json("env.json", environment(plan["device"], world.size))
        run.update(
            status="created",
            recipe=plan.recipe_name,
            data=plan.data.name,
            images=0,
            total=plan["images"],
        )
    return Run(Path(world.tell(path)))


@contextmanager
def beginning(run: Run, world: World) -> Iterator[None]:
    """Until the first checkpoint: an error leaves a run that says so; it cannot be resumed."""
    try:
        yield
    except BaseException as error:
        reason = error.message if isinstance(error, MulliganError) else repr(error)
        with suppress(StorageError):
            if world.leads:
                run.update(status="crashed", reason=reason)
        if isinstance(error, StorageError):
            hint = error.suggestion.replace("then resume the run", "then train again")
            raise StorageError(error.message, hint) from error
        raise


def begin(job: Job, run: Run) -> None:
    """The pictures before the first step: what training sees, and what noise looks like."""
    preview.draw_first_batch(job, run)
    preview.draw(job, run)


def facts(job: Job, run: Run) -> dict[str, str]:
    """What the screen says before the first row."""
    plan, data = job.plan, job.plan.data

    def why(name: str) -> str:
        reason = plan.values[name].reason
        return "" if reason == "given" else f" ({reason})"

    where = f"cpu (threads: {plan['threads']})" if job.device == "cpu" else job.device
    return {
        "run": str(run.path),
        "recipe": plan.recipe_name + why("recipe"),
        "data": f"{data.name}: {len(data):,} {data.fields['real']}",
        "length": f"{job.total:,} images" + why("images"),
        "training": f"batches of {job.batch}, {job.precision} on {where}, seed {job.seed}",
    }


def trace(run: Run, turn: Turn, place: tuple[int, int, int], rows: Tensor, logged: Logged) -> None:
    """Append one update to trace.jsonl: which samples it saw and what came out, to the last bit."""
    samples = blake2b(rows.numpy().tobytes(), digest_size=8).hexdigest()
    values = {name: float(value).hex() for name, value in logged.items()}
    run.trace_row(
        {
            "round": place[0] + 1,
            "turn": place[1],
            "repeat": place[2],
            "player": turn.player,
            "samples": samples,
            "values": values,
        }
    )


def tick(job: Job, run: Run, screen: Screen, last: bool) -> Verdict:
    """Evaluate if it is due, log the means since the last tick, draw the preview. Collective.

    last: the run ends here. Returns what the evaluation found, the same on every rank.
    """
    at = job.counters
    verdict, found = evaluate(job, run, screen, last)
    skipped = job.stepper.skipped_updates()
    if skipped and job.world.leads:
        run.event("skipped", round=at.round, updates=skipped)
    means = job.tally.means()
    for name, value in means.items():
        if not math.isfinite(value):  # only where the gate lies on the device, see Stepper
            raise Diverged(
                f"{name} is not finite by round {at.round}",
                "lower the rate (--rate), or start again with another --seed",
            )
    seen, seconds = job.last_tick
    rate = (at.seen - seen) / max(at.seconds - seconds, 1e-9)
    row = {
        "round": at.round,
        "images": at.seen,
        "seconds": round(at.seconds, 3),
        **means,
        **found,
        "rate/images_per_second": round(rate, 1),
    }
    job.tally.clear()
    job.last_tick = (at.seen, at.seconds)
    if job.world.leads:
        run.log(row)
        screen.row(row)
        preview.draw(job, run)
    return verdict


def lost(job: Job, run: Run, screen: Screen) -> None:
    """Name the streamed files that could not be read any more since this was last asked."""
    for file, reason in job.feed.lost():
        screen.event({"event": "file lost", "file": file, "reason": reason})
        if job.world.leads:
            run.event("file lost", round=job.counters.round, file=file, reason=reason)


def save(job: Job, run: Run, screen: Screen) -> None:
    """Write a checkpoint of this round, unless there is one. Collective.

    A failing disk is tried again with pauses, then StorageError; older checkpoints stay.
    """
    tensors = job.tensors()
    if not job.world.leads or checkpoint.latest_round(run.checkpoints) == job.counters.round:
        return
    for pause in (*RETRY_SAVE_AFTER, None):
        try:
            checkpoint.save(
                run.checkpoints, job.counters.round, tensors, job.state(), keep=_kept(job)
            )
            break
        except StorageError as error:
            if pause is None:
                raise
            screen.event({"event": "save failed", "reason": error.message, "again_in": pause})
            with suppress(StorageError):  # the log may lie on the same full disk
                run.event("save failed", reason=error.message, again_in=pause)
            time.sleep(pause)
    run.event("save", round=job.counters.round, images=job.counters.seen)
    run.update(images=job.counters.seen, total=job.total, best=job.judge.best())


def _kept(job: Job) -> checkpoint.Keep:
    """The newest three, the best, and every so many saves."""
    every = job.plan["keep_every"] * job.tick * job.save_every
    rule = checkpoint.keep_last_and_every(every=every)
    best = job.judge.standing.best
    return lambda rounds: rule(rounds) | ({best.round} if best else set())


def report(job: Job, run: Run, screen: Screen) -> None:
    """Rewrite the report. Whatever goes wrong with it is said, and never stops training."""
    if not job.world.leads:
        return
    try:
        write_report(run)
        if job.plan["tensorboard"]:
            write_events(run)
    except Exception as error:
        run.event("report failed", reason=repr(error))
        screen.event({"event": "report failed", "reason": repr(error)})
    gc.collect()  # drawings refer to themselves: a megabyte a report stayed for very long


def close(job: Job, run: Run, screen: Screen, status: str, reason: str) -> None:
    """Write the final status, the last report, and tell the user what to do next."""
    at = job.counters
    try:
        lost(job, run, screen)
        run.update(status=status, reason=reason, images=at.seen, total=job.total)
        run.event(status, round=at.round, images=at.seen, reason=reason)
        if status == "done":
            preview.draw_film(run, job.plan.data.fields["real"])
        report(job, run, screen)
    except StorageError:
        if status != "crashed":  # the first error is the one to report
            raise
    screen.finish(
        status,
        [
            f"run      {run.path}",
            f"report   {run.report}",
            f"sample   mulligan sample {run.path} --out grid.png"
            if status == "done"
            else f"go on    mulligan resume {run.path}",
        ],
    )

"""The Python interface: the same words as the command line."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from mulligan.engine import train as engine
from mulligan.engine.plan import make_plan
from mulligan.errors import UsageError
from mulligan.run import Run
from mulligan.screen import make_screen


def train(data: str | Path, *, log: str = "plain", **options: Any) -> Run:
    """Train a generator and return its run.

    data: a folder, a zip, a name such as "digits", or "2d:ring".
    options: the options and knobs of `mulligan train` as keywords (recipe, size, images, time,
    seed, penalty, ...). log: rich, plain, json or none.
    Raises the errors of mulligan.errors; Ctrl-C leaves a run that resumes.
    """
    plan = make_plan(str(data), options)
    if plan["dry_run"]:
        raise UsageError(
            "train() returns a run, and with dry_run there is none",
            "mulligan.engine.plan.make_plan(data, options) returns the plan",
        )
    words = " ".join(f"{name}={value!r}" for name, value in options.items())
    return engine.train(plan, make_screen(log), f"mulligan.train({str(data)!r}, {words})")


def resume(
    run: str | Path | Run,
    *,
    images: str | int | None = None,
    runs_dir: str | Path = "runs",
    log: str = "plain",
) -> Run:
    """Go on exactly where a run stood, and return it.

    run: a Run, or a path, name, unique prefix or "@last". images: a new total, or "+100k".
    """
    found = run if isinstance(run, Run) else Run.find(run, Path(runs_dir))
    return engine.resume(found, make_screen(log), None if images is None else str(images))

"""Runs of a campaign: started, resumed or taken as they are, by what they were asked to do.

A run's name holds a hash of data, recipe and every option, so that a table can be made over several
sittings and nothing is trained twice.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import mulligan
from mulligan.disk import tidy_name
from mulligan.engine import checkpoint
from mulligan.engine.calibrate import fit
from mulligan.engine.plan import make_plan
from mulligan.errors import Diverged
from mulligan.run import Run


def finished(data: str, runs_dir: Path, **options: Any) -> Run:
    """The finished run of these options: found, resumed or trained now.

    data: as `mulligan train` takes it. options: options and knobs of the run.
    """
    run = _run(data, runs_dir, options)
    if (
        run.path.exists()
        and checkpoint.published(run.checkpoints)
        and _as_today(run, data, options)
    ):
        if run.info()["status"] != "done":
            mulligan.resume(run)
        return run
    return mulligan.train(data, runs_dir=str(runs_dir), name=run.name, force=True, **options)


def tried(data: str, runs_dir: Path, **options: Any) -> Run:
    """The same, where a run that diverges is a finding and ends there."""
    run = _run(data, runs_dir, options)
    if run.path.exists() and run.info()["status"] == "diverged" and _as_today(run, data, options):
        return run
    try:
        return finished(data, runs_dir, **options)
    except Diverged:
        return run


def pace(data: str, home: Path, name: str, **options: Any) -> dict[str, Any]:
    """{"images_per_second", "precision", "threads"} of such a run on this machine, ticks included.

    Measured once, so measure on a machine that does nothing else, and kept under `name` in home.
    """
    kept = home / f"pace-{Path(data).name}-{tidy_name(name)}.json"
    if not kept.exists():
        plan = make_plan(data, {**options, "device": "cpu", "images": 10**9})
        chosen = {word: plan[word] for word in ("precision", "threads")}
        images = fit(plan, 1000.0).images
        kept.parent.mkdir(parents=True, exist_ok=True)
        kept.write_text(json.dumps({"images_per_second": images / 1000, **chosen}))
    return dict(json.loads(kept.read_text()))


def _as_today(run: Run, data: str, options: dict[str, Any]) -> bool:
    """Whether the run's settings are those that the same options give now.

    A default may have changed since. A knob that there was not then counts as its own default,
    which leaves a recipe as it was; what the recipe prefers for these data may not.
    """
    quick = {"precision": "float32", "threads": 1, "device": "cpu", "pieces": 1}
    now, kept = make_plan(data, {**options, **quick}).settings, run.config()
    then = {name: field.default for name, field in type(now).model_fields.items()}
    then |= {name: entry["value"] for name, entry in kept.items()}
    changed = [name for name, value in now.model_dump().items() if value != then[name]]
    if changed:
        print(f"{run.name} is trained anew: {', '.join(changed)} changed", flush=True)
    return not changed


def _run(data: str, runs_dir: Path, options: dict[str, Any]) -> Run:
    asked = json.dumps([data, options], sort_keys=True, default=str)
    words = [Path(data).name, *(str(options[k]) for k in ("recipe", "preset") if k in options)]
    stem = "-".join([*words, f"seed{options.get('seed', 0)}"]).replace(":", "-")
    return Run(runs_dir / f"{stem}-{hashlib.sha256(asked.encode()).hexdigest()[:8]}")

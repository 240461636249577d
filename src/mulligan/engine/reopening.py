"""Reopening a run: the plan it was trained by, from its newest checkpoint, and nothing else."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import torch

from mulligan.catalogue import is_path, load_recipe
from mulligan.data.framing import Framing
from mulligan.data.open import open_data
from mulligan.engine import checkpoint
from mulligan.engine.checkpoint import Checkpoint
from mulligan.engine.choose import check_device
from mulligan.engine.environment import differences, environment
from mulligan.engine.job import SCHEMA, Job
from mulligan.engine.layers import Problems
from mulligan.engine.parallel import World
from mulligan.engine.plan import Plan, Value
from mulligan.engine.readers import images as count
from mulligan.errors import DataError, UsageError
from mulligan.fields import Image, fields_from_json, fields_to_json
from mulligan.places import shown
from mulligan.recipe import Recipe
from mulligan.run import Run
from mulligan.screen import Screen

MAY_CHANGE = ("images", "device")
"""What a resume may be asked to change; config.toml then holds the newest word."""


def trained_recipe(found: Checkpoint) -> type[Recipe]:
    """The recipe class of a checkpoint.

    A user's own file is run only from the absolute path it was trained from, only unchanged, and
    never from the run's own folder: what came with a run may be a stranger's.
    """
    if (schema := found.state.get("schema")) != SCHEMA:
        raise UsageError(
            f"{found.path} has schema {schema}, this version reads {SCHEMA}: its networks are laid "
            "out otherwise",
            "use the version of mulligan that made it, or train again",
        )
    name, file = found.state["recipe"]["name"], found.state["recipe"]["file"]
    if file is None and is_path(name):
        raise UsageError(f"the recipe {name} of this run is a file that nobody vouched for")
    if file is None:
        return load_recipe(name)
    path = Path(file["path"])
    if not path.is_absolute() or not path.is_file():
        raise UsageError(f"the recipe file {path} of this run is gone", "put it back")
    folder = found.path.resolve()
    run = Run(folder.parent.parent)
    home = run.path if folder.parent == run.checkpoints else folder
    if home in path.resolve().parents or path.resolve() != path:  # a link could lead there later
        raise UsageError(
            f"the recipe file {path} lies in the run's own folder or behind a link; it is not run",
            "only the file that the run was trained from is executed: put it back there",
        )
    if hashlib.sha256(path.read_bytes()).hexdigest() != file["sha256"]:
        raise UsageError(
            f"the recipe file {path} has changed since this run was trained",
            f"put the old version back, or start a new run: mulligan train DATA --recipe {path}",
        )
    return load_recipe(str(path))


def reopen(run: Run, world: World, screen: Screen, images: str | None, device: str | None) -> Job:
    """The job of a run at its newest valid checkpoint, ready to go on."""
    if world.leads:
        checkpoint.clean(run.checkpoints)
        run.mend_logs()
    found = checkpoint.load_newest(
        run.checkpoints, lambda text: screen.event({"event": "warning", "text": text})
    )
    state = found.state
    values = _values(run, state, images, device)
    data = _same_data(run, state)
    recipe = trained_recipe(found)
    settings = recipe.Settings(**state["settings"])
    plan = Plan(
        data=data,
        recipe=recipe,
        recipe_name=state["recipe"]["name"],
        recipe_file=state["recipe"]["file"],
        settings=settings,
        values=values,
    )
    job = Job(plan, world)
    job.restore(found)
    if _was_over(run, found.round):
        job.judge.count_anew()
    if world.leads:
        checkpoint.set_aside(run.checkpoints, found.round)
        run.write_config(plan.stored())
        run.update(best=job.judge.best())  # of this checkpoint; a newer one may be damaged
        _announce(run, job, screen)
    return job


def _was_over(run: Run, round: int) -> bool:
    """Whether the run has ended at this round before, so that who resumes it wants it to go on.

    One that was killed just before it could say so is to end there, as if nothing had happened.
    """
    ends = [e.get("round") for e in run.events() if e.get("event") == "done"]
    return run.info()["status"] == "done" or round in ends


def _values(
    run: Run, state: dict[str, Any], images: str | None, device: str | None
) -> dict[str, Value]:
    kept = run.config()
    values = {}
    for name, value in state["values"].items():
        entry = kept.get(name, {})
        if name in MAY_CHANGE:
            value = entry.get("value", value)
        elif value is not None and entry.get("value") != value:
            raise UsageError(
                f"config.toml says {name} = {entry.get('value')!r}, this run was trained with "
                f"{value!r}; a resumed run keeps its settings",
                f"put {value!r} back, or start a new run: mulligan train DATA --config "
                f"{run.path / 'config.toml'}",
            )
        values[name] = Value(value, entry.get("origin", "default"), entry.get("reason", ""))
    now = Value(torch.get_num_threads(), "default", "as many as there are")
    values.setdefault("threads", now)  # runs of earlier versions left them unsaid
    if images is not None:
        total = int(values["images"].value)
        total = total + count(images[1:]) if images.startswith("+") else count(images)
        if total < state["counters"]["seen"]:
            raise UsageError(
                f"--images {images} is less than the {state['counters']['seen']} images seen",
                "give a larger total, or more images as +100k",
            )
        values["images"] = Value(total, "flag", "changed at a resume")
    if device is not None:
        values["device"] = Value(device, "flag", "changed at a resume")
    problems = Problems()
    check_device(str(values["device"].value), problems)  # it may be another machine
    problems.raise_any()
    return values


def _same_data(run: Run, state: dict[str, Any]) -> Any:
    fields = fields_from_json(state["fields"])
    real, name = fields["real"], state["data"]["name"]
    size, channels = (real.size, real.channels) if isinstance(real, Image) else (None, None)
    only = state["values"].get("only_label") or None
    framing = Framing.of(state["values"])
    data = open_data(name, size=size, channels=channels, only_label=only, framing=framing)
    if fields_to_json(data.fields) != state["fields"]:
        raise DataError(
            f"the classes or the shape of {shown(name)} are not those this run was trained on",
            "put the old names back, or start a new run",
        )
    if data.manifest["sha256"] != state["data"]["sha256"]:
        raise DataError(
            f"the data in {shown(name)} are not those this run was trained on: "
            f"{_what_changed(run, data.manifest)} (sha256 {data.manifest['sha256'][:12]}..., then "
            f"{state['data']['sha256'][:12]}...)",
            "put the old data back, or start a new run",
        )
    return data


def _what_changed(run: Run, manifest: dict[str, Any]) -> str:
    """Which files differ from those in the run's data.json, one of each kind by name."""
    try:
        listed = run.read_json("data.json")["files"]
        if isinstance(listed, dict) or isinstance(manifest["files"], dict):  # too many to be listed
            return " where there were ".join(map(_how_many, (manifest["files"], listed)))
        before = {file["file"]: file["bytes"] for file in listed}
    except (OSError, ValueError, KeyError, TypeError):
        return "its data.json cannot be read"
    now = {file["file"]: file["bytes"] for file in manifest["files"]}
    kinds = {
        "gone or unusable": sorted(before.keys() - now.keys()),
        "new": sorted(now.keys() - before.keys()),
        "of another size": sorted(n for n in before.keys() & now.keys() if before[n] != now[n]),
    }
    said = [f"{len(names)} {kind}, such as {names[0]}" for kind, names in kinds.items() if names]
    return "; ".join(said) or "the same files by name and size, with other content"


def _how_many(files: Any) -> str:
    if isinstance(files, dict):
        return f"{files['count']} files of {files['bytes']} bytes"
    return f"{len(files)} files of {sum(file['bytes'] for file in files)} bytes"


def _announce(run: Run, job: Job, screen: Screen) -> None:
    """Write the resume down, and say whether it is exact."""
    now = environment(job.device, job.world.size)
    changed = differences(run.read_json("env.json"), now)
    exact = f"no ({', '.join(changed)})" if changed else "yes"
    at = job.counters
    run.event("resume", round=at.round, images=at.seen, exact=exact)
    if job.traced:
        run.trace_row({"event": "resume", "round": at.round})
    screen.event({"event": "resume", "round": at.round, "images": at.seen, "exact resume": exact})

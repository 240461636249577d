"""Killed at any moment and resumed, a run equals the uninterrupted one to the last bit."""

from __future__ import annotations

import hashlib
import os
import random
import shutil
import signal
import time
from pathlib import Path

import pytest

from engine.runner import OPTIONS, SMALL, start
from mulligan.catalogue import recipe_names
from mulligan.engine import checkpoint
from mulligan.run import Run

LONGEST = 60  # seconds for one child


def options(recipe: str) -> dict:
    return {"data": "digits", "recipe": recipe, **OPTIONS, **SMALL}


def facts(run: Run) -> dict:
    """All that must be equal: every update, the rows of the log, the final tensors and picture."""
    rows = [
        {key: value for key, value in row.items() if key not in ("seconds", "time")}
        for row in run.rows()
    ]
    for row in rows:
        row.pop("rate/images_per_second")
    newest = checkpoint.load_newest(run.checkpoints, lambda text: None)
    tensors = {
        f"{file}/{name}": hashlib.sha256(tensor.contiguous().numpy().tobytes()).hexdigest()
        for file, named in newest.tensors.items()
        for name, tensor in named.items()
    }
    pictures = {path.name: path.read_bytes() for path in run.samples.iterdir()}
    return {
        "trace": [row for row in run.trace_rows() if "event" not in row],
        "rows": rows,
        "round": newest.round,
        "tensors": tensors,
        "pictures": pictures,
    }


def uninterrupted(recipe: str, folder: Path) -> tuple[dict, float]:
    began = time.monotonic()
    child = start(folder, "whole", options(recipe), resume=False)
    child.join(LONGEST)
    assert child.exitcode == 0
    return facts(Run(folder / "whole")), time.monotonic() - began


def kill_and_resume(recipe: str, folder: Path, kills: int, chance: random.Random) -> int:
    """Kill the run's process group so many times; returns how many kills hit a save.

    A run that ends between two kills is compared and started anew.
    """
    expected, seconds = uninterrupted(recipe, folder)
    run, hits, done, over = Run(folder / "killed"), 0, 0, False
    while done < kills or not over:
        started = run.path.exists() and bool(checkpoint.published(run.checkpoints))
        if over or not started:
            shutil.rmtree(run.path, ignore_errors=True)
        child = start(folder, "killed", options(recipe), resume=started and not over)
        child.join(chance.uniform(0.05, seconds / 2) if done < kills else LONGEST)
        if child.is_alive():
            os.killpg(child.pid, signal.SIGKILL)
            child.join(LONGEST)
            done += 1
            hits += any(run.checkpoints.glob(".tmp-*"))
        over = child.exitcode == 0
        assert over or child.exitcode == -signal.SIGKILL
        if over:
            assert facts(run) == expected
    return hits


@pytest.mark.parametrize("recipe", recipe_names())
def test_kills_do_not_change_a_run(recipe, tmp_path):
    kill_and_resume(recipe, tmp_path, 3, random.Random(recipe))


@pytest.mark.long
def test_two_hundred_kills(tmp_path):
    chance = random.Random(2)
    names = recipe_names()
    each = 200 // len(names)
    hits = sum(kill_and_resume(name, tmp_path / name, each, chance) for name in names)
    print(f"{hits} of {each * len(names)} kills inside a save")
    assert hits >= each * len(names) / 5


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_signal_leaves_a_checkpoint_at_the_current_round(number, code, tmp_path):
    expected, _ = uninterrupted("gan", tmp_path)
    child = start(tmp_path, "killed", options("gan"), resume=False)
    run = Run(tmp_path / "killed")
    while not run.path.exists() or len(run.trace_rows()) < 40:
        time.sleep(0.01)
    os.kill(child.pid, number)
    child.join(LONGEST)
    assert child.exitcode == code
    assert run.info()["status"] == "stopped"
    last = run.trace_rows()[-1]["round"]
    assert checkpoint.latest_round(run.checkpoints) == last < 300
    child = start(tmp_path, "killed", options("gan"), resume=True)
    child.join(LONGEST)
    assert facts(run) == expected

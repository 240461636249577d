"""Kill a run at random moments, resume it, and compare it with an uninterrupted one."""

from __future__ import annotations

import hashlib
import os
import random
import shutil
import signal
import time
from multiprocessing.process import BaseProcess
from pathlib import Path

from engine.runner import OPTIONS, SMALL, start
from mulligan.engine import checkpoint
from mulligan.run import Run

AIMED = 0.4  # share of the kills that wait for the next save: a save is short, chance misses it
LONGEST = 600  # seconds for one child, on a machine that others may use


def options(recipe: str, device: str = "cpu") -> dict:
    return {"data": "digits", "recipe": recipe, **OPTIONS, **SMALL, "device": device}


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


def differences(one: dict, other: dict) -> list[str]:
    """What differs between the facts of two runs, the first of a kind."""
    found = [f"{key}: {one[key]} and {other[key]}" for key in ("round",) if one[key] != other[key]]
    for key in ("trace", "rows"):
        pairs = zip(one[key], other[key], strict=False)
        found += [f"{key}: {a} and {b}" for a, b in pairs if a != b][:1]
        if len(one[key]) != len(other[key]):
            found.append(f"{key}: {len(one[key])} and {len(other[key])} of them")
    for key in ("tensors", "pictures"):
        names = sorted(one[key].keys() | other[key].keys())
        found += [f"{key}: {n}" for n in names if one[key].get(n) != other[key].get(n)]
    return found


def uninterrupted(recipe: str, folder: Path, device: str = "cpu") -> tuple[dict, float]:
    began = time.monotonic()
    child = start(folder, "whole", options(recipe, device), resume=False)
    child.join(LONGEST)
    assert child.exitcode == 0
    return facts(Run(folder / "whole")), time.monotonic() - began


def wait_for_a_save(child: BaseProcess, run: Run) -> None:
    """Return while a checkpoint is being written, or when the child has ended."""
    while child.is_alive() and not any(run.checkpoints.glob(".tmp-*")):
        time.sleep(0.0005)


def kill_and_resume(
    recipe: str, folder: Path, kills: int, chance: random.Random, device: str = "cpu"
) -> int:
    """Kill the run's process group so many times; returns how many kills hit a save.

    A run that ends between two kills is compared and started anew.
    """
    expected, seconds = uninterrupted(recipe, folder, device)
    run, hits, done, over = Run(folder / "killed"), 0, 0, False
    while done < kills or not over:
        started = run.path.exists() and bool(checkpoint.published(run.checkpoints))
        if over or not started:
            shutil.rmtree(run.path, ignore_errors=True)
        child = start(folder, "killed", options(recipe, device), resume=started and not over)
        child.join(chance.uniform(0.05, seconds / 2) if done < kills else LONGEST)
        if done < kills and chance.random() < AIMED:
            wait_for_a_save(child, run)
        if child.is_alive():
            os.killpg(child.pid, signal.SIGKILL)
            child.join(LONGEST)
            done += 1
            hits += any(run.checkpoints.glob(".tmp-*"))
        over = child.exitcode == 0
        assert over or child.exitcode == -signal.SIGKILL
        if over:
            found = differences(expected, facts(run))
            assert not found, "\n".join(found)
    return hits

"""Killed at any moment and resumed, a run equals the uninterrupted one to the last bit."""

from __future__ import annotations

import os
import random
import signal
import time

import pytest

from engine.killing import LONGEST, facts, kill_and_resume, options, uninterrupted
from engine.runner import start
from mulligan.catalogue import recipe_names
from mulligan.engine import checkpoint
from mulligan.run import Run

KILLS = 200 // len(recipe_names())


@pytest.mark.parametrize("recipe", recipe_names())
def test_kills_do_not_change_a_run(recipe, tmp_path):
    kill_and_resume(recipe, tmp_path, 3, random.Random(recipe))


@pytest.mark.long
@pytest.mark.parametrize("recipe", recipe_names())
def test_two_hundred_kills(recipe, tmp_path):
    hits = kill_and_resume(recipe, tmp_path, KILLS, random.Random(2))
    assert hits >= KILLS / 5  # inside a save


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

"""Exact resume in one process: at every step of two epochs, and what it depends on.

Killed processes are in test_kill.py.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from mulligan.catalogue import recipe_names
from mulligan.engine import checkpoint
from mulligan.engine.job import Job
from mulligan.engine.parallel import World
from mulligan.engine.plan import make_plan
from mulligan.engine.rounds import play_round
from mulligan.engine.tally import Tally

ROWS, BATCH = 100, 6  # 17 batches an epoch: the last straddles two epochs
ROUNDS = 35


@pytest.fixture(autouse=True)
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def small_plan(recipe: str, monkeypatch: pytest.MonkeyPatch, **options):
    """A plan on 100 digits; small networks."""
    from mulligan.data import open as opening

    real_open = opening.open_data

    def few(name, **shape):
        data = real_open(name, **shape)
        arrays = {key: values[:ROWS] for key, values in data.arrays.items()}
        object.__setattr__(data, "arrays", arrays)
        return data

    monkeypatch.setattr(opening, "open_data", few)
    small = {"width": 4, "latent": 4, "batch": BATCH, "images": BATCH * ROUNDS, "held_out": 0}
    return make_plan("digits", {"recipe": recipe, "device": "cpu", **small, **options})


class Notes(list):
    """What every update saw and gave, to the last bit."""

    def __call__(self, turn, place, rows, logged):
        values = {name: float(value).hex() for name, value in logged.items()}
        self.append((place, turn.player, rows.tolist(), values))


def finish(job: Job) -> tuple[Notes, dict]:
    notes = Notes()
    while job.counters.round < ROUNDS:
        play_round(job, notes)
    return notes, snapshot(job)


def snapshot(job: Job) -> dict[str, torch.Tensor]:
    return {
        f"{file}/{name}": tensor.clone()
        for file, tensors in job.tensors().items()
        for name, tensor in tensors.items()
    }


def save(job: Job, folder: Path) -> checkpoint.Checkpoint:
    path = checkpoint.save(folder, job.counters.round, job.tensors(), job.state())
    return checkpoint.load(path)


def same(first: dict, second: dict) -> bool:
    return first.keys() == second.keys() and all(torch.equal(first[k], second[k]) for k in first)


def test_resume_at_every_step_of_two_epochs(tmp_path, monkeypatch):
    plan = small_plan("gan", monkeypatch)
    notes, tensors = finish(Job(plan, World()))
    job = Job(plan, World())
    for at in range(1, ROUNDS):
        play_round(job)
        resumed = Job(plan, World())
        resumed.restore(save(job, tmp_path / str(at)))
        again, last = finish(resumed)
        assert again == [note for note in notes if note[0][0] >= at]
        assert same(last, tensors)


@pytest.mark.parametrize("recipe", recipe_names())
@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_every_recipe_resumes_exactly(recipe, precision, tmp_path, monkeypatch):
    plan = small_plan(recipe, monkeypatch, precision=precision)
    notes, tensors = finish(Job(plan, World()))
    job = Job(plan, World())
    for _ in range(9):
        play_round(job)
    resumed = Job(plan, World())
    resumed.restore(save(job, tmp_path))
    again, last = finish(resumed)
    assert again == [note for note in notes if note[0][0] >= 9]
    assert same(last, tensors)


def zero(tensors):
    for tensor in tensors.values():
        tensor.zero_()


# Each item of the state checklist, and how to lose it.
LOSSES = {
    "weights": lambda c: zero(c.tensors["recipe"]),
    "buffers": lambda c: zero(
        {k: v for k, v in c.tensors["recipe"].items() if "running" in k or "tracked" in k}
    ),
    "twin": lambda c: zero(c.tensors["twin"]),
    "optimizer of the discriminator": lambda c: zero(c.tensors["optimizer-discriminator"]),
    "optimizer of the generator": lambda c: zero(c.tensors["optimizer-generator"]),
    "groups": lambda c: c.state["optimizers"]["generator"][0].update(eps=0.1),
    "seen": lambda c: c.state["counters"].update(seen=0),
    "round": lambda c: c.state["counters"].update(round=0),
    "drawn": lambda c: c.state["counters"].update(drawn=0),
    "attempt": lambda c: c.state["counters"].update(attempt=0),
    "tally": lambda c: c.state.update(tally={}),
}


@pytest.mark.parametrize("item", LOSSES)
def test_every_item_of_the_state_is_needed(item, tmp_path, monkeypatch):
    """Losing any one item is seen: so the tests of exactness above guard all of them."""
    plan = small_plan("dcgan", monkeypatch)
    jobs = [Job(plan, World()), Job(plan, World())]
    first = jobs[0]
    first.counters.attempt = 1
    for _ in range(9):
        play_round(first)
    found = save(first, tmp_path)
    LOSSES[item](found)
    jobs[1].restore(found)
    results = []
    for job in jobs:
        notes = Notes()
        for _ in range(6):
            play_round(job, notes)
        results.append((notes, snapshot(job), job.tally.means()))
    whole, lost = results
    assert whole[0] != lost[0] or not same(whole[1], lost[1]) or whole[2] != lost[2]


def test_watching_never_changes_a_run(tmp_path, monkeypatch):
    from mulligan.engine import preview
    from mulligan.run import Run

    plan = small_plan("dcgan", monkeypatch)
    quiet, watched = Job(plan, World()), Job(plan, World())
    run = Run.create(tmp_path, "watched", "watched")
    notes = Notes(), Notes()
    for _ in range(6):
        play_round(quiet, notes[0])
        preview.draw(watched, run)
        torch.rand(7)  # somebody else draws from the global generator
        play_round(watched, notes[1])
    assert notes[0] == notes[1]
    assert same(snapshot(quiet), snapshot(watched))


def test_another_seed_is_another_run(monkeypatch):
    first, second = (Job(small_plan("gan", monkeypatch, seed=seed), World()) for seed in (0, 1))
    assert not same(snapshot(first), snapshot(second))
    notes = Notes(), Notes()
    play_round(first, notes[0])
    play_round(second, notes[1])
    assert notes[0][0][2] != notes[1][0][2]


def test_another_attempt_sees_other_samples(monkeypatch):
    job = Job(small_plan("gan", monkeypatch), World())
    first = job.feed.rows(0, 0, 0, 50)
    assert not torch.equal(first, job.feed.rows(0, 1, 0, 50))


def test_sums_of_the_log_go_on_where_they_stood_and_wait_for_no_device():
    tally, restored = Tally(), Tally()
    tally.add("player", {"loss": torch.tensor(2.0)})
    restored.restore(json.loads(json.dumps(tally.state())))
    restored.add("player", {"loss": torch.tensor(3.0)})
    assert restored.means() == {"player/loss": 2.5}
    restored.add("player", {"loss": torch.zeros((), device="meta")})  # has no value to wait for
    assert restored.sums["player/loss"].device.type == "meta"

"""What is computed with is measured where it pays, said with its reason, written down and kept."""

from __future__ import annotations

import re

import pytest
import torch

import mulligan
from mulligan.engine import quickest
from mulligan.engine.plan import Plan, make_plan

LONG = 64 * quickest.LEAST_ROUNDS
HARDWARE = quickest.has_bfloat16()  # taken before the session's fixture hides it


@pytest.fixture
def two_threads(monkeypatch):
    monkeypatch.setattr(quickest, "has_bfloat16", lambda: True)
    monkeypatch.setattr(quickest, "MEASURE", 0.2)
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(1)


def plan(**options) -> Plan:
    data = options.pop("data", "digits")
    given = {"recipe": "dcgan", "device": "cpu", "width": 4, "images": LONG, **options}
    return make_plan(data, given)


@pytest.mark.usefixtures("two_threads")
def test_a_long_run_is_measured_and_says_so():
    found = plan()
    assert found["precision"] in ("float32", "bfloat16")
    assert found["threads"] in (1, 2)
    times = re.findall(r"(\w+) on (\d): [\d.]+ ms a round", found.values["threads"].reason)
    assert times == [("float32", "2"), ("float32", "1"), ("bfloat16", "2"), ("bfloat16", "1")]
    assert torch.get_num_threads() == 2  # as it was


@pytest.mark.usefixtures("two_threads")
@pytest.mark.parametrize(
    ("options", "precision", "threads"),
    [
        ({"images": LONG - 1}, "float32", 2),
        ({"precision": "bfloat16", "threads": 1}, "bfloat16", 1),
        ({"precision": "float64", "threads": 2}, "float64", 2),
    ],
)
def test_what_is_given_or_too_short_is_not_measured(options, precision, threads, monkeypatch):
    monkeypatch.setattr(quickest, "measure", lambda *given: pytest.fail("measured"))
    found = plan(**options)
    assert (found["precision"], found["threads"]) == (precision, threads)


@pytest.mark.usefixtures("two_threads")
@pytest.mark.parametrize(("budget", "rows"), [(1e-6, 4), (1000.0, 64)])
def test_heavy_rounds_are_measured_on_a_part_of_the_batch(budget, rows, monkeypatch):
    batches, scratch = [], quickest.scratch
    monkeypatch.setattr(quickest, "MEASURE", budget)
    monkeypatch.setattr(quickest, "MOST_TIMES", 1)
    monkeypatch.setattr(
        quickest, "scratch", lambda *a, **k: batches.append(k["batch"]) or scratch(*a, **k)
    )
    found = plan(width=16)
    assert batches == [4, rows, rows]  # a try, and one copy in each number format
    # a time is that of the whole batch: far from what four rows take
    small = plan(width=16, batch=4, images=4 * quickest.LEAST_ROUNDS)
    times = [
        min(map(float, re.findall(r"([\d.]+) ms", one.values["threads"].reason)))
        for one in (small, found)
    ]
    assert times[1] > 2 * times[0]


SELDOM = '''
import time
from dataclasses import replace
from mulligan.recipes.gan import GAN


class Seldom(GAN):
    """A GAN whose discriminator waits in every round, and far longer in every second."""

    def turns(self):
        first, second = super().turns()
        short = replace(first, loss=lambda batch: self.wait(0.03, batch))
        return [short, replace(first, loss=lambda batch: self.wait(0.3, batch), every=2), second]

    def wait(self, seconds, batch):
        time.sleep(seconds)
        return self.discriminator_loss(batch)
'''


@pytest.mark.usefixtures("two_threads")
def test_every_way_plays_the_turns_that_come_seldom(tmp_path, monkeypatch):
    monkeypatch.setattr(quickest, "MEASURE", 3.0)
    (tmp_path / "seldom.py").write_text(SELDOM)
    found = plan(recipe=str(tmp_path / "seldom.py"), precision="float32")
    times = re.findall(r"on \d: ([\d.]+) ms", found.values["threads"].reason)
    assert len(times) == 2
    assert all(150 < float(each) < 300 for each in times)  # 30 and 330 in turns


@pytest.mark.usefixtures("two_threads")
def test_points_are_never_rounded_to_eight_bits():
    found = plan(data="2d:ring", recipe="gan")
    assert found["precision"] == "float32"
    assert "bfloat16" not in found.values["threads"].reason


def test_the_plainest_way_stays_unless_another_gains_enough():
    plain, half, single = ("float32", 2), ("bfloat16", 2), ("float32", 1)
    assert quickest.quickest({plain: 1.0, half: 0.9, single: 2.0}) == plain
    assert quickest.quickest({plain: 1.0, half: 0.5, single: 0.7}) == half
    assert quickest.quickest({plain: 1.0, half: 0.8, single: 0.3}) == single


@pytest.mark.skipif(not HARDWARE, reason="the processor has no bfloat16")
def test_bfloat16_is_chosen_where_it_halves_the_time(monkeypatch):
    monkeypatch.setattr(quickest, "has_bfloat16", lambda: True)
    found = plan(width=64, threads=1)
    assert found["precision"] == "bfloat16"


def test_a_resumed_run_computes_on_the_threads_it_was_trained_on(tmp_path):
    options = {"recipe": "gan", "width": 4, "batch": 8, "tick": 5, "device": "cpu", "log": "none"}
    run = mulligan.train("digits", threads=2, images=80, runs_dir=str(tmp_path), **options)
    assert torch.get_num_threads() == 1
    assert run.read_json("env.json")["threads"] == 2
    mulligan.resume(run, images="+80", log="none")
    resumed = [event for event in run.events() if event["event"] == "resume"]
    assert [event["exact"] for event in resumed] == ["yes"]
    assert torch.get_num_threads() == 1

"""What fits into a time: the rounds, and also the looks at them."""

from __future__ import annotations

import math
import statistics
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from mulligan.engine import calibrate
from mulligan.engine.choose import settle
from mulligan.engine.layers import Value
from mulligan.engine.plan import Plan, make_plan
from mulligan.recipe import Turn

SLOW_TO_LOOK_AT = '''
import time
from mulligan.recipes.gan import GAN


class Slow(GAN):
    """A GAN whose previews take a third of a second."""

    def show(self, batch):
        time.sleep(0.32)
        return super().show(batch)
'''


SELDOM = '''
import time
from dataclasses import replace
from mulligan.recipes.gan import GAN


class Seldom(GAN):
    """A GAN with a second turn of its discriminator in every fourth round, which takes long."""

    def turns(self):
        first, second = super().turns()
        return [first, replace(first, loss=self.long_loss, every=4), second]

    def long_loss(self, batch):
        time.sleep(0.2)
        return self.discriminator_loss(batch)
'''


def plan(recipe: str, **options) -> Plan:
    given = {"recipe": recipe, "width": 4, "batch": 8, "device": "cpu", "images": 80, **options}
    return make_plan("digits", given)


def test_the_last_look_and_evaluation_are_part_of_the_time(tmp_path: Path) -> None:
    slow = tmp_path / "slow.py"
    slow.write_text(SLOW_TO_LOOK_AT)
    quick = calibrate.fit(plan("gan"), 2.0)
    looked_at = calibrate.fit(plan(str(slow), evaluate_every=0), 2.0)
    evaluated = calibrate.fit(plan(str(slow)), 2.0)  # 500 samples take 2.5 seconds
    assert quick.images > 8
    assert looked_at.images > 8
    assert looked_at.images % 8 == 0
    assert evaluated.images == 8
    assert looked_at.tick > 10 * quick.tick


def test_rounds_that_take_long_are_not_repeated(monkeypatch) -> None:
    monkeypatch.setattr(calibrate, "HEAVY", 0.0)
    monkeypatch.setattr(calibrate, "WARM_UP", 1e-9)
    played, play = [], calibrate.play_round
    monkeypatch.setattr(calibrate, "play_round", lambda job: played.append(play(job)))
    calibrate.fit(plan("gan"), 2.0)
    assert len(played) == 1


def test_turns_that_come_every_few_rounds_take_their_share_of_the_time(tmp_path: Path) -> None:
    seldom = tmp_path / "seldom.py"
    seldom.write_text(SELDOM)
    found = calibrate.fit(plan(str(seldom), evaluate_every=0), 20.0)
    most = 20.0 / (0.2 / 4)  # rounds, were all the others for nothing
    assert most / 3 < found.images / 8 < most


def test_each_kind_of_rounds_counts_as_often_as_it_comes() -> None:
    def turn(every: int) -> Turn:
        return Turn("generator", lambda batch: {}, every=every)

    turns = [turn(1), turn(2), turn(4)]
    taken = {4: 9.0, 5: 1.0, 6: 3.0, 7: 1.0, 9: 1.0, 11: 50.0}  # the last was disturbed
    assert calibrate.on_average(turns, taken, statistics.median) == (9 + 3 + 1 + 1) / 4
    assert calibrate.on_average(turns, {1: 1.0, 3: 2.0, 5: 6.0}, min) == 1.0  # no other was seen


@given(st.integers(1, 10**7), st.integers(1, 4096), st.integers(1, 10**6))
def test_a_tick_has_the_least_rounds_or_all(images: int, batch: int, least: int) -> None:
    def tick(least: int) -> Value:
        given = {"images": images, "batch": batch, "tick": "auto", "evaluate_every": 0}
        values = {name: Value(value, "default", "") for name, value in given.items()}
        settle(values, least)
        return values["tick"]

    rounds = -(-images // batch)
    plain, found, asked = tick(1).value, tick(least).value, min(least, rounds)
    assert f"{rounds:,} rounds" in tick(least).reason
    if least > math.ceil(rounds / 36):
        assert asked <= found <= min(asked * 11 / 9, rounds)
        assert -rounds % found / found <= -rounds % asked / asked  # the last tick is no shorter
    else:
        assert found == plain

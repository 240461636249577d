"""What fits into a time: the rounds, and also the looks at them."""

from __future__ import annotations

import math
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from mulligan.engine import calibrate
from mulligan.engine.choose import settle
from mulligan.engine.layers import Value
from mulligan.engine.plan import Plan, make_plan

SLOW_TO_LOOK_AT = '''
import time
from mulligan.recipes.gan import GAN


class Slow(GAN):
    """A GAN whose previews take a third of a second."""

    def show(self, batch):
        time.sleep(0.32)
        return super().show(batch)
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

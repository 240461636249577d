"""The standing of a run: the best is the lowest, and a gain is more than noise."""

from __future__ import annotations

import json
import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from looking import STAMP, known_lens
from mulligan.evaluation.lens import Lens, Rows
from mulligan.evaluation.progress import DIRECTIONS, Mark, Standing, figure_of, progress_figure
from mulligan.metrics.distances import kernel_distance, mind

NUMBERS = st.floats(-1e3, 1e3)
EVALUATIONS = st.lists(st.tuples(NUMBERS, st.floats(0, 10)), min_size=1, max_size=30)


def marks(given: list[tuple[float, float]]) -> list[Mark]:
    """An evaluation each 10 rounds of 100 images: a value, and half of its interval."""
    return [
        Mark(10 * place, 1000 * place, value, value - half, value + half)
        for place, (value, half) in enumerate(given, 1)
    ]


def standing(given: list[Mark]) -> tuple[Standing, list[bool]]:
    found = Standing()
    return found, [found.take(mark) for mark in given]


@given(EVALUATIONS)
def test_the_best_is_the_first_of_the_lowest(given: list[tuple[float, float]]) -> None:
    every = marks(given)
    found, bests = standing(every)
    assert found.best == min(every, key=lambda mark: mark.value)
    assert bests == [
        all(mark.value < before.value for before in every[:place])
        for place, mark in enumerate(every)
    ]


@given(EVALUATIONS)
def test_what_counts_is_how_many_came_since_the_last_gain(given: list[tuple[float, float]]) -> None:
    every = marks(given)
    found, _ = standing(every)
    gains = [every[0]]
    for mark in every[1:]:
        if mark.value < gains[-1].low:
            gains.append(mark)
    assert found.gained == gains[-1]
    assert found.without == len(every) - 1 - every.index(gains[-1])


@given(st.integers(2, 40), st.floats(0.1, 5))
def test_many_small_steps_are_one_gain_once_together_they_exceed_the_noise(
    steps: int, half: float
) -> None:
    step = half / 3  # each alone is noise
    found = Standing()
    found.take(Mark(0, 0, 100.0, 100 - half, 100 + half))
    for place in range(1, steps):
        value = 100 - step * place
        found.take(Mark(place, place, value, value - half, value + half))
        assert found.without <= 3 + 1
    assert found.gained is not None
    if steps > 5:
        assert found.gained.value < 100 - half


def test_noise_is_no_gain() -> None:
    found, bests = standing(marks([(1.0, 0.5), (0.9, 0.5), (0.6, 0.5), (0.5, 0.5), (0.7, 0.5)]))
    assert found.without == 4  # 0.5 lies on the edge of the first interval, not below it
    assert found.gained is not None
    assert found.gained.value == 1.0
    assert found.best is not None
    assert found.best.value == 0.5
    assert bests == [True, True, True, True, False]


@given(EVALUATIONS, EVALUATIONS)
def test_the_state_goes_on_as_if_nothing_had_happened(
    first: list[tuple[float, float]], second: list[tuple[float, float]]
) -> None:
    every = marks(first + second)
    before, after = every[: len(first)], every[len(first) :]
    found, _ = standing(before)
    state = json.loads(json.dumps(found.state()))
    again = Standing.from_state(state)
    assert again == found
    for mark in after:
        assert again.take(mark) == found.take(mark)
    assert again == found == standing(every)[0]


def test_a_fresh_standing_survives_too() -> None:
    assert Standing.from_state(json.loads(json.dumps(Standing().state()))) == Standing()


def test_a_mark_reads_as_a_sentence() -> None:
    assert str(Mark(3, 12_800, 0.01234, 0.011, 0.0136)) == (
        "0.01234 (0.011 to 0.0136) at 12,800 images"
    )


def ring(modes: int, seed: int) -> torch.Tensor:
    """400 points around so many of the corners of an octagon, evenly."""
    angle = torch.arange(400) % modes * (2 * math.pi / modes)
    draw = torch.Generator().manual_seed(seed)
    points = torch.stack((angle.cos(), angle.sin()), dim=1)
    return points + 0.01 * torch.randn(400, 2, generator=draw)


def test_progress_on_points_sees_what_a_kernel_of_three_moments_does_not() -> None:
    lens = Lens(None)
    real, dropped, honest = (lens.rows(ring(modes, seed)) for seed, modes in enumerate((8, 4, 8)))
    figure = progress_figure(real, dropped, lens, STAMP)
    assert figure.name == figure_of("points") == "MIND-points"
    expected = mind(real.features, dropped.features, directions=DIRECTIONS)
    assert figure.value == pytest.approx(expected, rel=1e-9)
    assert figure.low > progress_figure(real, honest, lens, STAMP).high
    blind = kernel_distance(real.features, dropped.features)
    assert blind == pytest.approx(kernel_distance(real.features, honest.features), abs=1e-3)


def test_progress_of_images_is_the_kernel_distance() -> None:
    draw = torch.Generator().manual_seed(0)
    real, made = (Rows(torch.randn(80, 4, generator=draw), torch.zeros(80, 2)) for _ in range(2))
    figure = progress_figure(real, made, known_lens(), STAMP)
    assert figure.name == figure_of("known") == "KD-known"
    assert figure.value == pytest.approx(kernel_distance(real.features, made.features), rel=1e-9)
    assert figure_of("inception") == "KID"

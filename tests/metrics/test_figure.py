"""Figures: JSON bit for bit, and what is no figure."""

from __future__ import annotations

import json
import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from known import pair

from mulligan.errors import UsageError
from mulligan.metrics.coverage import coverage
from mulligan.metrics.distances import TooFewSamples, kernel_distance, mind
from mulligan.metrics.figure import Figure
from mulligan.metrics.measure import (
    coverage_figures,
    frechet_figures,
    kernel_figure,
    mind_figure,
)

STAMP = {"extractor": "digits", "hash": "ab12", "split": "held-out", "resize": None, "seed": 3}
FIGURE = Figure("FD-digits", 1.5, 1.0, 2.0, "by hand", "E[FD_n]", 500, 400, dict(STAMP))
finite = st.floats(allow_nan=False, allow_infinity=False)


@given(st.tuples(finite, finite), finite)
def test_json_gives_a_figure_back_bit_for_bit(bounds: tuple[float, float], value: float) -> None:
    figure = replace(FIGURE, value=value, low=min(bounds), high=max(bounds))
    again = Figure.from_json(json.loads(json.dumps(figure.to_json(), allow_nan=False)))
    assert again == figure
    assert math.copysign(1, again.value) == math.copysign(1, value)


def test_what_is_no_figure_is_refused() -> None:
    with pytest.raises(UsageError, match="no number"):
        replace(FIGURE, value=math.nan)
    with pytest.raises(UsageError, match="empty"):
        replace(FIGURE, low=3.0)
    for stamp in ({"hash": (1, 2)}, {"hash": {}}, {1: "a"}, {"seed": math.inf}):
        with pytest.raises(UsageError, match="words, numbers"):
            replace(FIGURE, stamp=stamp)
    with pytest.raises(UsageError, match="a figure has"):
        Figure.from_json({"name": "FID"})


def test_every_figure_says_what_it_is() -> None:
    real, fake = pair(200, 4, seed=1)
    fd, limit = frechet_figures(real, fake, "FD-digits", STAMP)
    assert (fd.name, fd.covers) == ("FD-digits", "E[FD-digits_n]")
    assert (limit.name, limit.covers) == ("FD-digits-infinity", "FD-digits-infinity")
    assert limit.value < fd.value  # FD is biased upwards
    kernel = kernel_figure(real, fake, "KD-digits", STAMP)
    sliced = mind_figure(real, fake, "MIND-digits", STAMP, seed=2)
    assert kernel.value == pytest.approx(kernel_distance(real, fake), rel=1e-9)
    assert sliced.value == pytest.approx(mind(real, fake, seed=2), rel=1e-9)
    four = coverage_figures(real, fake, "digits", STAMP)
    assert [figure.name.partition("-")[0] for figure in four] == [*vars(coverage(real, fake))]
    assert [figure.value for figure in four] == pytest.approx(
        [*vars(coverage(real, fake)).values()]
    )
    for figure in (fd, limit, kernel, sliced, *four):
        assert figure.low <= figure.value <= figure.high
        assert (figure.real_count, figure.generated_count) == (200, 200)
        assert figure.stamp == STAMP
        assert "jackknife" in figure.method


def test_fd_figures_are_refused_where_fd_is() -> None:
    with pytest.raises(TooFewSamples):
        frechet_figures(*pair(40, 40, seed=1), "FD-digits", STAMP)

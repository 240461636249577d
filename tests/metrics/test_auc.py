"""AUC by hand and by scikit-learn; DeLong's variance by hand; the interval holds what it names."""

from __future__ import annotations

import math
from statistics import NormalDist, fmean, variance

import pytest
import torch
from sklearn.metrics import roc_auc_score
from torch import Tensor

from mulligan.errors import DataError, UsageError
from mulligan.metrics.auc import auc, auc_interval, placements, score_bounds


def scores(*values: float) -> Tensor:
    return torch.tensor(values, dtype=torch.float64)


def normal(rows: int, shift: float, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Scores whose AUC is Phi(shift / sqrt 2)."""
    real, fake = torch.randn(2, rows, generator=generator, dtype=torch.float64)
    return real + shift, fake


def test_by_hand() -> None:
    assert auc(scores(3, 4), scores(1, 2)) == 1.0
    assert auc(scores(1, 2), scores(3, 4)) == 0.0
    assert auc(scores(1, 3), scores(2)) == 0.5
    assert auc(scores(5, 5), scores(5, 5, 5)) == 0.5  # ties count one half
    assert auc(scores(1, 2, 3), scores(2, 0)) == pytest.approx((0.5 + 0.75 + 1) / 3)


def test_a_changed_sign_turns_it_around() -> None:
    real, fake = normal(50, 1.0, torch.Generator().manual_seed(0))
    assert auc(real, fake) > 0.6
    assert auc(-real, -fake) == pytest.approx(1 - auc(real, fake), abs=1e-12)
    assert auc(fake, real) == pytest.approx(1 - auc(real, fake), abs=1e-12)


@pytest.mark.parametrize("steps", [3, 10, 10_000])  # with many ties, some, and hardly any
def test_scikit_learn_agrees(steps: int) -> None:
    real, fake = normal(300, 0.7, torch.Generator().manual_seed(steps))
    real, fake = ((entry * steps / 3).round() for entry in (real[:200], fake))
    label = torch.cat([torch.ones(200), torch.zeros(300)])
    known = roc_auc_score(label.numpy(), torch.cat([real, fake]).numpy())
    assert auc(real, fake) == pytest.approx(known, abs=1e-12)


def test_placements_by_hand() -> None:
    above, below = placements(scores(1, 3, 4), scores(0, 2, 5, 6))
    assert above.tolist() == pytest.approx([1 / 4, 1 / 2, 1 / 2])
    assert below.tolist() == pytest.approx([1, 2 / 3, 0, 0])


def test_delongs_variance_by_hand() -> None:
    """Half of the real scores above all others, half below: 40 placements of 0 and 1, and 20 of
    1/2. Their variance is above that of the score interval, so DeLong's is seen alone."""
    real = torch.cat([torch.arange(20.0) + 100, torch.arange(20.0) - 100])
    found = auc_interval(real, torch.arange(20.0))
    half = 1.959964 * math.sqrt(variance([1.0] * 20 + [0.0] * 20) / 40 + variance([0.5] * 20) / 20)
    assert (found.value, found.low, found.high) == pytest.approx((0.5, 0.5 - half, 0.5 + half))
    low, high = score_bounds(0.5, 40, 20)
    assert high - low < 2 * half
    other = auc_interval(torch.arange(20.0), real)  # the same, with the sides exchanged
    assert other.high == pytest.approx(0.5 + half)


def test_between_equal_distributions_the_interval_is_that_of_the_rank_test() -> None:
    """The variance of Mann and Whitney's statistic, (m + n + 1) / (12 m n), without ties."""
    lengths = []
    generator = torch.Generator().manual_seed(1)
    for _ in range(20):
        found = auc_interval(*normal(400, 0.0, generator))
        lengths.append(found.high - found.low)
    known = 2 * 1.959964 * math.sqrt(801 / (12 * 400 * 400))
    assert fmean(lengths) == pytest.approx(known, rel=0.02)


def test_scores_that_are_apart_have_an_interval_all_the_same() -> None:
    found = auc_interval(torch.arange(100.0) + 200, torch.arange(100.0))
    assert found.value == found.high == 1.0
    assert found.low == pytest.approx(0.98, abs=0.005)
    worst = auc_interval(torch.arange(100.0), torch.arange(100.0) + 200)
    assert (worst.low, worst.high) == pytest.approx((0.0, 1 - found.low))
    assert score_bounds(1.0, 100, 100)[0] < score_bounds(1.0, 1000, 1000)[0] < 1


def test_score_bounds_solve_their_equation() -> None:
    """At t = 1/2 the variance is (m + n + 1) / (12 m n), so the bound of 1/2 + z sd is 1/2."""
    deviation = math.sqrt((30 + 30 + 1) / (12 * 30 * 30))
    low, _ = score_bounds(0.5 + 1.959964 * deviation, 30, 30)
    assert low == pytest.approx(0.5, abs=1e-6)
    low, high = score_bounds(0.5, 30, 30)
    assert low == pytest.approx(1 - high, abs=1e-9)


@pytest.mark.parametrize(("rows", "truth"), [(60, 0.5), (60, 0.8), (300, 0.97), (100, 0.995)])
def test_the_interval_holds_the_auc(rows: int, truth: float) -> None:
    """95 % of 400 intervals, give or take 3 deviations below, and at most all."""
    generator = torch.Generator().manual_seed(2)
    shift = NormalDist().inv_cdf(truth) * math.sqrt(2)
    found = [auc_interval(*normal(rows, shift, generator)) for _ in range(400)]
    share = fmean(entry.low <= truth <= entry.high for entry in found)
    assert share > 0.95 - 3 * math.sqrt(0.95 * 0.05 / 400)
    assert fmean(entry.value for entry in found) == pytest.approx(truth, abs=0.01)


def test_what_is_no_score_is_refused() -> None:
    good = scores(1, 2)
    for bad in (torch.zeros(2, 1), torch.zeros(0)):
        with pytest.raises(UsageError, match="shape"):
            auc(bad, good)
    with pytest.raises(DataError, match="1 of 2 scores"):
        auc(good, scores(1, math.nan))
    with pytest.raises(UsageError, match="2 rows"):
        auc_interval(scores(1), good)

"""FD, KID and MIND against references, closed forms and definitions."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
import scipy.linalg
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from known import frechet, normal, pair, true_frechet
from torch import Tensor
from torchmetrics.image.fid import _compute_fid
from torchmetrics.image.kid import poly_mmd

from mulligan.errors import UsageError
from mulligan.metrics import arrays
from mulligan.metrics.distances import (
    FewSamples,
    KernelSums,
    TooFewSamples,
    frechet_distance,
    kernel_distance,
    mind,
    unit_directions,
)
from mulligan.metrics.moments import Moments


def by_scipy(real: Tensor, fake: Tensor) -> float:
    one, other = real.numpy(), fake.numpy()
    S, T = np.cov(one, rowvar=False), np.cov(other, rowvar=False)
    root = scipy.linalg.sqrtm(S @ T).real
    gap = one.mean(axis=0) - other.mean(axis=0)
    return float(gap @ gap + np.trace(S + T - 2 * root))


def skewed(rows: int, width: int, seed: int) -> Tensor:
    """Correlated features with a mean."""
    mixing = torch.eye(width, dtype=torch.float64) + 0.3 * normal(width, width, seed=seed + 100)
    return normal(rows, width, seed=seed) @ mixing + normal(width, seed=seed + 200)


@pytest.mark.parametrize("width", [2, 16, 48])
def test_fd_equals_the_reference_of_scipy_and_of_torchmetrics(width: int) -> None:
    real, fake = skewed(20 * width, width, 1), skewed(15 * width, width, 2)
    found = frechet(real, fake)
    assert found == pytest.approx(by_scipy(real, fake), rel=1e-9)
    m = [Moments.of(real), Moments.of(fake)]
    theirs = _compute_fid(m[0].mean, m[0].covariance(), m[1].mean, m[1].covariance())
    assert found == pytest.approx(theirs.item(), rel=1e-9)


def test_fd_of_two_known_gaussians() -> None:
    """Equal means: (2 - 3)^2 + (1 - 5)^2 for commuting covariances diag(4, 1) and diag(9, 25)."""
    one = Moments(3, torch.zeros(2).double(), 2 * torch.tensor([4.0, 1.0]).diag().double())
    two = Moments(
        3, torch.tensor([3.0, 4.0]).double(), 2 * torch.tensor([9.0, 25.0]).diag().double()
    )
    assert frechet_distance(one, two, check=False) == pytest.approx(17 + 25, rel=1e-14)


def test_fd_of_features_that_do_not_vary_is_the_distance_of_the_means() -> None:
    real, fake = torch.zeros(50, 4), torch.full((50, 4), 0.5)
    assert frechet(real, fake) == pytest.approx(1.0, rel=1e-14)
    assert frechet(real, real) == 0.0


def test_fd_of_points_against_a_spread_is_the_trace() -> None:
    real = skewed(100, 5, 3)
    fake = torch.zeros(40, 5, dtype=torch.float64)
    expected = real.mean(dim=0).square().sum() + torch.cov(real.T).trace()
    assert frechet(real, fake) == pytest.approx(expected.item(), rel=1e-12)


def test_fd_with_constant_features_is_that_of_the_others() -> None:
    real, fake = skewed(100, 3, 1), skewed(100, 3, 2)
    constant = torch.full((100, 2), 7.0, dtype=torch.float64)
    wide = [torch.cat([side, constant], dim=1) for side in (real, fake)]
    assert frechet(*wide) == pytest.approx(frechet(real, fake), abs=1e-11)


def test_fd_with_fewer_rows_than_features_in_a_shared_plane_is_that_of_the_plane() -> None:
    real, fake = skewed(8, 3, 1), skewed(8, 3, 2)
    axes = torch.linalg.qr(normal(40, 3)).Q.T  # (3, 40), an isometry into 40 dimensions
    assert frechet(real @ axes, fake @ axes) == pytest.approx(frechet(real, fake), abs=1e-11)


def test_fd_of_spreads_in_orthogonal_planes_has_no_root() -> None:
    real, fake = torch.zeros(9, 20).double(), torch.zeros(9, 20).double()
    real[:, :6], fake[:, 10:16] = normal(9, 6, seed=1), normal(9, 6, seed=2)
    m = [Moments.of(real), Moments.of(fake)]
    gap = (m[0].mean - m[1].mean).square().sum()
    expected = gap + m[0].covariance().trace() + m[1].covariance().trace()
    assert frechet(real, fake) == pytest.approx(expected.item(), rel=1e-12)


def test_duplicates_change_fd_by_the_divisor_only() -> None:
    """Each row twice: mean as before, covariance times 2 (n - 1) / (2 n - 1)."""
    real = skewed(50, 4, 1)
    shrunk = (2 * 49 / 99) ** 0.5
    expected = (1 - shrunk) ** 2 * torch.cov(real.T).trace()
    assert frechet(real, real.repeat(2, 1)) == pytest.approx(expected.item(), abs=1e-12)
    assert frechet(real, real.flip(0)) == pytest.approx(0, abs=1e-12)


def test_fd_is_refused_for_no_more_rows_than_features() -> None:
    one, two = Moments.of(normal(16, 16)), Moments.of(normal(400, 16, seed=1))
    for order in ((one, two), (two, one)):
        with pytest.raises(TooFewSamples, match=r"more than 16 samples.*there are 16") as caught:
            frechet_distance(*order)
        assert isinstance(caught.value, ValueError)
        assert "KID or MIND" in caught.value.suggestion


def test_fd_warns_below_ten_rows_a_feature_and_not_from_there() -> None:
    enough = Moments.of(normal(160, 16)), Moments.of(normal(160, 16, seed=1))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        frechet_distance(*enough)
    with pytest.warns(FewSamples, match="159 samples are few for 16 features"):
        frechet_distance(enough[0], Moments.of(normal(159, 16)))


def slow_kid(real: Tensor, fake: Tensor) -> float:
    """The definition, one pair after another."""

    def kernel(x: Tensor, y: Tensor) -> float:
        return (float(x @ y) / len(x) + 1) ** 3

    n, m = len(real), len(fake)
    one = sum(kernel(real[i], real[j]) for i in range(n) for j in range(n) if i != j)
    two = sum(kernel(fake[i], fake[j]) for i in range(m) for j in range(m) if i != j)
    across = sum(kernel(x, y) for x in real for y in fake)
    return one / (n * (n - 1)) + two / (m * (m - 1)) - 2 * across / (n * m)


def test_kid_by_hand() -> None:
    """k(1, 2) = 27 once each way; k(0, 3) = 1; across: k(1, 0), k(1, 3), k(2, 0), k(2, 3)."""
    real, fake = torch.tensor([[1.0], [2.0]]), torch.tensor([[0.0], [3.0]])
    expected = 27 + 1 - 2 * (1 + 64 + 1 + 343) / 4
    assert kernel_distance(real, fake) == pytest.approx(expected, rel=1e-15)


@settings(max_examples=25, deadline=None)
@given(st.integers(2, 7), st.integers(2, 7), st.integers(1, 4), st.integers(0, 1000))
def test_kid_equals_its_definition_in_any_blocks(n: int, m: int, width: int, seed: int) -> None:
    real, fake = normal(n, width, seed=seed), normal(m, width, seed=seed + 1) + 0.5
    expected = slow_kid(real, fake)
    assert kernel_distance(real, fake) == pytest.approx(expected, rel=1e-10, abs=1e-12)
    if min(n, m) > 2:
        groups = KernelSums([real[:1], real[1:]], [fake[:2], fake[2:]])
        assert groups.distance([0, 1]) == pytest.approx(expected, rel=1e-10, abs=1e-12)


def test_kid_equals_torchmetrics() -> None:
    real, fake = pair(60, 8, seed=1)
    assert kernel_distance(real, fake) == pytest.approx(poly_mmd(real, fake).item(), rel=1e-10)


def test_blocks_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    real, fake = pair(50, 3, seed=1)
    whole = kernel_distance(real, fake), frechet(real, fake)
    monkeypatch.setattr(arrays.ranges, "__defaults__", (7,))
    assert (kernel_distance(real, fake), frechet(real, fake)) == pytest.approx(whole, rel=1e-11)


def test_kid_of_one_row_is_refused() -> None:
    with pytest.raises(UsageError, match="2 rows or more"):
        kernel_distance(normal(1, 3), normal(5, 3))


def test_mind_of_a_shift_is_three_times_its_square() -> None:
    """Every direction sees v.shift, whose mean square is |shift|^2 / d."""
    real = normal(50, 2)
    shift = torch.tensor([3.0, 4.0])
    assert mind(real, real + shift, directions=20_000) == pytest.approx(75, rel=0.02)
    one = normal(50, 1)
    assert mind(one, one + 2) == pytest.approx(12, rel=1e-12)  # in one dimension without chance


def test_mind_equals_its_definition_and_ignores_the_order_of_rows() -> None:
    real, fake = pair(30, 5, seed=3)
    axes = unit_directions(200, 5, seed=9)
    gaps = [(real @ v).sort().values - (fake @ v).sort().values for v in axes]
    expected = 15 * torch.stack(gaps).square().mean().item()
    assert mind(real, fake, seed=9, directions=200) == pytest.approx(expected, rel=1e-12)
    assert mind(real.flip(0), fake, seed=9, directions=200) == pytest.approx(expected, rel=1e-12)


def test_the_floor_of_mind_is_that_of_the_reference() -> None:
    """Two equal 64-d Gaussians: 0.61 at n = 2000 (shared/reference/numbers.md)."""
    real, fake = pair(2000, 64, seed=5, equal=True)
    assert mind(real, fake, directions=200) == pytest.approx(0.61, rel=0.1)


def test_directions_are_uniform_and_leave_torch_alone() -> None:
    state = torch.get_rng_state()
    axes = unit_directions(4000, 3, seed=0)
    assert torch.equal(torch.get_rng_state(), state)
    torch.testing.assert_close(axes.norm(dim=1), torch.ones(4000).double())
    second = axes.T @ axes / 4000
    torch.testing.assert_close(second, torch.eye(3).double() / 3, rtol=0, atol=0.03)
    assert torch.equal(axes, unit_directions(4000, 3, seed=0))
    assert not torch.equal(axes, unit_directions(4000, 3, seed=1))


def test_mind_refuses_unequal_counts() -> None:
    with pytest.raises(UsageError, match="5 and 6"):
        mind(normal(5, 2), normal(6, 2))


def test_distances_of_many_rows_approach_the_known_ones() -> None:
    real, fake = pair(20_000, 4, seed=1)
    assert frechet(real, fake) == pytest.approx(true_frechet(4), rel=0.1)


def test_different_widths_are_refused() -> None:
    for figure in (kernel_distance, mind, frechet):
        with pytest.raises(UsageError, match="columns"):
            figure(normal(5, 2), normal(5, 3))

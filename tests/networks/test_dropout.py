"""Dropout from bytes: shares, scale, gradient, layout; and a byte is even in all its bits."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional as F

from mulligan.networks.dropout import Dropout, random_bytes


def layouts() -> dict[str, torch.Tensor]:
    plain = torch.randn(8, 16, 12, 10)
    return {
        "contiguous": plain,
        "channels last": plain.to(memory_format=torch.channels_last),
        "a slice": plain[..., 2:9],
        "rows": torch.randn(301, 77),
        "double": plain.double(),
    }


@pytest.mark.parametrize("name", layouts())
def test_dropped_are_zero_kept_are_scaled_and_gradients_follow(name: str) -> None:
    maps = layouts()[name].requires_grad_()
    torch.manual_seed(3)
    found = Dropout(0.25)(maps)
    kept = found != 0
    torch.testing.assert_close(found[kept], maps[kept] / 0.75)
    found.sum().backward()
    assert maps.grad is not None
    torch.testing.assert_close(maps.grad, kept.to(maps.dtype) / 0.75)
    assert 0.73 < float(kept.double().mean()) < 0.77
    assert found.dtype == maps.dtype


def test_a_slope_has_a_slope_itself() -> None:
    """A penalty of the gradient sees through it: d/dx (d sum(y^3) / dx)^2 by hand."""
    maps = torch.randn(50, 40, dtype=torch.float64, requires_grad=True)
    torch.manual_seed(5)
    found = Dropout(0.5)(maps)
    (slope,) = torch.autograd.grad((found**3).sum(), maps, create_graph=True)
    (second,) = torch.autograd.grad((slope**2).sum(), maps)
    scaled = (found.detach() != 0).double() * 2
    torch.testing.assert_close(second, 36 * scaled**6 * maps.detach() ** 3)


@pytest.mark.parametrize("rate", [0.1, 0.3, 0.5, 0.9])
def test_the_share_and_the_mean_are_right(rate: float) -> None:
    torch.manual_seed(0)
    found = Dropout(rate)(torch.ones(1_000_003))
    assert float((found == 0).double().mean()) == pytest.approx(rate, abs=0.004)
    assert float(found.mean()) == pytest.approx(1, abs=0.01)


def test_nothing_is_dropped_when_watching_or_at_rate_0() -> None:
    maps = torch.randn(4, 5)
    assert torch.equal(Dropout(0.5).eval()(maps), maps)
    assert torch.equal(Dropout(0.0)(maps), maps)


def test_bytes_are_even_in_every_bit_and_place_and_follow_the_seed() -> None:
    torch.manual_seed(1)
    found = random_bytes(torch.empty(200_000, 8))
    for place in range(8):
        for bit in range(8):
            share = float(((found[:, place] >> bit) & 1).double().mean())
            assert share == pytest.approx(0.5, abs=0.006), (place, bit)
    counts = torch.bincount(found.flatten().long(), minlength=256).double()
    expected = counts.sum() / 256
    assert float(((counts - expected) ** 2 / expected).sum()) < 350  # 255 +- 23
    torch.manual_seed(1)
    assert torch.equal(random_bytes(torch.empty(200_000, 8)), found)


def test_rows_are_dropped_independently() -> None:
    torch.manual_seed(2)
    kept = Dropout(0.5)(torch.ones(2, 100_000)) != 0
    both = float((kept[0] & kept[1]).double().mean())
    assert both == pytest.approx(0.25, abs=0.006)


def test_torchs_own_dropout_has_the_same_mean_and_spread() -> None:
    torch.manual_seed(4)
    ours, theirs = Dropout(0.25)(torch.ones(400_000)), F.dropout(torch.ones(400_000), 0.25)
    assert float(ours.var()) == pytest.approx(float(theirs.var()), rel=0.02)


@pytest.mark.filterwarnings("ignore")  # what the compiler says of itself
def test_compiled_layers_drop_as_many() -> None:
    torch._dynamo.reset()
    torch.manual_seed(5)
    maps = torch.ones(64, 16, 12, 12).to(memory_format=torch.channels_last).requires_grad_()
    found = torch.compile(Dropout(0.3), backend="aot_eager", fullgraph=True)(maps)
    assert float((found == 0).double().mean()) == pytest.approx(77 / 256, abs=0.005)
    assert float(found.mean()) == pytest.approx(1, abs=0.01)
    found.sum().backward()
    torch.testing.assert_close(maps.grad, found.detach())

"""The pair for points: what the discriminator sees, and how weights start."""

from __future__ import annotations

import math

import pytest
import torch

from mulligan.errors import UsageError
from mulligan.fields import Image
from mulligan.networks import points
from mulligan.networks.pairs import pair


def test_waves_by_hand() -> None:
    seen = points.waves(torch.tensor([[0.3, -0.7]], dtype=torch.float64))[0].tolist()
    by_hand = [0.3, -0.7]
    for x in (0.3, -0.7):
        by_hand += [math.sin(2**k * math.pi * x) / 2**k for k in range(3)]
        by_hand += [math.cos(2**k * math.pi * x) / 2**k for k in range(3)]
    assert seen == pytest.approx(by_hand)


def test_no_wave_is_steeper_than_pi() -> None:
    at = torch.linspace(-1, 1, 999, dtype=torch.float64)[:, None]
    steps = points.waves(at).diff(dim=0) / at.diff(dim=0)
    assert steps.abs().max().item() == pytest.approx(math.pi, rel=1e-3)


def test_weights_start_as_he_et_al_have_them() -> None:
    torch.manual_seed(0)
    network = points.Generator(2, 2, width=400)
    assert network.hidden[1].weight.std().item() == pytest.approx(math.sqrt(2 / 400), rel=0.02)
    assert network.last.weight.std().item() == pytest.approx(math.sqrt(1 / 400), rel=0.06)
    assert all((layer.bias == 0).all() for layer in network.hidden)


def test_the_generator_is_flat_in_pieces_of_relu() -> None:
    torch.manual_seed(0)
    network = points.Generator(2, 2)
    noise = torch.randn(64, 2)
    doubled = network(2 * noise)  # without biases a ReLU network is homogeneous
    torch.testing.assert_close(doubled, 2 * network(noise), rtol=1e-4, atol=1e-5)


def test_pictures_are_refused_with_advice() -> None:
    with pytest.raises(UsageError, match="needs points") as refusal:
        pair("points", Image(1, 16, 16), 4)
    assert "--body auto" in refusal.value.suggestion

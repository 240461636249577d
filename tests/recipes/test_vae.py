"""The VAE's terms by hand."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from helpers import Same, build
from mulligan.fields import Points


class Encoder(nn.Module):
    """Mean = x, log variance = the given number."""

    def __init__(self, log_variance: float) -> None:
        super().__init__()
        self.log_variance = log_variance

    def forward(self, rows: Tensor) -> Tensor:
        return torch.cat([rows, torch.full_like(rows, self.log_variance)], dim=1)


class Twice(nn.Module):
    """A decoder: x = 2 z."""

    def forward(self, codes: Tensor) -> Tensor:
        return 2 * codes


def known(log_variance: float, **knobs: Any) -> Any:
    recipe: Any = build("vae", Points(2, 1.0), latent=2, **knobs)
    recipe.encoder, recipe.decoder = Encoder(log_variance), Twice()
    return recipe


REAL = torch.tensor([[1.0, -2.0], [0.5, 0.0]])
NOISE = torch.tensor([[0.3, -1.0], [0.0, 2.0]])
VARIANCE = 0.49  # deviation 0.7
CODES = [[1.0 + 0.7 * 0.3, -2.0 - 0.7 * 1.0], [0.5, 0.7 * 2.0]]


def squared_error() -> float:
    """The sum over pixels of (x - 2 z)^2, averaged over rows."""
    rows = zip(REAL.tolist(), CODES, strict=True)
    return sum((x - 2 * z) ** 2 for row, code in rows for x, z in zip(row, code, strict=True)) / 2


@pytest.mark.parametrize("deviation", [0.5, 2.0])
def test_reconstruction_is_a_gaussian_likelihood_summed_over_pixels(deviation: float) -> None:
    recipe = known(math.log(VARIANCE), deviation=deviation)
    terms = recipe.loss({"real": REAL, "noise": NOISE})
    constant = 2 * (math.log(deviation) + 0.5 * math.log(2 * math.pi))  # two coordinates
    expected = squared_error() / (2 * deviation**2) + constant
    assert terms["reconstruction"].item() == pytest.approx(expected)
    normal = torch.distributions.Normal(2 * torch.tensor(CODES), deviation)
    assert terms["reconstruction"].item() == pytest.approx(
        -normal.log_prob(REAL).sum(1).mean().item()
    )
    assert recipe.watched["mse"].item() == pytest.approx(squared_error() / 2)


@pytest.mark.parametrize(("beta", "now"), [(1.0, None), (3.0, None), (3.0, 0.25)])
def test_divergence_is_that_of_gaussians_summed_over_latents(
    beta: float, now: float | None
) -> None:
    recipe = known(math.log(VARIANCE), beta=beta)
    recipe.now = {} if now is None else {"beta": now}
    term = recipe.loss({"real": REAL, "noise": NOISE})["divergence"].item()
    means = [1.0, -2.0, 0.5, 0.0]
    by_hand = sum(-0.5 * (1 + math.log(VARIANCE) - m**2 - VARIANCE) for m in means) / 2
    assert term == pytest.approx(beta * (1.0 if now is None else now) * by_hand)
    normal, standard = torch.distributions.Normal(REAL, 0.7), torch.distributions.Normal(0.0, 1.0)
    library = torch.distributions.kl_divergence(normal, standard).sum(1).mean().item()
    assert by_hand == pytest.approx(library)


def test_the_learned_deviation_settles_at_the_root_mean_square_error() -> None:
    recipe = known(math.log(VARIANCE))
    best = math.sqrt(squared_error() / 2)
    recipe.log_deviation.data.fill_(math.log(best))
    recipe.loss({"real": REAL, "noise": NOISE})["reconstruction"].backward()
    assert recipe.log_deviation.grad.item() == pytest.approx(0, abs=1e-5)
    assert recipe.watched["deviation"].item() == pytest.approx(best)


def test_a_fixed_deviation_is_not_learned() -> None:
    assert "log_deviation" not in dict(
        build("vae", Points(2, 1.0), deviation=0.1).named_parameters()
    )
    assert "log_deviation" in dict(build("vae", Points(2, 1.0)).named_parameters())


def test_the_weight_of_the_divergence_rises_with_the_images_seen() -> None:
    recipe = build("vae", Points(2, 1.0), ramp=100)
    assert [recipe.schedule(seen, 1000)["beta"] for seen in (0, 25, 100, 900)] == [0, 0.25, 1, 1]
    assert build("vae", Points(2, 1.0), ramp=0).schedule(0, 1000)["beta"] == 1


def test_show_reconstructs_from_the_mean_code() -> None:
    recipe = known(0.0)
    columns = recipe.show({"real": REAL, "noise": NOISE})
    assert torch.equal(columns["codes"], REAL)
    assert torch.equal(columns["reconstruction"], 2 * REAL)
    assert torch.equal(columns["generated"], 2 * NOISE)


def test_generate_is_the_decoder_alone() -> None:
    recipe: Any = build("vae", Points(2, 1.0), latent=2)
    recipe.decoder = Same()
    assert torch.equal(recipe.generate({"noise": NOISE}), NOISE)

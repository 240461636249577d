"""The autoencoder's terms by hand, and the density as a density."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from helpers import build
from mulligan.fields import Points
from mulligan.recipes.autoencoder import Flow


class Times(nn.Module):
    """Multiplies its input."""

    def __init__(self, factor: float) -> None:
        super().__init__()
        self.factor = factor

    def forward(self, rows: Tensor) -> Tensor:
        return self.factor * rows


class Known(nn.Module):
    """The flow u = 2 c + 1, of log-determinant d log 2."""

    def forward(self, codes: Tensor) -> tuple[Tensor, Tensor]:
        return 2 * codes + 1, torch.full((len(codes),), codes.shape[1] * math.log(2))

    def inverse(self, noise: Tensor) -> Tensor:
        return (noise - 1) / 2


def known(**knobs: Any) -> Any:
    recipe: Any = build("autoencoder", Points(2, 1.0), latent=2, **knobs)
    recipe.encoder, recipe.decoder, recipe.density = Times(0.5), Times(3.0), Known()
    return recipe


REAL = torch.tensor([[1.0, -2.0], [0.6, 0.0]])
NOISE = torch.tensor([[0.3, -1.0], [0.0, 2.0]])


def test_reconstruction_by_hand() -> None:  # the error is x - 1.5 x = -0.5 x
    batch = {"real": REAL, "noise": NOISE}
    assert known().loss(batch)["reconstruction"].item() == pytest.approx(
        (0.5 + 1.0 + 0.3 + 0.0) / 4
    )
    squares = (0.25 + 1.0 + 0.09 + 0.0) / 4
    recipe = known(distance="l2")
    assert recipe.loss(batch)["reconstruction"].item() == pytest.approx(squares)
    assert recipe.watched["mse"].item() == pytest.approx(squares)


def test_likelihood_by_hand() -> None:
    term = known(jitter=0.1).density_loss({"real": REAL, "noise": NOISE})["likelihood"].item()
    codes = 0.5 * REAL + 0.1 * NOISE
    # u = 2 c + 1 is N(0, 1), so c is N(-1/2, 1/4)
    density = torch.distributions.Normal(-0.5, 0.5)
    assert term == pytest.approx(-density.log_prob(codes).sum(dim=1).mean().item())


def test_generate_goes_through_the_density_and_the_decoder() -> None:
    recipe = known()
    assert torch.equal(recipe.generate({"noise": NOISE}), 3 * (NOISE - 1) / 2)
    columns = recipe.show({"real": REAL, "noise": NOISE})
    assert torch.equal(columns["codes"], 0.5 * REAL)
    assert torch.equal(columns["reconstruction"], 1.5 * REAL)


def flow(dims: int, couplings: int = 3) -> Flow:
    torch.manual_seed(0)
    made = Flow(dims, couplings)
    for weight in made.parameters():
        nn.init.normal_(weight, 0.0, 0.3)  # far from the identity
    return made.double()


@pytest.mark.parametrize("dims", [2, 3, 8])
def test_the_flow_is_undone_by_its_inverse(dims: int) -> None:
    net, codes = flow(dims), torch.randn(5, dims, dtype=torch.float64)
    torch.testing.assert_close(net.inverse(net(codes)[0]), codes)


def test_the_log_determinant_is_that_of_the_jacobian() -> None:
    net, code = flow(3), torch.randn(3, dtype=torch.float64)
    jacobian = torch.autograd.functional.jacobian(lambda c: net(c[None])[0][0], code)
    expected = jacobian.det().abs().log().item()
    assert abs(expected) > 0.01
    assert net(code[None])[1].item() == pytest.approx(expected)


def test_every_coordinate_depends_on_every_other() -> None:
    net, code = flow(4), torch.randn(4, dtype=torch.float64)
    jacobian = torch.autograd.functional.jacobian(lambda c: net(c[None])[0][0], code)
    assert (jacobian.abs() > 1e-9).all()


def test_the_density_learns_where_the_codes_are() -> None:
    torch.manual_seed(0)
    recipe: Any = build("autoencoder", Points(2, 1.0), latent=2, rate=1e-2)
    recipe.encoder = Times(1.0)
    optimizer = recipe.optimizers()["density"]
    spread = torch.tensor([[2.0, 0.0], [1.0, 0.4]])
    codes = torch.randn(1024, 2) @ spread.T + torch.tensor([5.0, -3.0])
    for _ in range(200):
        rows = torch.randint(1024, (128,))
        batch = {"real": codes[rows], "noise": torch.randn(128, 2)}
        optimizer.zero_grad()
        recipe.density_loss(batch)["likelihood"].backward()
        optimizer.step()
    with torch.no_grad():
        samples = recipe.density.inverse(torch.randn(2000, 2))
    torch.testing.assert_close(samples.mean(0), codes.mean(0), atol=0.4, rtol=0)
    torch.testing.assert_close(samples.T.cov(), codes.T.cov(), atol=0.8, rtol=0)

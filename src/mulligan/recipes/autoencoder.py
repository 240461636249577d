"""Autoencoder: squeeze each picture into a few numbers, then paint it back from them.

A density fitted to the codes makes the decoder a generator; the encoder is not needed for that.

Paper    Hinton and Salakhutdinov 2006, "Reducing the Dimensionality of Data with Neural Networks",
         Science 313. Density: Dinh et al. 2016, "Density estimation using Real NVP",
         arXiv:1605.08803, equations 2, 3, 7 and 8.
Model    mean |x - decoder(encoder(x))|, or with distance l2 the mean of its square
Density  mean -log p(c), c = encoder(x) + jitter * e, e ~ N(0, I);
         log p(c) = log N(flow(c); 0, I) + log |det dflow/dc|
Departs  trained at once instead of layer by layer; Adam; absolute error by default. The density is
         ours: the paper does not sample. Its log-scale is bounded by tanh, its batch norm left out.
"""

from __future__ import annotations

import math
from typing import ClassVar, Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.optim import Adam, Optimizer

from mulligan.fields import Fields
from mulligan.networks.pairs import coder
from mulligan.recipe import Batch, Recipe, Terms, Turn, knob


class Autoencoder(Recipe):
    class Settings(Recipe.Settings):
        body: Literal["auto", "mlp", "plain"] = knob(
            "auto",
            "networks: mlp (fully connected), plain (strided convolutions); auto is mlp for "
            "points and plain for images",
        )
        latent: int = knob(16, "numbers in a code", low=2, high=4096)
        width: int = knob(
            0, "channels (or units) of the widest common layer; 0 chooses by body", low=0, high=4096
        )
        distance: Literal["l1", "l2"] = knob(
            "l1", "pixel distance: l1 (absolute error, sharper) or l2 (squared error)"
        )
        couplings: int = knob(6, "layers of the density (affine couplings)", low=2, high=64)
        jitter: float = knob(
            0.05, "deviation of the noise on the codes that keeps the density bounded", low=0
        )
        rate: float = knob(1e-3, "Adam's learning rate for both players", above=0, role="rate")
        ema: float = knob(
            20_000,
            "half-life of the averaged weights, in images; 0 shows the live weights",
            low=0,
            role="ema",
        )

    averaged: ClassVar[tuple[str, ...]] = ("encoder", "decoder", "density")
    settings: Settings

    def __init__(self, settings: Settings, fields: Fields) -> None:
        super().__init__(settings, fields)
        latent = settings.latent
        self.encoder, self.decoder = coder(
            settings.body, fields["real"], latent, latent, settings.width
        )
        self.density = Flow(latent, settings.couplings)

    def optimizers(self) -> dict[str, Optimizer]:
        model = [*self.encoder.parameters(), *self.decoder.parameters()]
        rate = self.settings.rate
        return {
            "model": Adam(model, lr=rate, fused=True),
            "density": Adam(self.density.parameters(), lr=rate, fused=True),
        }

    def turns(self) -> list[Turn]:
        return [Turn("model", self.loss), Turn("density", self.density_loss)]

    def loss(self, batch: Batch) -> Terms:
        error = batch["real"] - self.decoder(self.encoder(batch["real"]))
        self.watch(mse=error.square().mean())
        if self.settings.distance == "l1":
            return {"reconstruction": error.abs().mean()}
        return {"reconstruction": error.square().mean()}

    def density_loss(self, batch: Batch) -> Terms:
        codes = self.encoder(batch["real"]) + self.settings.jitter * batch["noise"]
        noise, log_determinant = self.density(codes)
        normal = 0.5 * (noise.square() + math.log(2 * math.pi)).sum(dim=1)
        return {"likelihood": (normal - log_determinant).mean()}

    def schedule(self, seen: int, total: int) -> dict[str, float]:
        return {"ema": self.settings.ema}

    def generate(self, batch: Batch) -> Tensor:
        samples: Tensor = self.decoder(self.density.inverse(batch["noise"]))
        return samples

    def show(self, batch: Batch) -> dict[str, Tensor]:
        codes = self.encoder(batch["real"])
        return {
            "real": batch["real"],
            "reconstruction": self.decoder(codes),
            "generated": self.generate(batch),
            "codes": codes,
        }


class Coupling(nn.Module):
    """One affine coupling: the first half of a row scales and shifts the other half.

    Each log-scale lies in [-1, 1]: with twice that, the inverse was seen to leave the codes by
    orders of magnitude. Real NVP, equations 7 and 8.
    """

    def __init__(self, dims: int, hidden: int = 64) -> None:
        super().__init__()
        self.kept, self.moved = dims // 2, dims - dims // 2
        self.first = nn.Linear(self.kept, hidden)
        self.second = nn.Linear(hidden, hidden)
        self.last = nn.Linear(hidden, 2 * self.moved)

    def scale_and_shift(self, kept: Tensor) -> tuple[Tensor, Tensor]:
        hidden = F.silu(self.second(F.silu(self.first(kept))))
        log_scale, shift = self.last(hidden).chunk(2, dim=1)
        return log_scale.tanh(), shift

    def forward(self, rows: Tensor) -> tuple[Tensor, Tensor]:
        """(N, dims) to (N, dims), and the log-determinant of the Jacobian, (N,)."""
        kept, moved = rows.split([self.kept, self.moved], dim=1)
        log_scale, shift = self.scale_and_shift(kept)
        return torch.cat([kept, moved * log_scale.exp() + shift], dim=1), log_scale.sum(dim=1)

    def inverse(self, rows: Tensor) -> Tensor:
        kept, moved = rows.split([self.kept, self.moved], dim=1)
        log_scale, shift = self.scale_and_shift(kept)
        return torch.cat([kept, (moved - shift) * (-log_scale).exp()], dim=1)


class Flow(nn.Module):
    """An invertible map from codes to noise; the order of coordinates is reversed in between."""

    def __init__(self, dims: int, couplings: int) -> None:
        super().__init__()
        self.couplings = nn.ModuleList(Coupling(dims) for _ in range(couplings))

    def forward(self, codes: Tensor) -> tuple[Tensor, Tensor]:
        """(N, dims) codes to (N, dims) noise, and the log-determinant of the Jacobian, (N,)."""
        total = codes.new_zeros(len(codes))
        for coupling in self.couplings:
            codes, log_determinant = coupling(codes.flip(1))
            total = total + log_determinant
        return codes, total

    def inverse(self, noise: Tensor) -> Tensor:
        """(N, dims) noise to the codes that `forward` maps there."""
        for coupling in reversed(list(self.couplings)):
            assert isinstance(coupling, Coupling)
            noise = coupling.inverse(noise).flip(1)
        return noise

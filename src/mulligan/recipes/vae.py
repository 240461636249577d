"""VAE: an encoder learns where each picture lies in a known latent distribution, a decoder paints.

Paper    Kingma and Welling 2013, "Auto-Encoding Variational Bayes", arXiv:1312.6114, equation 10
         with one sample a row; m and log v from the encoder, z = m + sqrt(v) * e, e ~ N(0, I).
Model    mean over rows of
         sum over pixels [ (x - decoder(z))^2 / (2 deviation^2) + log deviation + log(2 pi) / 2 ]
         - beta/2 sum over latents (1 + log v - m^2 - v)
Departs  Adam instead of Adagrad; the networks; the decoder's deviation is one learned number
         (Dai and Wipf 2019, arXiv:1903.05789) unless the knob deviation fixes it; the knob ramp
         raises the divergence from 0 (Bowman et al. 2015, arXiv:1511.06349).
"""

from __future__ import annotations

import math
from typing import ClassVar, Literal

import torch
from torch import Tensor, nn
from torch.optim import Adam, Optimizer

from mulligan.fields import Fields
from mulligan.networks.pairs import coder
from mulligan.recipe import Batch, Recipe, Terms, Turn, knob


class VAE(Recipe):
    class Settings(Recipe.Settings):
        body: Literal["auto", "mlp", "plain"] = knob(
            "auto",
            "networks: mlp (fully connected), plain (strided convolutions); auto is mlp for "
            "points and plain for images",
        )
        latent: int = knob(16, "numbers in a code", low=1, high=4096)
        width: int = knob(
            0, "channels (or units) of the widest common layer; 0 chooses by body", low=0, high=4096
        )
        beta: float = knob(1.0, "weight of the divergence (beta)", low=0, role="penalty")
        ramp: float = knob(0, "images over which the divergence's weight rises from 0", low=0)
        deviation: float = knob(
            0.0, "standard deviation of the decoder's pixels; 0 learns it", low=0, high=10
        )
        rate: float = knob(1e-3, "Adam's learning rate", above=0, high=1, role="rate")
        ema: float = knob(
            20_000,
            "half-life of the averaged weights, in images; 0 shows the live weights",
            low=0,
            role="ema",
        )

    averaged: ClassVar[tuple[str, ...]] = ("encoder", "decoder")
    settings: Settings
    log_deviation: Tensor

    def __init__(self, settings: Settings, fields: Fields) -> None:
        super().__init__(settings, fields)
        latent = settings.latent
        self.encoder, self.decoder = coder(
            settings.body, fields["real"], latent, 2 * latent, settings.width
        )
        if settings.deviation:
            self.register_buffer("log_deviation", torch.tensor(math.log(settings.deviation)))
        else:
            self.log_deviation = nn.Parameter(torch.tensor(-1.5))

    def optimizers(self) -> dict[str, Optimizer]:
        return {"model": Adam(self.parameters(), lr=self.settings.rate, fused=True)}

    def turns(self) -> list[Turn]:
        return [Turn("model", self.loss)]

    def encode(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and log variance of each row's code, (N, latent) each."""
        mean, log_variance = self.encoder(images).chunk(2, dim=1)
        return mean, log_variance

    def loss(self, batch: Batch) -> Terms:
        mean, log_variance = self.encode(batch["real"])
        code = mean + (0.5 * log_variance).exp() * batch["noise"]
        error = (batch["real"] - self.decoder(code)).square().flatten(1)
        self.watch(mse=error.mean(), deviation=self.log_deviation.exp())
        precision = (-2 * self.log_deviation).exp()
        likelihood = -0.5 * (error * precision + 2 * self.log_deviation + math.log(2 * math.pi))
        divergence = -0.5 * (1 + log_variance - mean.square() - log_variance.exp())
        beta = self.settings.beta * self.now.get("beta", 1.0)
        return {
            "reconstruction": -likelihood.sum(dim=1).mean(),
            "divergence": beta * divergence.sum(dim=1).mean(),
        }

    def schedule(self, seen: int, total: int) -> dict[str, float]:
        ramp = self.settings.ramp
        return {"ema": self.settings.ema, "beta": min(1.0, seen / ramp) if ramp else 1.0}

    def generate(self, batch: Batch) -> Tensor:
        samples: Tensor = self.decoder(batch["noise"])
        return samples

    def show(self, batch: Batch) -> dict[str, Tensor]:
        codes, _ = self.encode(batch["real"])
        return {
            "real": batch["real"],
            "reconstruction": self.decoder(codes),
            "generated": self.generate(batch),
            "codes": codes,
        }

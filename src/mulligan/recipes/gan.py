"""GAN: a generator learns to paint by fooling a discriminator that learns to tell.

Paper    Goodfellow et al. 2014, "Generative Adversarial Networks", arXiv:1406.2661, algorithm 1
         with k = 1, and its non-saturating objective (section 3).
D        mean softplus(-s(x)) + mean softplus(s(G(z)))
G        mean softplus(-s(G(z))), or with objective minimax: -mean softplus(s(G(z))), or with
         objective matching: |mean h(x) - mean h(G(z))|^2, h the last features of D (Salimans et
         al. 2016, arXiv:1606.03498, section 3.1)
Departs  Adam instead of SGD with momentum; LeakyReLU instead of maxout and ReLU, no dropout;
         Gaussian noise; tanh at the generator's end. Glorot-uniform weights and zero biases.
         Preset classic: PyTorch's Adam adds epsilon after the bias correction, Keras before it.
"""

from __future__ import annotations

from typing import ClassVar, Literal

import torch.nn.functional as F
from torch import nn

from mulligan.duel import Body, Duel
from mulligan.fields import Image, Points
from mulligan.losses import cross_entropy, feature_matching
from mulligan.networks import mlp
from mulligan.networks.initial import glorot
from mulligan.networks.pairs import mlp_hidden, resolve
from mulligan.recipe import Batch, Preset, Terms, Turn, knob


class GAN(Duel):
    class Settings(Duel.Settings):
        body: Body = knob(
            "mlp", "pair of networks: mlp (fully connected), or those of the other recipes"
        )
        rate: float = knob(
            1e-3, "Adam's learning rate for both players", above=0, high=1, role="rate"
        )
        layers: int = knob(3, "hidden layers of each fully connected network", low=1, high=16)
        slope: float = knob(0.2, "slope of LeakyReLU below zero (mlp)", low=0, high=1)
        objective: Literal["non-saturating", "minimax", "matching"] = knob(
            "non-saturating",
            "the generator's objective: non-saturating keeps a gradient when the discriminator "
            "wins early, minimax is the paper's game and loses it, matching brings the "
            "discriminator's mean features together",
        )
        smoothing: float = knob(
            0.0, "how far the target of reals lies below 1 (one-sided)", low=0, below=0.5
        )
        separate: bool = knob(
            False, "update the discriminator on reals and on fakes in two steps instead of one"
        )

    presets: ClassVar[dict[str, Preset]] = {
        "classic": Preset(
            "the introductory texts' GAN for MNIST: two discriminator steps, then the generator",
            settings={
                "body": "mlp",
                "latent": 100,
                "width": 128,
                "layers": 1,
                "slope": 0.01,
                "objective": "non-saturating",
                "separate": True,
                "rate": 1e-3,
                "beta1": 0.9,
                "beta2": 0.999,
                "epsilon": 1e-7,
                "ema": 0,
            },
            run={"batch": 128, "rounds": 20_000, "held_out": 0, "tick": 1000, "patience": 0},
        )
    }
    settings: Settings

    def networks(self) -> tuple[nn.Module, nn.Module]:
        knobs, field = self.settings, self.fields["real"]
        if resolve(knobs.body, field) != "mlp":
            return super().networks()
        assert isinstance(field, (Image, Points))
        hidden = mlp_hidden(knobs.width, knobs.layers)
        generator = mlp.Generator(knobs.latent, field.shape, hidden, knobs.slope)
        discriminator = mlp.Discriminator(field.shape, hidden, knobs.slope)
        glorot(generator)
        glorot(discriminator)
        return generator, discriminator

    def turns(self) -> list[Turn]:
        if not self.settings.separate:
            return super().turns()
        return [
            Turn("discriminator", self.real_loss),
            Turn("discriminator", self.fake_loss),
            Turn("generator", self.generator_loss),
        ]

    def discriminator_loss(self, batch: Batch) -> Terms:
        real = self.score(batch["real"], batch)
        fake = self.score(self.generate(batch), batch)
        self.watch_accuracy(real, fake)
        return {
            "real": cross_entropy(real, 1 - self.settings.smoothing),
            "fake": F.softplus(fake).mean(),
        }

    def real_loss(self, batch: Batch) -> Terms:
        real = self.score(batch["real"], batch)
        self.watch_accuracy(real=real)
        return {"real": F.softplus(-real).mean()}

    def fake_loss(self, batch: Batch) -> Terms:
        fake = self.score(self.generate(batch), batch)
        self.watch_accuracy(fake=fake)
        return {"fake": F.softplus(fake).mean()}

    def generator_loss(self, batch: Batch) -> Terms:
        if self.settings.objective == "matching":
            real, fake = self.features(batch["real"]), self.features(self.generate(batch))
            return {"matching": feature_matching(real, fake)}
        fake = self.score(self.generate(batch), batch)
        if self.settings.objective == "minimax":
            return {"fake": -F.softplus(fake).mean()}
        return {"fake": F.softplus(-fake).mean()}

"""InfoGAN: a part of the noise must be readable from the picture, so it learns to mean something.

Paper    Chen et al. 2016, "InfoGAN: Interpretable Representation Learning by Information
         Maximizing Generative Adversarial Nets", arXiv:1606.03657, equation 6.
D        mean softplus(-s(x)) + mean softplus(s(G(z, c)))
G        mean softplus(-s(G(z, c)))
I        -lambda mean log Q(c | G(z, c)): cross-entropy for the category, and a Gaussian with a
         learned deviation for each continuous code (its constant left out); moves G and D
Departs  the networks: Q is further outputs of D. Lambda is one number for all codes.
"""

from __future__ import annotations

from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.optim import Adam, Optimizer

from mulligan.duel import Duel
from mulligan.networks.pairs import pair
from mulligan.recipe import Batch, Terms, Turn, knob


class InfoGAN(Duel):
    class Settings(Duel.Settings):
        latent: int = knob(62, "numbers of noise that need not mean anything", low=1, high=4096)
        categories: int = knob(10, "values of the categorical code", low=2, high=1000)
        codes: int = knob(2, "continuous codes, each uniform on [-1, 1]", low=0, high=100)
        information: float = knob(1.0, "weight of the information terms (lambda)", low=0, high=1000)

    couples_rows: ClassVar[bool] = True  # the generator for pictures has batch norm
    settings: Settings

    @property
    def latent(self) -> int:
        knobs = self.settings
        return knobs.categories + knobs.codes + knobs.latent

    def networks(self) -> tuple[nn.Module, nn.Module]:
        knobs = self.settings
        outputs = 1 + knobs.categories + 2 * knobs.codes
        return pair(knobs.body, self.fields["real"], self.latent, knobs.width, outputs=outputs)

    def optimizers(self) -> dict[str, Optimizer]:
        knobs = self.settings
        both = Adam(
            [*self.generator.parameters(), *self.discriminator.parameters()],
            lr=knobs.rate,
            betas=(knobs.beta1, knobs.beta2),
            eps=knobs.epsilon,
            fused=True,
        )
        return {**super().optimizers(), "information": both}

    def turns(self) -> list[Turn]:
        return [*super().turns(), Turn("information", self.information_loss)]

    def discriminator_loss(self, batch: Batch) -> Terms:
        real = self.score(batch["real"], batch)
        fake = self.score(self.generate(batch), batch)
        self.watch_accuracy(real, fake)
        return {"real": F.softplus(-real).mean(), "fake": F.softplus(fake).mean()}

    def generator_loss(self, batch: Batch) -> Terms:
        return {"fake": F.softplus(-self.score(self.generate(batch), batch)).mean()}

    def information_loss(self, batch: Batch) -> Terms:
        category, codes = self.read(batch["noise"])
        logits, means, deviations = self.guess(self.generate(batch))
        self.watch(accuracy=(logits.argmax(1) == category).to(logits.dtype).mean())
        misses = ((codes - means) / deviations).square() / 2 + deviations.log()
        return {
            "category": self.settings.information * F.cross_entropy(logits, category),
            "codes": self.settings.information * misses.sum(1).mean(),
        }

    def noise(self, count: int, generator: torch.Generator) -> Tensor:
        """(count, categories + codes + latent): one-hot, uniform on [-1, 1], N(0, 1)."""
        knobs = self.settings
        category = torch.randint(knobs.categories, (count,), generator=generator)
        codes = 2 * torch.rand(count, knobs.codes, generator=generator) - 1
        rest = torch.randn(count, knobs.latent, generator=generator)
        return torch.cat([F.one_hot(category, knobs.categories), codes, rest], dim=1)

    def read(self, noise: Tensor) -> tuple[Tensor, Tensor]:
        """The category of each row, (N,), and its continuous codes, (N, codes)."""
        first, last = self.settings.categories, self.settings.categories + self.settings.codes
        return noise[:, :first].argmax(1), noise[:, first:last]

    def guess(self, images: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Q: logits (N, categories), and mean and deviation (N, codes) of the continuous codes."""
        knobs = self.settings
        outputs = self.discriminator(self.seen(images))[:, 1:]
        logits, means, spreads = outputs.split([knobs.categories, knobs.codes, knobs.codes], dim=1)
        return logits, means, F.softplus(spreads) + 1e-3

    def scores(self, images: Tensor, batch: Batch) -> dict[str, Tensor]:
        return {"discriminator": self.discriminator(self.seen(images))[:, 0]}

    def show(self, batch: Batch) -> dict[str, Tensor]:
        """The samples, and the same noise with each category in turn."""
        shown = {"generated": self.generate(batch)}
        for category in range(min(self.settings.categories, 10)):
            noise = batch["noise"].clone()
            noise[:, : self.settings.categories] = 0
            noise[:, category] = 1
            shown[f"category {category}"] = self.generate({"noise": noise})
        return shown

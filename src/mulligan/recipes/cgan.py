"""CGAN: the class is an input of both networks, so that one can ask for it.

Paper    Mirza and Osindero 2014, "Conditional Generative Adversarial Nets", arXiv:1411.1784,
         equation 2, with the non-saturating objective of Goodfellow et al. 2014.
D        mean softplus(-s(x, y)) + mean softplus(s(G(z, y), y))
         + gamma/2 A mean |grad s(x, y)|^2, A the pixels of a picture over 28 x 28
G        mean softplus(-s(G(z, y), y))
Departs  convolutions for pictures instead of maxout, Adam instead of SGD. The class reaches the
         generator as an embedding joined to the noise, which it also scales, and the
         discriminator as an embedding joined to the picture, or (judge projection) by Miyato and
         Koyama 2018, arXiv:1802.05637. Fakes carry the labels of the reals they are paired with.
         The last term is R1 (Mescheder et al. 2018, arXiv:1801.04406): without it each class was
         seen to collapse to one picture. Lazily, it has every k-th round an update of its own, k
         times as heavy (Karras et al. 2020, arXiv:1912.04958, appendix B). Rates fall in time.
"""

from __future__ import annotations

import math
from functools import partial
from typing import ClassVar, Literal

from torch import Tensor, nn

from mulligan.duel import Duel
from mulligan.fields import Image, Label, Points, Reads
from mulligan.losses import area, cross_entropy, scored
from mulligan.networks.pairs import pair
from mulligan.recipe import Batch, Terms, Turn, knob


class CGAN(Duel):
    class Settings(Duel.Settings):
        rate: float = knob(
            1e-3, "Adam's learning rate for both players", above=0, high=1, role="rate"
        )
        judge: Literal["planes", "projection"] = knob(
            "projection",
            "how the discriminator is told the class: planes (joined to the picture, as in the "
            "paper) or projection (a product with its last features)",
        )
        penalty: float = knob(
            1.0,
            "weight of R1, at reals, at 28x28 pixels (gamma); it grows with the pixels",
            low=0,
            high=1e6,
            role="penalty",
        )
        lazy: int = knob(4, "rounds from one R1 to the next", low=1, high=1000)
        steady: float = knob(
            100_000.0,
            "images seen at the full rate; beyond, both rates fall with the root of what was seen",
            low=1,
            high=1e12,
        )
        smoothing: float = knob(
            0.0, "how far the target of reals lies below 1 (one-sided)", low=0, below=0.5
        )

    reads: ClassVar[Reads] = {"real": (Image, Points), "label": (Label,)}
    conditions = ("label",)
    couples_rows: ClassVar[bool] = True  # the generator for pictures has batch norm
    settings: Settings

    def networks(self) -> tuple[nn.Module, nn.Module]:
        knobs, field = self.settings, self.fields["real"]
        return pair(knobs.body, field, knobs.latent, knobs.width, self.classes, knobs.judge)

    def schedule(self, seen: int, total: int) -> dict[str, float]:
        rate = min(1.0, math.sqrt(self.settings.steady / max(1, seen)))
        players = {"rate/discriminator": rate, "rate/generator": rate}
        return {**super().schedule(seen, total), **players}

    def turns(self) -> list[Turn]:
        lazy, second = self.settings.lazy, Turn("generator", self.generator_loss)
        if lazy == 1:
            return [Turn("discriminator", self.penalised_loss, second_order=True), second]
        penalty = Turn("discriminator", self.penalty_loss, every=lazy, second_order=True)
        return [Turn("discriminator", self.discriminator_loss), penalty, second]

    def penalised_loss(self, batch: Batch) -> Terms:
        real, slopes = scored(partial(self.score, batch=batch), batch["real"])
        return {**self.judged(real, batch), "penalty": self.weight(batch) / 2 * slopes.mean()}

    def penalty_loss(self, batch: Batch) -> Terms:
        _, slopes = scored(partial(self.score, batch=batch), batch["real"])
        weight = self.settings.lazy * self.weight(batch)
        return {"penalty": weight / 2 * slopes.mean()}

    def discriminator_loss(self, batch: Batch) -> Terms:
        return self.judged(self.score(batch["real"], batch), batch)

    def judged(self, real: Tensor, batch: Batch) -> Terms:
        """The terms of both sides, from the scores of the reals."""
        fake = self.score(self.generate(batch), batch)
        self.watch_accuracy(real, fake)
        on_reals = cross_entropy(real, 1 - self.settings.smoothing)
        return {"real": on_reals, "fake": cross_entropy(fake, 0)}

    def weight(self, batch: Batch) -> float:
        """R1's weight for pictures of this size."""
        return float(self.settings.penalty * area(batch["real"]))

    def generator_loss(self, batch: Batch) -> Terms:
        return {"fake": cross_entropy(self.score(self.generate(batch), batch), 1)}

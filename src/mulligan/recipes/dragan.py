"""DRAGAN: the discriminator's slope is held at 1 near the data, against sudden collapse.

Paper    Kodali et al. 2017, "On Convergence and Stability of GANs", arXiv:1705.07215, equation 1
         of section 2.5.
D        mean softplus(-s(x)) + mean softplus(s(G(z))) + lambda mean (|grad s(x + d)| - 1)^2,
         d = e c sigma u; e for each row and u for each number uniform on [0, 1], sigma the
         deviation of the batch
G        mean softplus(-s(G(z)))
Departs  d is that of the authors' code; the paper's text has Gaussian noise. The networks.
"""

from __future__ import annotations

from typing import ClassVar

import torch
import torch.nn.functional as F

from mulligan.duel import Duel
from mulligan.losses import between, unit_gradient
from mulligan.recipe import Batch, Terms, Turn, knob


class DRAGAN(Duel):
    class Settings(Duel.Settings):
        penalty: float = knob(
            10.0, "weight of the gradient penalty (lambda)", low=0, high=1e6, role="penalty"
        )
        reach: float = knob(
            0.5, "longest disturbance, in standard deviations of the batch (c)", above=0, high=10
        )

    couples_rows: ClassVar[bool] = True  # the disturbance is measured by the batch
    settings: Settings

    def turns(self) -> list[Turn]:
        return [
            Turn("discriminator", self.discriminator_loss, second_order=True),
            Turn("generator", self.generator_loss),
        ]

    def discriminator_loss(self, batch: Batch) -> Terms:
        real = batch["real"]
        scores, fake = self.score(real, batch), self.score(self.generate(batch), batch)
        self.watch_accuracy(scores, fake)
        far = real + self.settings.reach * real.std() * torch.rand_like(real)
        slope = unit_gradient(lambda images: self.score(images, batch), between(real, far))
        return {
            "real": F.softplus(-scores).mean(),
            "fake": F.softplus(fake).mean(),
            "penalty": self.settings.penalty * slope,
        }

    def generator_loss(self, batch: Batch) -> Terms:
        return {"fake": F.softplus(-self.score(self.generate(batch), batch)).mean()}

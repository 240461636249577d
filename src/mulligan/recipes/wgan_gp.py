"""WGAN-GP: the critic's slope is held at 1 by a penalty instead of by clipping its weights.

Paper    Gulrajani et al. 2017, "Improved Training of Wasserstein GANs", arXiv:1704.00028,
         algorithm 1.
D        mean s(G(z)) - mean s(x) + lambda mean (|grad s(e x + (1 - e) G(z))| - 1)^2,
         e uniform on [0, 1] for each row
G        -mean s(G(z))
Departs  the networks; no normalisation in the critic instead of layer norm.
"""

from __future__ import annotations

from typing import ClassVar

from mulligan.duel import Duel
from mulligan.losses import between, unit_gradient
from mulligan.recipe import Batch, Terms, Turn, knob


class WGANGP(Duel):
    class Settings(Duel.Settings):
        beta1: float = knob(0.0, "Adam's decay of the first moment", low=0, below=1)
        beta2: float = knob(0.9, "Adam's decay of the second moment", low=0, below=1)
        critic_steps: int = knob(
            5,
            "critic updates for each generator update (n_critic)",
            low=1,
            high=1000,
            role="critic_steps",
        )
        penalty: float = knob(
            10.0, "weight of the gradient penalty (lambda)", low=0, high=1e6, role="penalty"
        )

    couples_rows: ClassVar[bool] = True  # the generator for pictures has batch norm
    undecided: ClassVar[float | None] = None
    settings: Settings

    def turns(self) -> list[Turn]:
        steps = self.settings.critic_steps
        return [
            Turn("discriminator", self.critic_loss, repeat=steps, second_order=True),
            Turn("generator", self.generator_loss),
        ]

    def critic_loss(self, batch: Batch) -> Terms:
        real, fake = batch["real"], self.generate(batch)
        slope = unit_gradient(lambda images: self.score(images, batch), between(real, fake))
        return {
            "real": -self.score(real, batch).mean(),
            "fake": self.score(fake, batch).mean(),
            "penalty": self.settings.penalty * slope,
        }

    def generator_loss(self, batch: Batch) -> Terms:
        return {"fake": -self.score(self.generate(batch), batch).mean()}

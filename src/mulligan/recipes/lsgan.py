"""LSGAN: least squares instead of cross-entropy, so that far-away fakes still get a gradient.

Paper    Mao et al. 2016, "Least Squares Generative Adversarial Networks", arXiv:1611.04076,
         equation 2 with a = 0, b = 1, c = 1.
D        1/2 mean (s(x) - 1)^2 + 1/2 mean s(G(z))^2
G        1/2 mean (s(G(z)) - 1)^2
Departs  the networks: the pair that the knob body names instead of the paper's.
"""

from __future__ import annotations

from typing import ClassVar

from mulligan.duel import Duel
from mulligan.recipe import Batch, Terms


class LSGAN(Duel):
    couples_rows: ClassVar[bool] = True  # batch norm in the generator of the plain body
    undecided: ClassVar[float | None] = 0.5

    def discriminator_loss(self, batch: Batch) -> Terms:
        real = self.score(batch["real"], batch)
        fake = self.score(self.generate(batch), batch)
        self.watch_accuracy(real, fake)
        return {
            "real": 0.5 * (real - 1).square().mean(),
            "fake": 0.5 * fake.square().mean(),
        }

    def generator_loss(self, batch: Batch) -> Terms:
        fake = self.score(self.generate(batch), batch)
        return {"fake": 0.5 * (fake - 1).square().mean()}

"""SNGAN: every weight of the discriminator is divided by its largest singular value.

Paper    Miyato et al. 2018, "Spectral Normalization for Generative Adversarial Networks",
         arXiv:1802.05957, algorithm 1; hinge loss of Lim and Ye 2017, arXiv:1705.02894.
D        mean relu(1 - s(x)) + mean relu(1 + s(G(z)))
G        -mean s(G(z))
Departs  narrower networks by default, for CPUs (--width 128 --latent 128 are the paper's for 32
         pixels). The vectors of the power iteration also move in the generator's turn, as in the
         authors' code.
"""

from __future__ import annotations

from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import nn

from mulligan.duel import Body, Duel
from mulligan.fields import Points
from mulligan.networks.pairs import pair
from mulligan.networks.spectral import spectral
from mulligan.recipe import Batch, Terms, Turn, knob


class SNGAN(Duel):
    class Settings(Duel.Settings):
        body: Body = knob(
            "auto",
            "pair of networks: auto is resnet (the paper's) for images and mlp for points, the "
            "others are those of the other recipes",
        )
        beta1: float = knob(0.0, "Adam's decay of the first moment", low=0, below=1)
        beta2: float = knob(0.9, "Adam's decay of the second moment", low=0, below=1)
        critic_steps: int = knob(
            5,
            "discriminator updates for each generator update (n_dis)",
            low=1,
            high=1000,
            role="critic_steps",
        )
        decay: bool = knob(True, "let the rate fall to 0 in a straight line over the run")

    couples_rows: ClassVar[bool] = True  # the generator for pictures has batch norm
    settings: Settings

    def networks(self) -> tuple[nn.Module, nn.Module]:
        knobs, field = self.settings, self.fields["real"]
        auto = "mlp" if isinstance(field, Points) else "resnet"
        body = auto if knobs.body == "auto" else knobs.body
        generator, discriminator = pair(body, field, knobs.latent, knobs.width)
        return generator, spectral(discriminator)

    def turns(self) -> list[Turn]:
        steps = self.settings.critic_steps
        return [
            Turn("discriminator", self.discriminator_loss, repeat=steps),
            Turn("generator", self.generator_loss),
        ]

    def discriminator_loss(self, batch: Batch) -> Terms:
        # one pass over both: one step of the power method an update, as in algorithm 1
        both = self.score(torch.cat([batch["real"], self.generate(batch)]), batch)
        real, fake = both.chunk(2)
        self.watch_accuracy(real, fake)
        return {"real": F.relu(1 - real).mean(), "fake": F.relu(1 + fake).mean()}

    def generator_loss(self, batch: Batch) -> Terms:
        return {"fake": -self.score(self.generate(batch), batch).mean()}

    def schedule(self, seen: int, total: int) -> dict[str, float]:
        left = 1 - seen / total if self.settings.decay else 1.0
        return {**super().schedule(seen, total), "rate": max(left, 0.0)}

"""WGAN: a critic whose loss is a distance, so that it falls while the samples get better.

Paper    Arjovsky et al. 2017, "Wasserstein GAN", arXiv:1701.07875, algorithm 1.
D        mean s(G(z)) - mean s(x), then every weight is clipped to [-c, c]
G        -mean s(G(z))
Departs  a higher rate than 5e-5, for short runs; the critic for pictures has no batch norm. The
         authors' code has more critic steps in the first rounds; the algorithm box has not.
         Preset classic: none but the networks, which are those of body plain.
"""

from __future__ import annotations

from typing import ClassVar

from torch import nn
from torch.optim import Optimizer, RMSprop

from mulligan.duel import Duel
from mulligan.recipe import Batch, Preset, Terms, Turn, knob


class WGAN(Duel):
    class Settings(Duel.Settings):
        rate: float = knob(
            2e-4, "RMSprop's learning rate for both players", above=0, high=1, role="rate"
        )
        beta1: float = knob(
            0.0,
            "RMSprop's momentum; the paper found training with any to be unstable",
            low=0,
            below=1,
        )
        beta2: float = knob(
            0.99, "RMSprop's decay of the second moment (its alpha)", low=0, below=1
        )
        critic_steps: int = knob(
            5,
            "critic updates for each generator update (n_critic)",
            low=1,
            high=1000,
            role="critic_steps",
        )
        clip: float = knob(
            0.01, "bound on the absolute value of every critic weight (c)", above=0, high=1
        )

    presets: ClassVar[dict[str, Preset]] = {
        "classic": Preset(
            "the paper's values, which introductory texts repeat",
            settings={
                "rate": 5e-5,
                "beta1": 0.0,
                "critic_steps": 5,
                "clip": 0.01,
                "ema": 0,
            },
            run={"batch": 64, "held_out": 0, "patience": 0},
        )
    }
    couples_rows: ClassVar[bool] = True  # the generator for pictures has batch norm
    undecided: ClassVar[float | None] = None
    settings: Settings

    def optimizers(self) -> dict[str, Optimizer]:
        def rmsprop(network: nn.Module) -> Optimizer:
            knobs = self.settings
            return RMSprop(
                network.parameters(),
                lr=knobs.rate,
                alpha=knobs.beta2,
                eps=knobs.epsilon,
                momentum=knobs.beta1,
            )

        return {
            "discriminator": rmsprop(self.discriminator),
            "generator": rmsprop(self.generator),
        }

    def turns(self) -> list[Turn]:
        critic = Turn(
            "discriminator", self.critic_loss, repeat=self.settings.critic_steps, after=self.clip
        )
        return [critic, Turn("generator", self.generator_loss)]

    def critic_loss(self, batch: Batch) -> Terms:
        real = self.score(batch["real"], batch)
        fake = self.score(self.generate(batch), batch)
        return {"real": -real.mean(), "fake": fake.mean()}

    def generator_loss(self, batch: Batch) -> Terms:
        return {"fake": -self.score(self.generate(batch), batch).mean()}

    def clip(self) -> None:
        """Bound the critic's weights, which bounds its slope: algorithm 1, line 7."""
        for weight in self.discriminator.parameters():
            weight.data.clamp_(-self.settings.clip, self.settings.clip)

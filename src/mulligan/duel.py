"""Duel: generator against discriminator, the part of the contract that most recipes share."""

from __future__ import annotations

from typing import ClassVar, Literal

from torch import Tensor, nn
from torch.optim import Adam, Optimizer

from mulligan.fields import Fields, class_count
from mulligan.networks.augment import augmentation
from mulligan.networks.pairs import pair
from mulligan.recipe import Batch, Recipe, Terms, Turn, knob

Body = Literal["auto", "mlp", "points", "dcgan", "plain", "resnet", "compact"]


class Duel(Recipe):
    """Generator against discriminator: the two networks, optimizers and turns most recipes share.

    A subclass writes `discriminator_loss` and `generator_loss`; it may replace `networks`.
    """

    class Settings(Recipe.Settings):
        body: Body = knob(
            "auto",
            "pair of networks: mlp (fully connected), points (for narrow modes), dcgan (strided "
            "convolutions, batch norm in both), plain (the same without batch norm in the "
            "discriminator), resnet (residual blocks at every size), compact (residual blocks on "
            "small maps); auto is mlp for points and plain for images",
        )
        latent: int = knob(64, "numbers of noise for each sample", low=1, high=4096)
        width: int = knob(
            0, "channels (or units) of the widest common layer; 0 chooses by body", low=0, high=4096
        )
        rate: float = knob(
            2e-4, "Adam's learning rate for both players", above=0, high=1, role="rate"
        )
        beta1: float = knob(0.5, "Adam's decay of the first moment", low=0, below=1)
        beta2: float = knob(0.999, "Adam's decay of the second moment", low=0, below=1)
        epsilon: float = knob(1e-8, "Adam's constant against division by zero", above=0, high=1)
        ema: float = knob(
            20_000,
            "half-life of the averaged generator's weights, in images; 0 shows the live weights",
            low=0,
            role="ema",
        )
        augment: Literal["off", "on", "adaptive"] = knob(
            "off",
            "change what the discriminator sees, for few pictures: colours, place, a hole; "
            "adaptive changes more of them the better it knows the reals",
            role="augment",
        )
        augment_pace: float = knob(
            100_000, "images in which adaptive can go from none to all", above=0
        )

    averaged: ClassVar[tuple[str, ...]] = ("generator",)
    settings: Settings

    def __init__(self, settings: Settings, fields: Fields) -> None:
        super().__init__(settings, fields)
        self.generator, self.discriminator = self.networks()
        knobs = settings.augment, settings.augment_pace, fields["real"], self.undecided
        self.augment = augmentation(*knobs)
        if self.augment is not None:
            self.shared_memory = (*self.shared_memory, "augment.signs")

    def networks(self) -> tuple[nn.Module, nn.Module]:
        """The generator and the discriminator for this recipe's settings and fields."""
        knobs = self.settings
        return pair(knobs.body, self.fields["real"], knobs.latent, knobs.width, self.classes)

    @property
    def classes(self) -> int:
        """How many classes the networks are told apart; 0 where labels are no condition.

        Raises UsageError if labels are a condition and the data have none.
        """
        return class_count(self.fields) if "label" in self.conditions else 0

    def given(self, batch: Batch) -> tuple[Tensor, ...]:
        """The conditions of this batch, in order: what both networks see besides their input."""
        return tuple(batch[name] for name in self.conditions)

    def optimizers(self) -> dict[str, Optimizer]:
        def adam(network: nn.Module) -> Optimizer:
            knobs = self.settings
            betas, weights = (knobs.beta1, knobs.beta2), network.parameters()
            return Adam(weights, lr=knobs.rate, betas=betas, eps=knobs.epsilon, fused=True)

        return {
            "discriminator": adam(self.discriminator),
            "generator": adam(self.generator),
        }

    def turns(self) -> list[Turn]:
        return [
            Turn("discriminator", self.discriminator_loss),
            Turn("generator", self.generator_loss),
        ]

    def discriminator_loss(self, batch: Batch) -> Terms:
        raise NotImplementedError

    def generator_loss(self, batch: Batch) -> Terms:
        raise NotImplementedError

    def generate(self, batch: Batch) -> Tensor:
        samples: Tensor = self.generator(batch["noise"], *self.given(batch))
        return samples

    def seen(self, images: Tensor) -> Tensor:
        """The images as the discriminator sees them: augmented, where the run is."""
        if self.augment is None:
            return images
        changed: Tensor = self.augment(images)
        return changed

    def scores(self, images: Tensor, batch: Batch) -> dict[str, Tensor]:
        return {"discriminator": self.discriminator(self.seen(images), *self.given(batch))}

    def score(self, images: Tensor, batch: Batch) -> Tensor:
        """The one judge's raw scores, (N,)."""
        return self.scores(images, batch)["discriminator"]

    def features(self, images: Tensor) -> Tensor:
        """What the last layer of the discriminator sees, (N, features), for feature matching."""
        found: Tensor = self.discriminator.features(self.seen(images))  # type: ignore[operator]
        return found

    def schedule(self, seen: int, total: int) -> dict[str, float]:
        return {"ema": self.settings.ema}

    def after(self, turn: Turn) -> None:
        super().after(turn)
        if self.augment is not None and self.augment.adaptive and turn.player == "discriminator":
            self.augment.adapt()

    def watch_accuracy(self, real: Tensor | None = None, fake: Tensor | None = None) -> None:
        """Log the share of reals scored above `undecided` and of fakes scored below it.

        An adaptive augmentation follows the reals.
        """
        if self.undecided is None:
            return
        if real is not None:
            self.watch(accuracy_real=(real > self.undecided).to(real.dtype).mean())
            if self.augment is not None and self.augment.adaptive:
                self.augment.note(real, self.undecided)
                self.watch(augmented=self.augment.chance.clone())
        if fake is not None:
            self.watch(accuracy_fake=(fake < self.undecided).to(fake.dtype).mean())

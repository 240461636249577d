"""Recipe, Duel, Turn, knob: the contract between a paper and the engine.

A recipe is an `nn.Module`. Its children are the networks, its buffers the algorithm's memory, its
methods the losses. It knows no device, file, rank, clock or screen. `turns()` is the paper's
algorithm box: who moves, on which loss, how often, when, and what happens after.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal

import torch
from pydantic import BaseModel, ConfigDict
from pydantic import Field as PydanticField
from pydantic.config import JsonDict
from torch import Tensor, nn
from torch.optim import Adam, Optimizer

from mulligan.fields import Field, Fields, Image, Points, Reads, class_count
from mulligan.networks.augment import augmentation
from mulligan.networks.pairs import pair

Batch = dict[str, Tensor]
"""{"real": (N, C, H, W) in [-1, 1] or (N, dims), "noise": (N, latent), "label": (N,) int64, ...}"""

Terms = dict[str, Tensor]
"""Named scalars, each a MEAN over rows. Their SUM is minimised; each is logged as player/term."""

Role = Literal["rate", "ema", "penalty", "critic_steps", "augment"]

Body = Literal["auto", "mlp", "points", "dcgan", "plain", "resnet", "compact"]


def knob(
    default: Any,
    sentence: str,
    *,
    low: float | None = None,
    high: float | None = None,
    above: float | None = None,
    below: float | None = None,
    role: Role | None = None,
) -> Any:
    """A setting: its default, its sentence (with the unit), its bounds, and a role if it has one.

    low, high: inclusive bounds; above, below: exclusive ones. Choices are a `Literal` annotation.
    role: lets a recovery plan change the knob without knowing the recipe. The shape of a network
    never depends on a knob with a role.
    """
    extra: JsonDict | None = {"role": role} if role else None
    return PydanticField(
        default, description=sentence, ge=low, le=high, gt=above, lt=below, json_schema_extra=extra
    )


@dataclass(frozen=True)
class Turn:
    """One kind of update.

    player: a key of `Recipe.optimizers()`; only its parameters move.
    loss: from a fresh batch to named terms; their sum is minimised.
    repeat: updates in a row, each on a fresh batch (the papers' n_critic).
    every: only on every k-th round (lazy regularisation).
    start, stop: in images seen; a pre-training phase is a turn with a stop.
    after: what the paper does once the weights have moved (WGAN's clipping).
    second_order: the loss differentiates a gradient, so it must not run compiled.
    """

    player: str
    loss: Callable[[Batch], Terms]
    repeat: int = 1
    every: int = 1
    start: int = 0
    stop: float = math.inf
    after: Callable[[], None] | None = None
    second_order: bool = False

    def due(self, round: int, seen: int) -> bool:
        """Whether this turn is played in this round (counted from 0), `seen` images into it."""
        return round % self.every == 0 and self.start <= seen < self.stop


@dataclass(frozen=True)
class Preset:
    """A named configuration: settings of the recipe and options of the run.

    note: where it comes from and how it departs from there.
    run: keys of the train command (batch, rounds, epochs, held_out, tick).
    """

    note: str
    settings: dict[str, Any] = field(default_factory=dict)
    run: dict[str, Any] = field(default_factory=dict)


class Recipe(nn.Module):
    """A GAN system: networks, memory, losses and turns. Subclass it, or `Duel` where two play.

    reads: the fields of a training batch and the kinds each may have.
    conditions: with "noise", the only fields that `generate` may read; a knob may decide them, in
    `__init__` before the networks are built.
    averaged: children that have a twin of averaged weights, used for every picture and figure.
    couples_rows: a loss does not treat the rows of a batch independently (batch norm, pools), so
    splitting a batch over ranks or pieces changes it slightly.
    shared_memory: buffers that are summed over ranks before `after`, which starts them anew.
    undecided: the score at which a judge cannot tell; None for a critic, whose zero means nothing.
    reach: half the side of the picture of "codes", where it is known (4 for an N(0, I) prior).
    run: options of the run that this recipe prefers (batch, images), below presets and flags.
    prefers: knobs and options that it prefers for a kind of data, between `run` and presets.
    """

    class Settings(BaseModel):
        model_config = ConfigDict(frozen=True, extra="forbid")

    presets: ClassVar[dict[str, Preset]] = {}
    run: ClassVar[dict[str, Any]] = {}
    prefers: ClassVar[dict[type[Field], Preset]] = {}
    reads: ClassVar[Reads] = {"real": (Image, Points)}
    conditions: tuple[str, ...] = ()
    averaged: ClassVar[tuple[str, ...]] = ()
    couples_rows: ClassVar[bool] = False
    shared_memory: tuple[str, ...] = ()
    undecided: ClassVar[float | None] = 0.0
    reach: ClassVar[float | None] = None

    settings: Settings

    def __init__(self, settings: Settings, fields: Fields) -> None:
        """Build the networks for these data.

        settings: an instance of this class's `Settings`. fields: what the data offer.
        """
        super().__init__()
        self.settings = settings
        self.fields = fields
        self.now: dict[str, float] = {}
        self.watched: dict[str, Tensor] = {}

    @property
    def latent(self) -> int:
        """How many numbers of noise a sample takes; the setting `latent` where there is one."""
        return int(getattr(self.settings, "latent", 0))

    def optimizers(self) -> dict[str, Optimizer]:
        """The players by name. A player *is* the parameter set of its optimizer."""
        raise NotImplementedError

    def turns(self) -> list[Turn]:
        """One round, in playing order."""
        raise NotImplementedError

    def noise(self, count: int, generator: torch.Generator) -> Tensor:
        """(count, latent) of N(0, I), drawn from `generator`; becomes batch["noise"]."""
        return torch.randn(count, self.latent, generator=generator, dtype=torch.float32)

    def generate(self, batch: Batch) -> Tensor:
        """Samples shaped like batch["real"]: images in [-1, 1], or points divided by their scale.

        Reads only batch["noise"] and the conditions. Training, preview, metrics, sampling and
        export all make this same call.
        """
        raise NotImplementedError

    def scores(self, images: Tensor, batch: Batch) -> dict[str, Tensor]:
        """Raw scores of every judge by name, (N,) or (N, ...); high means real. Empty without one.

        Every judgement goes through here, so that labels and augmentation are applied inside.
        """
        return {}

    def schedule(self, seen: int, total: int) -> dict[str, float]:
        """What varies over the run, as a pure function of the images seen; kept as `self.now`.

        The engine applies "rate" or "rate/PLAYER" (factors on the optimizers' rates), "beta2",
        and "ema" (half-life in images); a recipe reads the rest itself.
        """
        return {}

    def after(self, turn: Turn) -> None:
        """What happens once the weights have moved: `Turn.after`, unless a subclass adds to it."""
        if turn.after is not None:
            turn.after()

    def watch(self, **values: Tensor) -> None:
        """Log scalars that are not minimised, as player/name. Never synchronises a device."""
        self.watched.update({name: value.detach() for name, value in values.items()})

    def show(self, batch: Batch) -> dict[str, Tensor]:
        """Named columns of the preview, each with one row a row of the batch.

        Images or points are drawn as such; the name "codes" marks an (N, d) latent space. The
        batch holds fixed noise and the first held-out reals with their labels.
        """
        return {"generated": self.generate(batch)}


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

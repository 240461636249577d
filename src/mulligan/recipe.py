"""Recipe, Turn, Preset, knob: the contract between a paper and the engine.

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
from torch.optim import Optimizer

from mulligan.fields import Field, Fields, Image, Points, Reads

Batch = dict[str, Tensor]
"""{"real": (N, C, H, W) in [-1, 1] or (N, dims), "noise": (N, latent), "label": (N,) int64, ...}"""

Terms = dict[str, Tensor]
"""Named scalars, each a MEAN over rows. Their SUM is minimised; each is logged as player/term."""

Role = Literal["rate", "ema", "penalty", "critic_steps", "augment"]


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

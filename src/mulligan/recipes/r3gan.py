"""R3GAN: each real is paired with a fake, and the judge's slope is penalised at both.

Paper    Huang et al. 2024, "The GAN is dead; long live the GAN! A Modern GAN Baseline",
         arXiv:2501.05441, equations 2 and 3 (the relativistic pairing of Jolicoeur-Martineau
         2018, arXiv:1807.00734, with R1 and R2 of Mescheder et al. 2018, arXiv:1801.04406).
D        mean softplus(s(f) - s(x)) + gamma/2 mean |grad s(x)|^2 + gamma/2 mean |grad s(f)|^2
         for pairs of a real x and a fake f
G        mean softplus(s(x) - s(f))
Departs  smaller networks by default, on which the loss works as well and a CPU suffices; presets
         xs to xl have the paper's, at one precision and without augmentation. Schedules run over
         a share of the run instead of a number of images. A class also scales the noise. Lazily
         (knob lazy), penalties have every k-th round an update of their own, k times as heavy
         (Karras et al. 2020, arXiv:1912.04958, appendix B).
"""

from __future__ import annotations

import math
from functools import partial
from itertools import pairwise
from typing import Any, ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mulligan.duel import Body, Duel
from mulligan.fields import Field, Fields, Image, Points
from mulligan.losses import Judge, nearly_scored, scored
from mulligan.networks import labelled
from mulligan.networks.initial import scaled
from mulligan.networks.pairs import image_field, pair
from mulligan.networks.resample import Resample
from mulligan.networks.strided import Grid
from mulligan.recipe import Batch, Preset, Terms, Turn, knob

PAPER: dict[str, Any] = {"paper": True, "burn_in": 0.2, "rate": 2e-4, "lazy": 1}
POINTS: dict[str, Any] = {"latent": 2, "rate": 3e-3, "lead": 2.0, "final_rate": 0.1, "ema": 1e5}
POINTS |= {"final_lead": 1 / 300, "penalty": 0.3, "final_penalty": 1e-3, "geometric": True}


class R3GAN(Duel):
    class Settings(Duel.Settings):
        body: Body = knob("auto", "pair of networks; auto is points for points, else compact")
        paper: bool = knob(False, "the paper's network instead of body's; slow on a CPU")
        labels: bool = knob(False, "tell both networks the class")
        penalty: float = knob(1.0, "weight of R1 and R2 (gamma)", low=0, high=1e6, role="penalty")
        final_penalty: float = knob(0.1, "factor on the penalty at the end", low=0, high=1)
        rate: float = knob(5e-4, "Adam's first rate for both players", above=0, high=1, role="rate")
        lead: float = knob(1.0, "factor on the generator's rate", above=0, high=100)
        final_rate: float = knob(0.25, "last factor on the discriminator's rate", low=0, high=1)
        final_lead: float = knob(0.25, "last factor on the generator's rate", low=0, high=1)
        burn_in: float = knob(1.0, "share of the run in which these values move", above=0, high=1)
        geometric: bool = knob(False, "rates and penalty move by equal factors, not equal steps")
        beta1: float = knob(0.0, "Adam's decay of the first moment", low=0, below=1)
        beta2: float = knob(0.9, "Adam's first decay of the second moment", low=0, below=1)
        final_beta2: float = knob(0.99, "Adam's last decay of the second moment", low=0, below=1)
        paired: bool = knob(True, "judge each fake against a real; off is the plain GAN's loss")
        both: bool = knob(True, "penalise the slope at fakes as well as at reals (R2 beside R1)")
        lazy: int = knob(1, "rounds from one penalty to the next", low=1, high=1000)
        nearby: float = knob(
            0.0, "deviation of noise for penalties to first order; 0: exact ones", low=0, high=1
        )

    presets: ClassVar[dict[str, Preset]] = {
        "xs": Preset("the paper's network, 48 channels", {**PAPER, "width": 48}, {"batch": 64}),
        "s": Preset("the paper's network, 64 channels", {**PAPER, "width": 64}, {"batch": 64}),
        "m": Preset("the paper's network, 128 channels", {**PAPER, "width": 128}, {"batch": 128}),
        "l": Preset("the paper's network, 256 channels", {**PAPER, "width": 256}, {"batch": 256}),
        "xl": Preset("the paper's network, 768 channels", {**PAPER, "width": 768}, {"batch": 512}),
    }
    prefers: ClassVar[dict[type[Field], Preset]] = {
        Image: Preset("nearest after a minute", {"body": "plain", "rate": 1e-3, "lazy": 4}),
        Points: Preset(
            "found by search on ring and grid",
            POINTS,
            {"batch": 512, "rounds": 20_000, "patience": 0},
        ),
    }
    couples_rows: ClassVar[bool] = True  # the generators of other bodies have batch norm
    settings: Settings

    def __init__(self, settings: Settings, fields: Fields) -> None:
        self.conditions = ("label",) if settings.labels else ()
        super().__init__(settings, fields)

    def networks(self) -> tuple[nn.Module, nn.Module]:
        knobs, field, classes = self.settings, self.fields["real"], self.classes
        if not knobs.paper:
            auto = "points" if isinstance(field, Points) else "compact"
            body = auto if knobs.body == "auto" else knobs.body
            return pair(body, field, knobs.latent, knobs.width, classes)
        image, width = image_field("paper", field), knobs.width or 64
        if not classes:
            return Generator(knobs.latent, image, width), Discriminator(image, width)
        size = labelled.SIZE
        generator = Generator(knobs.latent + size, image, width)
        judge = Discriminator(image, width, outputs=width)
        known = labelled.Generator(generator, classes, knobs.latent, size)
        return known, labelled.Projection(judge, classes, width)

    def turns(self) -> list[Turn]:
        lazy, exact = self.settings.lazy, self.settings.nearby == 0
        second = Turn("generator", self.generator_loss)
        if lazy == 1:
            return [Turn("discriminator", self.penalised_loss, second_order=exact), second]
        penalty = Turn("discriminator", self.penalty_loss, every=lazy, second_order=exact)
        return [Turn("discriminator", self.discriminator_loss), penalty, second]

    def penalised_loss(self, batch: Batch) -> Terms:
        scores, slopes = self.scored(batch)
        return {**self.judged(scores), **self.penalties(slopes)}

    def penalty_loss(self, batch: Batch) -> Terms:
        _, slopes = self.scored(batch)
        return {name: self.settings.lazy * part for name, part in self.penalties(slopes).items()}

    def discriminator_loss(self, batch: Batch) -> Terms:
        judge, images = self.of_both(batch)
        return self.judged(judge(images))

    def judged(self, scores: Tensor) -> Terms:
        """The terms without penalties, from the scores of reals and then of fakes, (2 N,)."""
        real, fake = scores.chunk(2)
        if self.settings.paired:  # the level of its scores is free: what it can tell is a pair
            self.watch_accuracy(real - fake, fake - real)
            return {"paired": F.softplus(fake - real).mean()}
        self.watch_accuracy(real, fake)
        return {"real": F.softplus(-real).mean(), "fake": F.softplus(fake).mean()}

    def penalties(self, slopes: Tensor) -> Terms:
        """R1 and R2, from the squared slopes at reals and then at fakes, (2 N,)."""
        half = self.now.get("penalty", self.settings.penalty) / 2
        r1, r2 = (half * part.mean() for part in slopes.chunk(2))
        return {"r1": r1, "r2": r2} if self.settings.both else {"r1": r1}

    def generator_loss(self, batch: Batch) -> Terms:
        fake = self.score(self.generate(batch), batch)
        if self.settings.paired:
            return {"paired": F.softplus(self.score(batch["real"], batch) - fake).mean()}
        return {"fake": F.softplus(-fake).mean()}

    def of_both(self, batch: Batch) -> tuple[Judge, Tensor]:
        """A judge of reals and then fakes, told their classes, and the images, (2 N, ...)."""
        twice = {name: torch.cat([batch[name]] * 2) for name in self.conditions}
        images = torch.cat([batch["real"], self.generate(batch)])
        return partial(self.score, batch=twice), images

    def scored(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """Scores of reals and then of fakes, and the squared slope at each, both (2 N,)."""
        near, both = self.settings.nearby, self.of_both(batch)
        return nearly_scored(*both, near) if near else scored(*both)

    def schedule(self, seen: int, total: int) -> dict[str, float]:
        """Half a cosine over the burn-in, from first to last values (the paper's appendix)."""
        knobs = self.settings
        left = (1 + math.cos(math.pi * min(1.0, seen / (knobs.burn_in * total)))) / 2

        def move(last: float) -> float:
            return last ** (1 - left) if knobs.geometric else last + (1 - last) * left

        return {
            "rate/discriminator": move(knobs.final_rate),
            "rate/generator": knobs.lead * move(knobs.final_lead),
            "beta2": knobs.final_beta2 + (knobs.beta2 - knobs.final_beta2) * left,
            "penalty": knobs.penalty * move(knobs.final_penalty),
            "ema": knobs.ema,
        }


class Block(nn.Module):
    """A residual block without normalisation: 1x1 up to twice the maps, grouped 3x3, 1x1 down.

    It starts as the identity. count: blocks in the whole network, for the scale of its weights.
    """

    def __init__(self, channels: int, count: int) -> None:
        super().__init__()
        wide, gain = 2 * channels, math.sqrt(2 / (1 + 0.2**2)) * count**-0.25
        groups = max(1, wide // 16)
        self.widen = scaled(nn.Conv2d(channels, wide, 1), gain)
        self.mix = scaled(nn.Conv2d(wide, wide, 3, padding=1, groups=groups), gain)
        self.narrow = scaled(nn.Conv2d(wide, channels, 1, bias=False), 0.0)

    def forward(self, maps: Tensor) -> Tensor:
        """(N, channels, height, width), the same."""
        inner = F.leaky_relu(self.widen(maps), 0.2)
        inner = F.leaky_relu(self.mix(inner), 0.2)
        result: Tensor = maps + self.narrow(inner)
        return result


def widths(width: int, stages: int) -> list[int]:
    """Channels from the smallest map up: the same to 32 pixels, then halved with each doubling."""
    return [max(8, width >> max(0, stage - 3)) for stage in range(stages + 1)]


class Generator(nn.Module):
    """The paper's: a learned map times the noise; then transition, block, block a stage.

    Sizes that do not fit the grid: the next larger picture is built and its centre kept.
    """

    def __init__(self, latent: int, image: Image, width: int) -> None:
        super().__init__()
        self.grid = Grid.of(image.size)
        every = widths(width, self.grid.stages)
        count = 2 * len(every)
        self.start = nn.Parameter(torch.randn(every[0], *self.grid.base))
        self.first = scaled(nn.Linear(latent, every[0], bias=False), 1.0)
        self.layers = nn.ModuleList([Block(every[0], count), Block(every[0], count)])
        for narrow, wide in pairwise(every):
            blocks = [Block(wide, count), Block(wide, count)]
            self.layers.extend([Resample(narrow, wide, up=True), *blocks])
        self.last = scaled(nn.Conv2d(every[-1], image.channels, 1, bias=False), 1.0)

    def forward(self, noise: Tensor) -> Tensor:
        """(N, latent) to (N, channels, height, width), not bounded."""
        maps = self.start * self.first(noise)[:, :, None, None]
        for layer in self.layers:
            maps = layer(maps)
        return self.grid.crop(self.last(maps))


class Discriminator(nn.Module):
    """The paper's: the generator's stages backwards, then a depthwise convolution of the whole."""

    def __init__(self, image: Image, width: int, outputs: int = 1) -> None:
        super().__init__()
        self.grid, self.outputs = Grid.of(image.size), outputs
        every = widths(width, self.grid.stages)[::-1]
        count = 2 * len(every)
        self.first = scaled(nn.Conv2d(image.channels, every[0], 1, bias=False), 1.0)
        self.layers = nn.ModuleList()
        for wide, narrow in pairwise(every):
            blocks = [Block(wide, count), Block(wide, count)]
            self.layers.extend([*blocks, Resample(wide, narrow, up=False)])
        self.layers.extend([Block(every[-1], count), Block(every[-1], count)])
        whole = nn.Conv2d(every[-1], every[-1], self.grid.base, groups=every[-1], bias=False)
        self.whole = scaled(whole, 1.0)
        self.last = scaled(nn.Linear(every[-1], outputs, bias=False), 1.0)

    def forward(self, images: Tensor) -> Tensor:
        """(N, channels, height, width) to scores (N,), or (N, outputs) where there are several."""
        maps = self.first(self.grid.pad(images))
        for layer in self.layers:
            maps = layer(maps)
        scores: Tensor = self.last(self.whole(maps).flatten(1))
        return scores.squeeze(1) if self.outputs == 1 else scores

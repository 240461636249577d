"""ACGAN: the discriminator also names the class, so the generator must paint it recognisably.

Paper    Odena et al. 2016, "Conditional Image Synthesis With Auxiliary Classifier GANs",
         arXiv:1610.09585, equations 2 and 3 (D maximises L_S + L_C, G maximises L_C - L_S).
D        mean softplus(-s(x)) + mean softplus(s(G(z, y))) + w mean CE(c(x), y)
         + gamma/2 A mean |grad s(x)|^2, A the pixels of a picture over 28 x 28
G        mean softplus(-s(G(z, y))) + w mean CE(c(G(z, y)), y)
Departs  D learns the classes from reals alone, or else the two players may agree on any naming
         (fakes named is the paper's form, with w mean CE(c(G(z, y)), y) in D's turn). R1
         (Mescheder et al. 2018, arXiv:1801.04406), as otherwise a class collapses to one picture.
         The class also scales the noise, as in the preset.
         The networks; fakes carry the labels of the reals they are paired with; a weight w.
         Preset classic, a Keras example of introductory texts: one class more, "fake", which is
         the target of fakes in D's turn; labels of fakes are drawn uniformly; D moves on reals
         and on fakes in two steps. PyTorch's Adam adds epsilon after the bias correction.
"""

from __future__ import annotations

import math
from typing import ClassVar, Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mulligan.duel import Duel
from mulligan.fields import Image, Label, Points, Reads
from mulligan.losses import area, scored
from mulligan.networks import labelled
from mulligan.networks.dropout import Dropout
from mulligan.networks.initial import glorot
from mulligan.networks.keras import SameConv
from mulligan.networks.pairs import image_field, pair
from mulligan.networks.strided import Grid
from mulligan.recipe import Batch, Preset, Terms, Turn, knob


class ACGAN(Duel):
    class Settings(Duel.Settings):
        rate: float = knob(
            5e-4, "Adam's learning rate for both players", above=0, high=1, role="rate"
        )
        class_weight: float = knob(
            1.0, "weight of the class terms against those of real and fake (w)", low=0, high=1000
        )
        penalty: float = knob(
            1.0,
            "weight of R1, at reals, at 28x28 pixels (gamma); it grows with the pixels",
            low=0,
            high=1e6,
            role="penalty",
        )
        fakes: Literal["unnamed", "named", "apart"] = knob(
            "unnamed",
            "classes that the discriminator learns from fakes: unnamed (none), named (those asked "
            "for, as in the paper), apart (one of their own; their labels are drawn evenly)",
        )
        keras: bool = knob(False, "the 3x3 networks of the preset instead of body's")
        separate: bool = knob(
            False, "update the discriminator on reals and on fakes in two steps instead of one"
        )

    presets: ClassVar[dict[str, Preset]] = {
        "classic": Preset(
            "the introductory texts' ACGAN: eleven classes for ten digits, two discriminator steps",
            settings={
                "keras": True,
                "fakes": "apart",
                "separate": True,
                "class_weight": 1.0,
                "penalty": 0.0,
                "latent": 100,
                "width": 128,
                "rate": 2e-4,
                "beta1": 0.5,
                "beta2": 0.999,
                "epsilon": 1e-7,
                "ema": 0,
            },
            run={"batch": 32, "rounds": 14_000, "held_out": 0, "patience": 0},
        )
    }
    reads: ClassVar[Reads] = {"real": (Image, Points), "label": (Label,)}
    conditions = ("label",)
    couples_rows: ClassVar[bool] = True  # the generator for pictures has batch norm
    settings: Settings

    def networks(self) -> tuple[nn.Module, nn.Module]:
        knobs, field = self.settings, self.fields["real"]
        outputs = 1 + self.classes + (knobs.fakes == "apart")
        if knobs.keras:
            image, width = image_field("keras", field), knobs.width or 128
            return (
                KerasGenerator(knobs.latent, image, width, self.classes),
                KerasDiscriminator(image, width, outputs),
            )
        size = labelled.SIZE
        inner, judge = pair(knobs.body, field, knobs.latent + size, knobs.width, outputs=outputs)
        return labelled.Generator(inner, self.classes, knobs.latent, size), judge

    def turns(self) -> list[Turn]:
        losses = [self.discriminator_loss]
        if self.settings.separate:
            losses = [self.real_loss, self.fake_loss]
        second = self.settings.penalty > 0
        judge = [Turn("discriminator", loss, second_order=second) for loss in losses]
        return [*judge, Turn("generator", self.generator_loss)]

    def discriminator_loss(self, batch: Batch) -> Terms:
        return {**self.real_loss(batch), **self.fake_loss(batch)}

    def real_loss(self, batch: Batch) -> Terms:
        scores, named = self.heads(batch["real"])
        self.watch_accuracy(real=scores)
        terms = {
            "real": F.softplus(-scores).mean(),
            "real_class": self.settings.class_weight * F.cross_entropy(named, batch["label"]),
        }
        if self.settings.penalty:
            _, slopes = scored(lambda images: self.heads(images)[0], batch["real"])
            weight = self.settings.penalty * area(batch["real"])
            terms["penalty"] = weight / 2 * slopes.mean()
        return terms

    def fake_loss(self, batch: Batch) -> Terms:
        fake, label = self.paint(batch)
        scores, named = self.heads(fake)
        self.watch_accuracy(fake=scores)
        terms = {"fake": F.softplus(scores).mean()}
        if self.settings.fakes != "unnamed":
            apart = self.settings.fakes == "apart"
            target = torch.full_like(label, self.classes) if apart else label
            terms["fake_class"] = self.settings.class_weight * F.cross_entropy(named, target)
        return terms

    def generator_loss(self, batch: Batch) -> Terms:
        fake, label = self.paint(batch)
        scores, named = self.heads(fake)
        return {
            "fake": F.softplus(-scores).mean(),
            "fake_class": self.settings.class_weight * F.cross_entropy(named, label),
        }

    def paint(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """Fakes and the labels they were asked for."""
        label = batch["label"]
        if self.settings.fakes == "apart":
            label = torch.randint_like(label, self.classes)
        return self.generate({"noise": batch["noise"], "label": label}), label

    def heads(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """The discriminator's raw scores, (N,), and its logits of the classes, (N, classes)."""
        outputs = self.discriminator(self.seen(images))
        return outputs[:, 0], outputs[:, 1:]

    def scores(self, images: Tensor, batch: Batch) -> dict[str, Tensor]:
        return {"discriminator": self.heads(images)[0]}


class KerasGenerator(nn.Module):
    """Noise times the label's embedding; dense, then two times upsampling and a 3x3 convolution.

    Sizes that 4 does not divide: the next larger picture is built and its centre kept.
    """

    def __init__(self, latent: int, image: Image, width: int, classes: int) -> None:
        super().__init__()
        base = (math.ceil(image.height / 4), math.ceil(image.width / 4))
        self.grid = Grid(image.size, 2, base)
        self.embedding = nn.Embedding(classes, latent)
        self.first_shape = (*base, width)
        self.first = nn.Linear(latent, math.prod(self.first_shape))
        widths = (width, width, width // 2)
        self.norms = nn.ModuleList(nn.BatchNorm2d(w, eps=1e-3, momentum=0.2) for w in widths)
        self.wide = SameConv(width, width, 3, stride=1)
        self.fine = SameConv(width, width // 2, 3, stride=1)
        self.last = SameConv(width // 2, image.channels, 3, stride=1)
        glorot(self)
        nn.init.uniform_(self.embedding.weight, -0.05, 0.05)

    def forward(self, noise: Tensor, label: Tensor) -> Tensor:
        """(N, latent), (N,) to (N, channels, height, width) in [-1, 1]."""
        rows = self.first(noise * self.embedding(label)).relu()
        maps = self.norms[0](rows.unflatten(1, self.first_shape).permute(0, 3, 1, 2))
        for layer, norm in ((self.wide, self.norms[1]), (self.fine, self.norms[2])):
            maps = norm(layer(F.interpolate(maps, scale_factor=2)).relu())
        return self.grid.crop(self.last(maps).tanh())


class KerasDiscriminator(nn.Module):
    """Four 3x3 convolutions with LeakyReLU 0.2 and dropout 0.25, then dense; 128 maps at last."""

    def __init__(self, image: Image, width: int, outputs: int) -> None:
        super().__init__()
        widths = (image.channels, width // 8, width // 4, width // 2, width)
        strides = (2, 2, 2, 1)
        self.convolutions = nn.ModuleList(
            SameConv(widths[k], widths[k + 1], 3, stride) for k, stride in enumerate(strides)
        )
        self.norms = nn.ModuleList(
            nn.BatchNorm2d(w, eps=1e-3, momentum=0.2) if 0 < k < 3 else nn.Identity()
            for k, w in enumerate(widths[1:])
        )
        self.drop = Dropout(0.25)
        base = math.prod(self._side(side) for side in image.size)
        self.last = nn.Linear(width * base, outputs)
        glorot(self)

    def forward(self, images: Tensor) -> Tensor:
        """(N, channels, height, width) to (N, outputs): the score, then the classes' logits."""
        maps = images
        for place, (layer, norm) in enumerate(zip(self.convolutions, self.norms, strict=True)):
            maps = layer(maps)
            if place == 1:
                maps = F.pad(maps, (0, 1, 0, 1))
            maps = norm(self.drop(F.leaky_relu(maps, 0.2)))
        outputs: Tensor = self.last(maps.permute(0, 2, 3, 1).flatten(1))
        return outputs

    @staticmethod
    def _side(side: int) -> int:
        return math.ceil((math.ceil(math.ceil(side / 2) / 2) + 1) / 2)

"""DCGAN: strided convolutions in both networks, so that pictures are painted without specks.

Paper    Radford et al. 2015, "Unsupervised Representation Learning with Deep Convolutional
         Generative Adversarial Networks", arXiv:1511.06434, sections 3 and 4; losses of
         Goodfellow et al. 2014, arXiv:1406.2661.
D        mean softplus(-s(x)) + mean softplus(s(G(z)))
G        mean softplus(-s(G(z))), or with objective matching: |mean h(x) - mean h(G(z))|^2, h the
         last features of D (Salimans et al. 2016, arXiv:1606.03498, section 3.1)
Departs  a rate of 5e-4 instead of 2e-4, for short runs; Gaussian noise instead of uniform; a linear
         layer in front and behind instead of 4x4 convolutions; as many layers as the size allows;
         reals and fakes pass the batch norm apart.
         Presets, both Keras networks: the players alternate, each on fresh noise, instead of
         stepping at once; PyTorch's Adam adds epsilon after the bias correction, Keras before it.
         classic-bn: the halves of the joint batch are logged apart, each with weight 1/2; in the
         generator's turn the discriminator's batch norm uses the fakes' own statistics.
"""

from __future__ import annotations

import math
from typing import ClassVar, Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mulligan.duel import Body, Duel
from mulligan.fields import Image
from mulligan.losses import cross_entropy, feature_matching
from mulligan.networks.dropout import Dropout
from mulligan.networks.initial import glorot
from mulligan.networks.keras import SameConv, SameUp, half_turn
from mulligan.networks.pairs import image_field, pair
from mulligan.networks.strided import Grid
from mulligan.recipe import Batch, Preset, Terms, knob


class DCGAN(Duel):
    class Settings(Duel.Settings):
        body: Body = knob(
            "auto",
            "pair of networks: auto is dcgan (batch norm in both) for images and mlp for points, "
            "plain has no batch norm in the discriminator",
        )
        rate: float = knob(
            5e-4, "Adam's learning rate for both players", above=0, high=1, role="rate"
        )
        objective: Literal["non-saturating", "matching"] = knob(
            "non-saturating",
            "the generator's objective: non-saturating, or matching, which brings the "
            "discriminator's mean features together",
        )
        keras: bool = knob(False, "the 5x5 networks of the presets instead of body's")
        slope: float = knob(0.3, "slope of LeakyReLU below zero (keras)", low=0, high=1)
        dropout: float = knob(0.3, "dropout in the discriminator (keras)", low=0, below=1)
        norm: bool = knob(False, "batch norm in the discriminator (keras)")
        joint: bool = knob(False, "the discriminator sees fakes and reals in one batch")
        label_noise: float = knob(
            0.0, "uniform noise from 0 to this on the discriminator's targets", low=0, high=0.5
        )

    presets: ClassVar[dict[str, Preset]] = {
        "classic": Preset(
            "the introductory texts' DCGAN for MNIST; the players alternate, with fresh noise",
            settings={
                "keras": True,
                "latent": 100,
                "width": 64,
                "slope": 0.3,
                "dropout": 0.3,
                "norm": False,
                "joint": False,
                "label_noise": 0.0,
                "rate": 1e-4,
                "beta1": 0.9,
                "beta2": 0.999,
                "epsilon": 1e-7,
                "ema": 0,
            },
            run={"batch": 256, "epochs": 50, "held_out": 0, "patience": 0},
        ),
        "classic-bn": Preset(
            "the texts' second DCGAN: batch norm in both, one joint batch, noise on both targets",
            settings={
                "keras": True,
                "latent": 100,
                "width": 64,
                "slope": 0.2,
                "dropout": 0.2,
                "norm": True,
                "joint": True,
                "label_noise": 0.05,
                "rate": 2e-4,
                "beta1": 0.5,
                "beta2": 0.999,
                "epsilon": 1e-7,
                "ema": 0,
            },
            run={"batch": 128, "epochs": 100, "held_out": 0, "patience": 0},
        ),
    }
    couples_rows: ClassVar[bool] = True
    settings: Settings

    def networks(self) -> tuple[nn.Module, nn.Module]:
        knobs, field = self.settings, self.fields["real"]
        if not knobs.keras:
            wanted = "dcgan" if knobs.body == "auto" and isinstance(field, Image) else knobs.body
            return pair(wanted, field, knobs.latent, knobs.width)
        image, width = image_field("keras", field), knobs.width or 64
        return (
            KerasGenerator(knobs.latent, image, width, knobs.slope),
            KerasDiscriminator(image, width, knobs.slope, knobs.dropout, knobs.norm),
        )

    def discriminator_loss(self, batch: Batch) -> Terms:
        real, fake = self.judge(batch)
        self.watch_accuracy(real, fake)
        weight, noise = (0.5 if self.settings.joint else 1.0), self.settings.label_noise
        return {
            "real": weight * cross_entropy(real, 1, noise),
            "fake": weight * cross_entropy(fake, 0, noise),
        }

    def judge(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """Scores of the reals and of as many fakes; joint: from one pass over both."""
        if self.settings.joint:
            both = self.score(torch.cat([self.generate(batch), batch["real"]]), batch)
            fake, real = both.chunk(2)
            return real, fake
        return self.score(batch["real"], batch), self.score(self.generate(batch), batch)

    def generator_loss(self, batch: Batch) -> Terms:
        if self.settings.objective == "matching":
            real, fake = self.features(batch["real"]), self.features(self.generate(batch))
            return {"matching": feature_matching(real, fake)}
        fake = self.score(self.generate(batch), batch)
        return {"fake": F.softplus(-fake).mean()}


class KerasGenerator(nn.Module):
    """Dense to a quarter of the size, then 5x5 transposed convolutions: 128, 64, image channels.

    No layer but batch norm has a bias, the last included. Sizes that 4 does not divide: the next
    larger picture is built and its centre kept.
    """

    def __init__(self, latent: int, image: Image, width: int, slope: float) -> None:
        super().__init__()
        self.slope = slope
        base = (math.ceil(image.height / 4), math.ceil(image.width / 4))
        self.grid = Grid(image.size, 2, base)
        self.first_shape = (*base, 4 * width)
        dense = math.prod(self.first_shape)
        self.first = nn.Linear(latent, dense, bias=False)
        self.first_norm = nn.BatchNorm1d(dense, eps=1e-3, momentum=0.01)
        self.wide = SameUp(4 * width, 2 * width, stride=1)
        self.wide_norm = nn.BatchNorm2d(2 * width, eps=1e-3, momentum=0.01)
        self.fine = SameUp(2 * width, width, stride=2)
        self.fine_norm = nn.BatchNorm2d(width, eps=1e-3, momentum=0.01)
        self.last = SameUp(width, image.channels, stride=2)
        glorot(self)

    def forward(self, noise: Tensor) -> Tensor:
        """(N, latent) to (N, channels, height, width) in [-1, 1]."""
        rows = F.leaky_relu(self.first_norm(self.first(noise)), self.slope)
        maps = self.wide(rows.unflatten(1, self.first_shape).permute(0, 3, 1, 2))
        maps = F.leaky_relu(self.wide_norm(maps), self.slope)
        maps = F.leaky_relu(self.fine_norm(self.fine(maps)), self.slope)
        return self.grid.crop(self.last(maps).tanh())


class KerasDiscriminator(nn.Module):
    """Two 5x5 convolutions of stride 2, then dense.

    norm: batch norm after each LeakyReLU, one dropout before the dense layer; otherwise no batch
    norm and a dropout after each LeakyReLU.
    """

    def __init__(self, image: Image, width: int, slope: float, dropout: float, norm: bool) -> None:
        super().__init__()
        self.slope, self.dropout, self.norm = slope, dropout, norm
        self.first = SameConv(image.channels, width, 5, stride=2)
        self.second = SameConv(width, 2 * width, 5, stride=2)
        widths = (width, 2 * width)
        self.norms = nn.ModuleList(
            nn.BatchNorm2d(w, eps=1e-3, momentum=0.01) if norm else Dropout(dropout) for w in widths
        )
        self.drop = Dropout(dropout if norm else 0.0)
        base = math.ceil(image.height / 4) * math.ceil(image.width / 4)
        self.last = nn.Linear(2 * width * base, 1)
        glorot(self)

    def forward(self, images: Tensor) -> Tensor:
        """(N, channels, height, width) to scores (N,)."""
        channels = self.second.conv.out_channels
        weight = self.last.weight.unflatten(1, (-1, channels)).flip(1).flatten(1)
        return F.linear(self.features(images), weight, self.last.bias).squeeze(1)

    def features(self, images: Tensor) -> Tensor:
        """What the last layer sees, from the last place to the first: (N, places times channels).

        Turned images need no borders of their own, a fortieth of a round.
        """
        maps = half_turn(images)
        maps = self.norms[0](F.leaky_relu(self.first.turned(maps), self.slope))
        maps = self.norms[1](F.leaky_relu(self.second.turned(maps), self.slope))
        dropped: Tensor = self.drop(maps.permute(0, 2, 3, 1).flatten(1))
        return dropped

"""The Inception network of 2015, whose features published FIDs compare.

Paper    Szegedy et al. 2015, "Rethinking the Inception Architecture for Computer Vision",
         arXiv:1512.00567. The weights are those of TensorFlow's graph inception-2015-12-05.
Differs  from torchvision's inception_v3, which has other weights too: pooled branches take means
         that leave the padding out, the last block takes maxima instead, there are 1008 classes
         and no auxiliary classifier.
Names    of layers are torchvision's, so that the published file of weights needs no mapping.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

SIZE = (299, 299)
WIDTH = 2048
CLASSES = 1008
ROWS = 32  # the first layers hold about 17 MB for each image at once

Kernel = tuple[int, int]
Shape = tuple[int, Kernel]
"""A convolution: its output channels and its kernel (height, width)."""

Branches = dict[str, list[list[Shape]]]
"""Name to steps; the convolutions of one step read the same input and stand side by side."""

ONE, THREE, FIVE = (1, 1), (3, 3), (5, 5)
WIDE, TALL = (1, 7), (7, 1)
CROSS = [(384, (1, 3)), (384, (3, 1))]


class Unit(nn.Module):
    """Convolution without bias, batch norm, ReLU: (N, inputs, H, W) to (N, outputs, H', W').

    padded: by half the kernel, so that a stride of 1 keeps height and width.
    """

    def __init__(self, inputs: int, shape: Shape, stride: int = 1, padded: bool = False) -> None:
        super().__init__()
        outputs, kernel = shape
        padding = (kernel[0] // 2, kernel[1] // 2) if padded else (0, 0)
        self.conv = nn.Conv2d(inputs, outputs, kernel, stride, padding, bias=False)
        # the graph has no factor after the norm; the published file holds ones in its place
        self.bn = nn.BatchNorm2d(outputs, eps=1e-3)

    def forward(self, images: Tensor) -> Tensor:
        return F.relu(self.bn(self.conv(images)), inplace=True)


def mean_pool(images: Tensor) -> Tensor:
    """Means over 3x3 places, over fewer at the border; height and width stay."""
    return F.avg_pool2d(images, 3, stride=1, padding=1, count_include_pad=False)


def max_pool(images: Tensor) -> Tensor:
    """Maxima over 3x3 places; height and width stay."""
    return F.max_pool2d(images, 3, stride=1, padding=1)


def halve(images: Tensor) -> Tensor:
    """Maxima over 3x3 places at every second place, without padding."""
    return F.max_pool2d(images, 3, stride=2)


class Mixed(nn.Module):
    """Branches over one input, their channels side by side, those of the pooled branch last.

    pooled: channels of the convolution after the pool; 0 for none. With `halve` as pool, the last
    step of every branch has a stride of 2 and no padding.
    """

    def __init__(
        self, inputs: int, branches: Branches, pool: Callable[[Tensor], Tensor], pooled: int = 0
    ) -> None:
        super().__init__()
        self.pool = pool
        self.outputs = pooled or inputs
        self.branches: list[list[list[str]]] = []
        for branch, steps in branches.items():
            self.branches.append(named(branch, steps))
            reached = inputs
            for names, shapes in zip(self.branches[-1], steps, strict=True):
                stride = 2 if pool is halve and shapes is steps[-1] else 1
                for name, shape in zip(names, shapes, strict=True):
                    self.add_module(name, Unit(reached, shape, stride, padded=stride == 1))
                reached = sum(outputs for outputs, _ in shapes)
            self.outputs += reached
        self.branch_pool = Unit(inputs, (pooled, ONE)) if pooled else nn.Identity()

    def forward(self, images: Tensor) -> Tensor:
        found = [self._along(branch, images) for branch in self.branches]
        return torch.cat([*found, self.branch_pool(self.pool(images))], dim=1)

    def _along(self, branch: list[list[str]], images: Tensor) -> Tensor:
        for names in branch:
            images = torch.cat([self.get_submodule(name)(images) for name in names], dim=1)
        return images


def named(branch: str, steps: list[list[Shape]]) -> list[list[str]]:
    """The names of a branch's convolutions: x for a single one, else x_1, x_2, or x_2a and x_2b."""
    if len(steps) == 1:
        return [[branch]]
    return [
        [f"{branch}_{place}{letter}" for letter in ("ab" if len(shapes) == 2 else [""])]
        for place, shapes in enumerate(steps, start=1)
    ]


def fine(inputs: int, pooled: int) -> Mixed:
    """A block at 35x35, to 224 + pooled channels."""
    return Mixed(
        inputs,
        {
            "branch1x1": [[(64, ONE)]],
            "branch5x5": [[(48, ONE)], [(64, FIVE)]],
            "branch3x3dbl": [[(64, ONE)], [(96, THREE)], [(96, THREE)]],
        },
        mean_pool,
        pooled,
    )


def middle(width: int) -> Mixed:
    """A block at 17x17, from 768 channels to 768. width: channels inside its branches."""
    tall, wide = [(width, TALL)], [(width, WIDE)]
    return Mixed(
        768,
        {
            "branch1x1": [[(192, ONE)]],
            "branch7x7": [[(width, ONE)], wide, [(192, TALL)]],
            "branch7x7dbl": [[(width, ONE)], tall, wide, tall, [(192, WIDE)]],
        },
        mean_pool,
        192,
    )


def coarse(inputs: int, pool: Callable[[Tensor], Tensor]) -> Mixed:
    """A block at 8x8, to 2048 channels."""
    return Mixed(
        inputs,
        {
            "branch1x1": [[(320, ONE)]],
            "branch3x3": [[(384, ONE)], CROSS],
            "branch3x3dbl": [[(448, ONE)], [(384, THREE)], CROSS],
        },
        pool,
        192,
    )


def to_middle() -> Mixed:
    """From 288 channels at 35x35 to 768 at 17x17."""
    branches: Branches = {
        "branch3x3": [[(384, THREE)]],
        "branch3x3dbl": [[(64, ONE)], [(96, THREE)], [(96, THREE)]],
    }
    return Mixed(288, branches, halve)


def to_coarse() -> Mixed:
    """From 768 channels at 17x17 to 1280 at 8x8."""
    branches: Branches = {
        "branch3x3": [[(192, ONE)], [(320, THREE)]],
        "branch7x7x3": [[(192, ONE)], [(192, WIDE)], [(192, TALL)], [(192, THREE)]],
    }
    return Mixed(768, branches, halve)


class Inception(nn.Module):
    """Images (N, 3, 299, 299) in [-1, 1] to features (N, 2048) and logits (N, 1008).

    The features are the graph's pool_3. The logits leave out the bias of the last layer, because
    the published code of the Inception score does; softmax of them is what that score reads.

    The graph takes pixels as (p - 128) / 128 with p from 0 to 255; so does this network. Ports that
    feed 2p/255 - 1 are higher by p/32640: nothing at black, 1/128 (one grey level) at white.
    """

    def __init__(self) -> None:
        super().__init__()
        self.Conv2d_1a_3x3 = Unit(3, (32, THREE), stride=2)
        self.Conv2d_2a_3x3 = Unit(32, (32, THREE))
        self.Conv2d_2b_3x3 = Unit(32, (64, THREE), padded=True)
        self.Conv2d_3b_1x1 = Unit(64, (80, ONE))
        self.Conv2d_4a_3x3 = Unit(80, (192, THREE))
        self.Mixed_5b = fine(192, pooled=32)
        self.Mixed_5c = fine(256, pooled=64)
        self.Mixed_5d = fine(288, pooled=64)
        self.Mixed_6a = to_middle()
        self.Mixed_6b = middle(128)
        self.Mixed_6c = middle(160)
        self.Mixed_6d = middle(160)
        self.Mixed_6e = middle(192)
        self.Mixed_7a = to_coarse()
        self.Mixed_7b = coarse(1280, mean_pool)
        self.Mixed_7c = coarse(2048, max_pool)  # maxima: the graph's own departure from the paper
        self.fc = nn.Linear(WIDTH, CLASSES)

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        features = torch.cat([self._pool_3(part) for part in images.split(ROWS)])
        return features, F.linear(features, self.fc.weight)

    def _pool_3(self, images: Tensor) -> Tensor:
        found = (255 * images - 1) / 256  # (p - 128) / 128 for p = 127.5 (images + 1)
        for name, layer in self.named_children():
            if name in ("Conv2d_3b_1x1", "Mixed_5b"):
                found = halve(found)
            if name != "fc":
                found = layer(found)
        return found.mean(dim=(2, 3))

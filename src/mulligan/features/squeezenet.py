"""SqueezeNet 1.1 without its classifier, trained on ImageNet: features of natural pictures.

Iandola et al. 2016, arXiv:1602.07360; version 1.1 is the authors' release with fewer operations.
The weights are those of a Keras port: pictures come in as blue, green, red, and pooling drops an
incomplete border where other ports keep it.
"""

from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mulligan.errors import UsageError
from mulligan.features.extractor import Extractor
from mulligan.features.files import file_sha256, load_weights
from mulligan.places import data_folder

FILE = "squeezenet1_1_imagenet_features.npz"

SIZE = (128, 128)
"""Measured with KD of 600 images each, in deviations of its interval: the weakest blur and noise
that were tried on CIFAR-10 and cats-dogs stand 1 off at 64 px, 1 to 5 at 96 px, and 2 to 5 at
128 px. On one core that is 520, 200 and 95 images a second."""

WIDTH = 512

UNIT = 5.0
"""What the features are divided by: for natural pictures the square root of their mean square is
about 4.6. KD's kernel adds 1 to a mean of products, so it expects numbers of about one."""

FIRES = {3: 16, 4: 16, 6: 32, 7: 32, 9: 48, 10: 48, 11: 64, 12: 64}
"""Channels that each fire module squeezes to, by its position in the list of layers; it expands to
four times as many by 1x1 and as many again by 3x3. Positions left out are ReLU and pooling."""

POOLED = (3, 6, 9)
"""Fire modules whose input is pooled."""

MEANS = (103.939, 116.779, 123.68)
"""Means of blue, green and red in 0-255 that the port takes off; it divides by nothing."""

NOTE = "SqueezeNet features: not FID, and to be compared with each other only"


class Fire(nn.Module):
    """Squeeze to few channels, expand by 1x1 and 3x3 side by side. Section 3.2."""

    def __init__(self, channels: int, squeezed: int) -> None:
        super().__init__()
        self.squeeze = nn.Conv2d(channels, squeezed, 1)
        self.expand1x1 = nn.Conv2d(squeezed, 4 * squeezed, 1)
        self.expand3x3 = nn.Conv2d(squeezed, 4 * squeezed, 3, padding=1)

    def forward(self, maps: Tensor) -> Tensor:
        """(N, channels, H, W) to (N, 8 squeezed, H, W), >= 0."""
        maps = self.squeeze(maps).relu()
        return torch.cat([self.expand1x1(maps), self.expand3x3(maps)], dim=1).relu()


class SqueezeNet(nn.Module):
    """From (N, 3, H, W) in [-1, 1] to the means (N, 512) of the last feature map, over `UNIT`."""

    def __init__(self) -> None:
        super().__init__()
        self.features = nn.ModuleDict({"0": nn.Conv2d(3, 64, 3, stride=2)})
        channels = 64
        for position, squeezed in FIRES.items():
            self.features[str(position)] = Fire(channels, squeezed)
            channels = 8 * squeezed
        self.register_buffer("means", torch.tensor(MEANS)[:, None, None], persistent=False)

    def forward(self, images: Tensor) -> Tensor:
        assert isinstance(self.means, Tensor)
        maps = (images.flip(1) + 1) * 127.5 - self.means
        maps = self.features["0"](maps).relu()
        for position in FIRES:
            if position in POOLED:
                maps = F.max_pool2d(maps, 3, stride=2)
            maps = self.features[str(position)](maps)
        features: Tensor = maps.mean(dim=(2, 3)) / UNIT
        return features


def open_squeezenet(path: Path | None, resize: str, device: str) -> Extractor:
    """SqueezeNet with the weights of a .npz file: the one named, else that in the data folder.

    Raises UsageError if there is none, and if its names or shapes are not those of the network.
    """
    path = _found(path)
    with torch.random.fork_rng(devices=[]):  # first weights are drawn, and overwritten
        network = SqueezeNet()
    load_weights(network, _arrays(path), path)
    return Extractor(
        name="squeezenet",
        network=network,
        width=WIDTH,
        channels=3,
        size=SIZE,
        digest=file_sha256(path),
        resize_mode=resize,
        note=NOTE,
        device=device,
    )


def _found(path: Path | None) -> Path:
    """The file of weights."""
    folder = data_folder()
    if path is None and folder is not None:
        path = folder / "weights" / FILE
    if path is None:
        raise UsageError(
            "the extractor squeezenet needs its weights, and no file is named",
            f"name {FILE} by --weights FILE, or put it into $MULLIGAN_DATA/weights",
        )
    if not path.is_file():
        raise UsageError(
            f"there is no file {path} with the weights of squeezenet",
            f"name {FILE} by --weights FILE",
        )
    return path


def _arrays(path: Path) -> dict[str, Tensor]:
    """The arrays of a .npz file by name; nothing in it is executed."""
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as stored:
            return {name: torch.from_numpy(stored[name].astype(np.float32)) for name in stored}
    except (OSError, ValueError, TypeError, zipfile.BadZipFile, EOFError) as error:
        raise UsageError(
            f"{path} is no .npz file of weights: {str(error).splitlines()[0]}",
            "name another file: --weights",
        ) from error

"""`digits` and `fashion`: small classifiers whose weights come with the package."""

from __future__ import annotations

import hashlib
from pathlib import Path

import safetensors.torch
import torch.nn.functional as F
from torch import Tensor, nn

from mulligan.data.idx import CLASSES
from mulligan.features.extractor import Extractor

WEIGHTS = Path(__file__).parent / "weights"
TRAINED_ON = {"digits": "mnist", "fashion": "fashion-mnist"}
"""The data set behind each classifier; scripts/train_classifier.py made the weights."""

SIZE = (28, 28)
WIDTH = 64


class Classifier(nn.Module):
    """Grey images (N, 1, 28, 28) in [-1, 1] to features (N, 64) and logits (N, classes).

    The features are a linear map of the last convolution, averaged over 3x3 places, so that they
    know where a stroke is. Each has mean 0 and variance 1 over the (moved) training images: none is
    dead, and none outweighs the others in a distance. The smooth nonlinearity comes after them, so
    they are continuous, and more of them than the classes need can be told apart.
    """

    def __init__(self, classes: int, channels: int = 24) -> None:
        super().__init__()
        self.body = nn.Sequential(
            *_block(1, channels, stride=1),
            *_block(channels, 2 * channels, stride=2),
            *_block(2 * channels, 2 * channels, stride=1),
            *_block(2 * channels, 4 * channels, stride=2),
            *_block(4 * channels, 4 * channels, stride=1),
            nn.AvgPool2d(3, stride=2),
            nn.Flatten(),
        )
        self.project = nn.Linear(9 * 4 * channels, WIDTH, bias=False)
        self.standard = nn.BatchNorm1d(WIDTH, affine=False)
        self.judge = nn.Linear(WIDTH, classes)

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        features = self.standard(self.project(self.body(images)))
        return features, self.judge(F.gelu(features))


def _block(inputs: int, outputs: int, stride: int) -> tuple[nn.Module, ...]:
    convolution = nn.Conv2d(inputs, outputs, 3, stride, padding=1, bias=False)
    return convolution, nn.BatchNorm2d(outputs), nn.GELU()


def encode_weights(network: Classifier) -> bytes:
    """The weights and statistics as a safetensors file in float16; half the size of float32."""
    return safetensors.torch.save(
        {name: _as_half(tensor) for name, tensor in network.state_dict().items()}
    )


def _as_half(tensor: Tensor) -> Tensor:
    return tensor.half().contiguous() if tensor.is_floating_point() else tensor


def open_classifier(name: str, resize: str = "antialiased", device: str = "cpu") -> Extractor:
    """The shipped classifier, in float32; its digest is the sha256 of the file.

    name: digits or fashion. resize: one of `names.RESIZES`.
    """
    content = (WEIGHTS / f"{name}.safetensors").read_bytes()
    classes = CLASSES[TRAINED_ON[name]]
    network = Classifier(len(classes))
    network.load_state_dict(safetensors.torch.load(content))  # copied into float32
    return Extractor(
        name=name,
        network=network,
        width=WIDTH,
        channels=1,
        size=SIZE,
        digest=hashlib.sha256(content).hexdigest(),
        resize_mode=resize,
        classes=classes,
        device=device,
    )

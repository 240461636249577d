"""`stacked`: the shipped classifier of digits, asked for each of three colour channels."""

from __future__ import annotations

from dataclasses import replace

from torch import Tensor, nn

from mulligan.data.stacked import CLASSES
from mulligan.features.classifier import open_classifier
from mulligan.features.extractor import Extractor


class Stacked(nn.Module):
    """(N, 3, 28, 28) to the features of the channels side by side, and logits of 1,000 classes."""

    def __init__(self, classifier: nn.Module) -> None:
        super().__init__()
        self.classifier = classifier

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        features, logits = self.classifier(images.flatten(0, 1)[:, None])
        first, second, third = logits.log_softmax(1).unflatten(0, (-1, 3)).unbind(1)
        both = (first[:, :, None] + second[:, None]).flatten(1)  # a digit a channel, independently
        return features.reshape(len(images), -1), (both[:, :, None] + third[:, None]).flatten(1)


def open_stacked(resize: str = "antialiased", device: str = "cpu") -> Extractor:
    """The classifier of digits for Stacked-MNIST; its digest is that of the classifier."""
    digits = open_classifier("digits", resize, device)
    return replace(
        digits,
        name="stacked",
        network=Stacked(digits.network),
        width=3 * digits.width,
        channels=3,
        classes=CLASSES,
    )

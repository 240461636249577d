"""What an extractor is: a frozen network from images to rows of features, with a hash."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from mulligan.errors import UsageError
from mulligan.features.resize import resize, with_channels

BATCH = 256


@dataclass
class Extractor:
    """Images in, features out. Frozen, in evaluation mode, in float32; it draws nothing at random.

    name: as in `names.EXTRACTORS`. network: from (N, channels, height, width) in [-1, 1] to
    features (N, width), or to (features, logits) where classes is not empty. size: (height, width)
    that the network takes; None takes any. digest: sha256 of the weights, hexadecimal.
    resize_mode: one of `names.RESIZES`, for images of another size. classes: names of the classes
    that the network tells apart. note: what a reader must know, printed with the figures.
    """

    name: str
    network: nn.Module
    width: int
    channels: int
    size: tuple[int, int] | None
    digest: str
    resize_mode: str = "antialiased"
    classes: tuple[str, ...] = ()
    note: str = ""
    device: str = "cpu"

    def __post_init__(self) -> None:
        self.network = self.network.requires_grad_(False).eval().to(self.device)

    def features(self, images: Tensor) -> Tensor:
        """(N, width) float32 on the CPU.

        images: (N, C, H, W), uint8 or float in [-1, 1], of any size, with 1, 3 or 4 channels.
        Raises UsageError for another shape.
        """
        return self._through(images)[0]

    def judged(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Features (N, width) and class probabilities (N, classes), both float32 on the CPU.

        Raises UsageError for an extractor without classes.
        """
        if not self.classes:
            raise UsageError(f"the extractor {self.name} tells no classes apart")
        features, logits = self._through(images)
        return features, logits.softmax(dim=1)

    @torch.no_grad()
    def _through(self, images: Tensor) -> tuple[Tensor, Tensor]:
        if images.ndim != 4 or images.shape[1] not in (1, 3, 4) or not len(images):
            raise UsageError(
                f"images have the shape {tuple(images.shape)}; it must be (N, C, H, W) with 1, 3 "
                "or 4 channels"
            )
        found = [self._batch(part) for part in images.split(BATCH)]
        features, logits = (torch.cat(parts) for parts in zip(*found, strict=True))
        return features, logits

    def _batch(self, images: Tensor) -> tuple[Tensor, Tensor]:
        ready = with_channels(as_float(images.to(self.device)), self.channels)
        if self.size is not None and tuple(ready.shape[2:]) != self.size:
            ready = resize(ready, self.size, self.resize_mode)
        out = self.network(ready)
        features, logits = out if self.classes else (out, out[:, :0])
        return features.float().cpu(), logits.float().cpu()


def as_float(images: Tensor) -> Tensor:
    """float32 in [-1, 1], from uint8 or float."""
    if images.dtype == torch.uint8:
        return images.float().div_(127.5).sub_(1)
    return images.float()


def weights_sha256(network: nn.Module) -> str:
    """The sha256 of a network's weights: names, shapes and bytes, in order of name."""
    digest = hashlib.sha256()
    for name, tensor in sorted(network.state_dict().items()):
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}\n".encode())
        digest.update(tensor.cpu().contiguous().reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()

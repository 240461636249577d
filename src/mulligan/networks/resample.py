"""Twice or half the side with a low-pass, so that no frequency folds into another."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mulligan.networks.initial import scaled


class Resample(nn.Module):
    """Twice or half the side, low-passed by [1, 3, 3, 1]; a 1x1 convolution where maps change.

    The convolution works on the smaller side: first when going up, last when going down.
    """

    def __init__(self, channels: int, wanted: int, up: bool) -> None:
        super().__init__()
        self.up = up
        same = channels == wanted
        self.mix = (
            nn.Identity() if same else scaled(nn.Conv2d(channels, wanted, 1, bias=False), 1.0)
        )
        line = torch.tensor([1.0, 3.0, 3.0, 1.0]) / 8
        self.register_buffer("filter", torch.outer(line, line)[None, None], persistent=False)

    def forward(self, maps: Tensor) -> Tensor:
        """(N, channels, height, width) to (N, wanted, 2 height, 2 width), or half."""
        if self.up:
            maps = self.mix(maps)
            return F.conv_transpose2d(maps, 4 * self._filters(maps), None, 2, 1, 0, maps.shape[1])
        maps = F.conv2d(maps, self._filters(maps), None, 2, 1, 1, maps.shape[1])
        result: Tensor = self.mix(maps)
        return result

    def _filters(self, maps: Tensor) -> Tensor:
        return self.get_buffer("filter").expand(maps.shape[1], -1, -1, -1)

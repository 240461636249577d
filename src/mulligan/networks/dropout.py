"""Dropout from random bytes: eight numbers from one draw, where PyTorch's draws one for each.

On a processor PyTorch's own takes a sixth of a classic DCGAN's step; elsewhere, and in compiled
code, it is one kernel and serves.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

VALUES = 256
"""Of a byte. Rates are rounded to so many parts."""


class Dropout(nn.Module):
    """Sets a share of the numbers to 0 in training, and scales the others to keep the mean.

    rate: the share, in [0, 1), to the nearest 256th. Draws from torch's own generator.
    Srivastava et al. 2014, Journal of Machine Learning Research 15.
    """

    def __init__(self, rate: float) -> None:
        super().__init__()
        self.rate = rate
        self.dropped = min(round(rate * VALUES), VALUES - 1)

    def forward(self, maps: Tensor) -> Tensor:
        """(N, ...) to the same."""
        if not self.training or not self.dropped:
            return maps
        if not maps.is_cpu or torch.compiler.is_compiling():
            return F.dropout(maps, self.dropped / VALUES)
        # compared in place: 0 and 1 as bytes, where a comparison's booleans take twice the time
        kept = random_bytes(maps).ge_(self.dropped).to(maps.dtype)
        dropped: Tensor = _Kept.apply(maps, kept, VALUES / (VALUES - self.dropped))
        return dropped

    def extra_repr(self) -> str:
        return f"rate={self.rate:g}"


class _Kept(torch.autograd.Function):
    """maps * kept * scale, and its slope, in one pass each: a hundredth of a classic round.

    kept: 0 or 1 for each place, in the type of maps. A slope of the slope is had as well.
    """

    @staticmethod
    def forward(ctx: Any, maps: Tensor, kept: Tensor, scale: float) -> Tensor:
        ctx.save_for_backward(kept)
        ctx.scale = scale
        return torch.addcmul(kept.new_zeros(()), maps, kept, value=scale)

    @staticmethod
    def backward(ctx: Any, slope: Tensor) -> tuple[Tensor, None, None]:
        (kept,) = ctx.saved_tensors
        return torch.addcmul(kept.new_zeros(()), slope, kept, value=ctx.scale), None, None


def random_bytes(like: Tensor) -> Tensor:
    """Even bytes, uint8, in the shape and the memory layout of `like`."""
    layout = torch.empty_like(like)  # dense, whatever `like` is a part of
    words = like.new_empty(-(-like.numel() // 8), dtype=torch.int64)
    words.random_(-(2**63), None)  # without bounds the highest bit would always be 0
    return words.view(torch.uint8).as_strided(layout.shape, layout.stride())

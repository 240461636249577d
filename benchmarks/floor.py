"""The least time that a network's arithmetic takes: each layer alone, in its quickest form.

A layer is timed by itself on random values, forward and for each gradient that the round needs, in
every form that gives the same numbers (a transposed convolution also as sub-pixels) and both memory
layouts; the quickest counts. Used by round.py, which prints a round as a share of this. Plainer:
the products in a round, and how many a second large matrices get.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import flop_registry

Form = Callable[[Tensor, Tensor], Tensor]
LAYOUTS = (torch.contiguous_format, torch.channels_last)


@dataclass(frozen=True)
class Layer:
    """shape: of its input, with the batch. weight: of its weight. forms: ways to compute it."""

    shape: tuple[int, ...]
    weight: tuple[int, ...]
    forms: tuple[Form, ...]


def dense(rows: int, inputs: int, outputs: int) -> Layer:
    return Layer((rows, inputs), (outputs, inputs), (F.linear,))


def conv(rows: int, inputs: int, outputs: int, side: int, kernel: int, stride: int) -> Layer:
    def plain(maps: Tensor, weight: Tensor) -> Tensor:
        return F.conv2d(maps, weight, stride=stride, padding=kernel // 2)

    return Layer((rows, inputs, side, side), (outputs, inputs, kernel, kernel), (plain,))


def transposed(rows: int, inputs: int, outputs: int, side: int, kernel: int, stride: int) -> Layer:
    def plain(maps: Tensor, weight: Tensor) -> Tensor:
        more = stride - 1
        return F.conv_transpose2d(
            maps, weight, stride=stride, padding=kernel // 2, output_padding=more
        )

    def flipped(maps: Tensor, weight: Tensor) -> Tensor:
        return F.conv2d(maps, weight.flip(2, 3).transpose(0, 1), padding=kernel // 2)

    def sub_pixel(maps: Tensor, weight: Tensor) -> Tensor:
        each = math.ceil(kernel / 2)
        padded = F.pad(weight, (0, 2 * each - kernel) * 2)
        split = padded.view(*weight.shape[:2], each, 2, each, 2).permute(1, 3, 5, 0, 2, 4)
        small = split.reshape(4 * weight.shape[1], weight.shape[0], each, each).flip(2, 3)
        return F.pixel_shuffle(F.conv2d(maps, small, padding=each // 2), 2)

    other = flipped if stride == 1 else sub_pixel
    return Layer((rows, inputs, side, side), (inputs, outputs, kernel, kernel), (plain, other))


def seconds(layer: Layer, needs: str, dtype: torch.dtype, tries: int = 3) -> float:
    """Of the quickest form. needs: of "x" and "w", the gradients to compute; "" is forward only."""
    return min(
        _form(layer, form, needs, dtype, layout, tries)
        for form in layer.forms
        for layout in (LAYOUTS if len(layer.shape) == 4 else LAYOUTS[:1])
    )


def _form(
    layer: Layer,
    form: Form,
    needs: str,
    dtype: torch.dtype,
    layout: torch.memory_format,
    tries: int,
) -> float:
    maps = torch.randn(layer.shape).to(dtype).contiguous(memory_format=layout)
    weight = torch.randn(layer.weight).to(dtype).contiguous(memory_format=layout)
    maps.requires_grad_("x" in needs)
    weight.requires_grad_("w" in needs)
    wanted = [value for value in (maps, weight) if value.requires_grad]
    with torch.no_grad():
        slope = torch.ones_like(form(maps, weight))
    best = math.inf
    for _ in range(tries):
        start = time.perf_counter()
        found = form(maps, weight)
        if wanted:
            torch.autograd.grad(found, wanted, slope)
        best = min(best, time.perf_counter() - start)
    return best


def wait(device: str) -> None:
    """For what the device was asked to do."""
    if device == "cuda":
        torch.cuda.synchronize()


class Counting(TorchDispatchMode):
    """Adds up the products of what runs inside, by PyTorch's own table of formulas.

    PyTorch's counter itself asks for hooks that a gradient of a gradient does not allow.
    """

    total = 0

    def __torch_dispatch__(
        self, func: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> object:
        found = func(*args, **(kwargs or {}))
        formula = flop_registry.get(func._overloadpacket)
        if formula is not None:
            self.total += formula(*args, **(kwargs or {}), out_val=found)
        return found


def products(play: Callable[[], None], rounds: int) -> float:
    """Multiplications and additions in one round, on average."""
    with Counting() as counting:
        for _ in range(rounds):
            play()
    return float(counting.total) / rounds


def matrix_rate(dtype: torch.dtype, size: int, device: str = "cpu") -> float:
    """Multiplications and additions a second on large matrices, the best of ten."""
    one, other = (torch.randn(size, size, device=device).to(dtype) for _ in range(2))
    best = math.inf
    for _ in range(10):
        wait(device)
        start = time.perf_counter()
        one @ other
        wait(device)
        best = min(best, time.perf_counter() - start)
    return 2 * size**3 / best

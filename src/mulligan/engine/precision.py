"""float32, bfloat16 autocast or float64. Never float16: it cripples penalties (see R3GAN)."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext

import torch
from torch import nn

PRECISIONS = ("float32", "bfloat16", "float64")


def parameter_dtype(precision: str) -> torch.dtype:
    """The dtype in which weights and batches are held; bfloat16 means float32 weights."""
    return torch.float64 if precision == "float64" else torch.float32


def place(network: nn.Module, device: str, precision: str) -> None:
    """Move a network to a device and a precision, channels last: the layout convolutions like."""
    network.to(device, parameter_dtype(precision))
    network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]


def autocast(precision: str, device: str) -> AbstractContextManager[object]:
    """A context for the forward pass; does nothing but for bfloat16."""
    if precision != "bfloat16":
        return nullcontext()
    return torch.autocast(torch.device(device).type, dtype=torch.bfloat16)

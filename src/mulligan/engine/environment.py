"""What an exact resume depends on."""

from __future__ import annotations

import platform
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch

EXACT = ("torch", "python", "device", "threads", "cpu_capability", "ranks")


def environment(device: str, ranks: int) -> dict[str, Any]:
    """What an exact resume depends on, and what a reader of figures wants to know."""
    return {
        "python": platform.python_version(),
        "torch": torch.__version__,
        "numpy": np.__version__,
        "platform": platform.platform(),
        "processor": processor(),
        "device": torch.cuda.get_device_name() if device.startswith("cuda") else device,
        "threads": torch.get_num_threads(),
        "cpu_capability": torch.backends.cpu.get_cpu_capability(),
        "ranks": ranks,
    }


@contextmanager
def own_threads(count: int | None = None) -> Iterator[None]:
    """Inside the block, so many threads compute, or as many as it says later; then as before."""
    before = torch.get_num_threads()
    torch.set_num_threads(count or before)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def processor() -> str:
    """The processor's name as the system gives it, and its number of cores."""
    info = Path("/proc/cpuinfo")
    names = [
        line.partition(":")[2].strip()
        for line in (info.read_text().splitlines() if info.exists() else [])
        if line.startswith("model name")
    ]
    return f"{names[0]}, {len(names)} cores" if names else platform.processor() or "unknown"


def differences(before: dict[str, Any], now: dict[str, Any]) -> list[str]:
    """Why a resume is not bit-exact, as "threads 2 -> 1"; empty if it is."""
    return [f"{name} {before[name]} -> {now[name]}" for name in EXACT if before[name] != now[name]]

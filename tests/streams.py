"""Real pictures for which there is no room, so that they are streamed."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mulligan.data import room, shelf

COUNT = 300


def picture(seed: int, side: int = 16) -> bytes:
    """A PNG of noise, another one for each seed."""
    held = io.BytesIO()
    noise = np.random.default_rng(seed).integers(0, 256, (side, side, 3), dtype=np.uint8)
    Image.fromarray(noise).save(held, "PNG")
    return held.getvalue()


def pictures(count: int = COUNT) -> dict[str, bytes]:
    """Pictures of two classes, one that is cut off, and some copies."""
    files = {f"{'ab'[k % 2]}/{k:04d}.png": picture(k) for k in range(count)}
    copies = {f"a/copy-{k}.png": picture(k) for k in range(0, 20, 2)}
    return {**files, **copies, "a/broken.png": picture(0)[:300]}


def no_room(patch: pytest.MonkeyPatch) -> Callable[[], None]:
    """Neither the cache nor memory has room; what is returned gives it back."""
    patch.setattr(shelf, "MOST_BYTES", 10_000)
    patch.setattr(room, "free_memory", lambda: 10_000)

    def again() -> None:
        patch.setattr(shelf, "MOST_BYTES", 2**30)
        patch.setattr(room, "free_memory", lambda: 2**30)

    return again


def spoil(path: Path, how: str) -> str:
    """Make a file unusable; the reason that is to be said."""
    if how == "deleted":
        path.unlink()
        return "No such file"
    if how == "cut off":
        path.write_bytes(path.read_bytes()[:200])
        return "truncated"
    path.write_bytes(picture(9999))
    return "another picture"

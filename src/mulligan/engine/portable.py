"""A generator in one file: its averaged weights as safetensors, and in the header how to build it.

Nothing of training is in it: no discriminator, no optimizer, no path, no data.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from mulligan.disk import replace, reporting
from mulligan.engine.checkpoint import Checkpoint
from mulligan.engine.tensorfile import decode_tensors, encode_tensors, note_in
from mulligan.errors import CorruptCheckpoint, UsageError

SUFFIX = ".safetensors"
MOST_BYTES = 4 * 2**30
KEPT = ("schema", "recipe", "settings", "fields", "now", "counters")
VALUES = ("precision", "only_label")
"""Of the options of the run: what a sample depends on."""


def write(found: Checkpoint, path: Path, dtype: torch.dtype = torch.float32) -> None:
    """Write the generator of a checkpoint, its weights rounded to `dtype`.

    Raises UsageError for a recipe of the user's own, whose file nobody else has, and StorageError.
    """
    if found.state["recipe"]["file"] is not None:
        raise UsageError(
            f"the recipe of this run is the file {found.state['recipe']['file']['path']}; a "
            "portable generator needs one that comes with mulligan"
        )
    state = {name: found.state[name] for name in KEPT}
    state["values"] = {name: found.state["values"][name] for name in VALUES}
    tensors = {
        name: value.to(dtype) if value.is_floating_point() else value
        for name, value in found.tensors["twin"].items()
    }
    replace(path, encode_tensors(tensors, json.dumps(state)))


def read(path: Path) -> Checkpoint:
    """What `write` wrote, as a checkpoint that has the twin alone; its floats are float32.

    Raises CorruptCheckpoint that says what is wrong with the file.
    """
    with reporting(path):
        if path.stat().st_size > MOST_BYTES:
            raise CorruptCheckpoint(f"{path} is larger than {MOST_BYTES:,} bytes")
        content = path.read_bytes()
    try:
        tensors, state = decode_tensors(content), _state(note_in(content))
    except (ValueError, RecursionError) as problem:
        raise CorruptCheckpoint(f"{path} is no portable generator: {problem}") from problem
    return Checkpoint(path, 0, state, {"twin": {k: _float32(v) for k, v in tensors.items()}})


def _float32(value: Tensor) -> Tensor:
    return value.float() if value.is_floating_point() else value


def _state(note: str) -> dict[str, Any]:
    if not note:
        raise ValueError("its header does not say how to build it")
    state = json.loads(note)
    lacking = [name for name in (*KEPT, "values") if name not in state] if state else KEPT
    if not isinstance(state, dict) or lacking:
        raise ValueError(f"its header lacks {', '.join(lacking)}")
    if state["recipe"].get("file") is not None:
        raise ValueError("its recipe is a file of its own, which is never run")
    return state

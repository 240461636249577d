"""Named tensors as safetensors bytes, within limits of our own.

safetensors executes nothing. Its header is still a stranger's JSON: its length, its entries and
their offsets are checked here before anything is allocated.
"""

from __future__ import annotations

import json
import math
from typing import Any

import safetensors.torch
import torch
from safetensors import SafetensorError
from torch import Tensor

MAX_HEADER = 16 * 2**20  # bytes
MAX_TENSORS = 100_000
MAX_AXES = 64
NOTE = "mulligan"
UNREADABLE = (SafetensorError, ValueError, TypeError, LookupError, ArithmeticError, RuntimeError,
              AssertionError)  # fmt: skip
SIZES = {"BOOL": 1, "U8": 1, "I8": 1, "F8_E4M3": 1, "F8_E5M2": 1, "I16": 2, "U16": 2, "F16": 2}
SIZES |= {"BF16": 2, "I32": 4, "U32": 4, "F32": 4, "I64": 8, "U64": 8, "F64": 8, "C64": 8}


def encode_tensors(tensors: dict[str, Tensor], note: str = "") -> bytes:
    """The tensors as a safetensors file; every value, shape and dtype comes back exactly.

    note: any text, kept in the file's header.
    """
    if len(tensors) > MAX_TENSORS:
        raise ValueError(f"{len(tensors):,} tensors in one file; at most {MAX_TENSORS:,} fit")
    seen: set[int] = set()
    plain = {}
    for name, tensor in tensors.items():
        value = tensor.detach().cpu().contiguous()
        memory = value.untyped_storage().data_ptr()
        plain[name] = value.clone() if memory in seen else value  # safetensors refuses shared ones
        seen.add(memory)
    return safetensors.torch.save(plain, {NOTE: note} if note else None)


def decode_tensors(content: bytes) -> dict[str, Tensor]:
    """The tensors of a safetensors file, on the CPU.

    Raises ValueError that says what is wrong with the file.
    """
    check_header(content)
    try:
        return safetensors.torch.load(content)
    except UNREADABLE as problem:
        raise ValueError(f"not a safetensors file: {problem}") from problem


def note_in(content: bytes) -> str:
    """The text that was kept with the tensors, or none. Raises ValueError like `decode_tensors`."""
    check_header(content)
    header = json.loads(content[8 : 8 + int.from_bytes(content[:8], "little")])
    kept = header.get("__metadata__")
    note = kept.get(NOTE, "") if isinstance(kept, dict) else ""
    return note if isinstance(note, str) else ""


def check_header(content: bytes) -> None:
    """Refuse, with ValueError, a header too large, with too many entries or wrong offsets."""
    if len(content) < 8:
        raise ValueError(f"only {len(content)} bytes; a safetensors file has 8 or more")
    length = int.from_bytes(content[:8], "little")
    if length > min(MAX_HEADER, len(content) - 8):
        raise ValueError(f"a header of {length:,} bytes in a file of {len(content):,}")
    try:
        header = json.loads(content[8 : 8 + length])
    except (ValueError, RecursionError) as problem:
        raise ValueError(f"the header is not JSON: {problem}") from problem
    if not isinstance(header, dict):
        raise ValueError("the header is not a JSON object")
    header.pop("__metadata__", None)
    if len(header) > MAX_TENSORS:
        raise ValueError(f"{len(header):,} tensors; at most {MAX_TENSORS:,} are read")
    spans = sorted(_span(name, entry) for name, entry in header.items())
    ends = [0, *(end for _, end in spans)]
    if any(start != end for (start, _), end in zip(spans, ends, strict=False)):
        raise ValueError("tensors overlap or leave gaps")
    if ends[-1] != len(content) - 8 - length:
        raise ValueError(f"{len(content) - 8 - length:,} bytes of values, {ends[-1]:,} described")


def _span(name: str, entry: Any) -> tuple[int, int]:
    """First and last offset of one tensor, after checking them against its shape and dtype."""
    try:
        dtype, shape = entry["dtype"], entry["shape"]
        start, end = entry["data_offsets"]
        numbers = [start, end, *shape]
    except (KeyError, TypeError, ValueError) as problem:
        raise ValueError(f"tensor {name!r} is not described: {problem!r}") from problem
    if len(shape) > MAX_AXES or any(type(number) is not int or number < 0 for number in numbers):
        raise ValueError(f"tensor {name!r} has a shape or an offset that cannot be")
    if not isinstance(dtype, str) or dtype not in SIZES:
        raise ValueError(f"tensor {name!r} has the unknown dtype {dtype!r}")
    if math.prod(shape) * SIZES[dtype] != end - start:
        raise ValueError(f"tensor {name!r} of shape {shape} does not fill its {end - start} bytes")
    return start, end


def first_not_finite(tensors: dict[str, Tensor]) -> str | None:
    """The name of the first tensor that holds NaN or infinity, or None."""
    for name, tensor in tensors.items():
        if not (tensor.is_floating_point() or tensor.is_complex()):
            continue
        value = tensor.detach()
        # one sum passes nearly every tensor; it may overflow, hence the second look
        if not torch.isfinite(value.sum()) and not torch.isfinite(value).all():
            return name
    return None

"""Tensors to bytes and back: exactly, and nothing but a plain refusal for mutated headers."""

from __future__ import annotations

import json
import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from mulligan.engine.tensorfile import (
    MAX_HEADER,
    check_header,
    decode_tensors,
    encode_tensors,
    first_not_finite,
)

big = torch.arange(24.0)
EXACT = {
    "bfloat16": torch.tensor([1.0, -0.0, 3.1416], dtype=torch.bfloat16),
    "float64": torch.tensor([[1 / 3, 5e-324, 1.7e308]], dtype=torch.float64),
    "float16": torch.tensor([0.1], dtype=torch.float16),
    "int64": torch.tensor([-(2**63), 2**63 - 1]),
    "uint8": torch.tensor([0, 255], dtype=torch.uint8),
    "bool": torch.tensor([True, False, True]),
    "none": torch.zeros(0, 3),
    "none too": torch.zeros(2, 0, dtype=torch.int64),
    "number": torch.tensor(0.1),
    "whole": big,
    "part": big[6:12],
    "turned": big.view(4, 6).t(),
    "last": torch.rand(2, 3, 4, 4).to(memory_format=torch.channels_last),
    "learned": torch.nn.Parameter(torch.ones(2)),
}


def bits(tensor):
    return tensor.detach().contiguous().view(-1).view(torch.uint8)


def test_every_value_shape_and_dtype_comes_back_exactly():
    back = decode_tensors(encode_tensors(EXACT))
    assert back.keys() == EXACT.keys()
    for name, tensor in EXACT.items():
        assert back[name].dtype == tensor.dtype, name
        assert back[name].shape == tensor.shape, name
        assert torch.equal(bits(back[name]), bits(tensor)), name


def test_loaded_tensors_are_separate_and_can_be_written():
    back = decode_tensors(encode_tensors(EXACT))
    back["whole"].zero_()
    assert torch.equal(back["part"], big[6:12])


def test_no_tensors_are_a_file_too():
    assert decode_tensors(encode_tensors({})) == {}


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float64, torch.complex64])
def test_one_value_that_is_not_finite_is_found(value, dtype):
    bad = torch.ones(2, 3, dtype=dtype)
    bad[1, 2] = value
    assert first_not_finite({"good": torch.ones(3), "bad": bad}) == "bad"


def test_large_values_whose_sum_overflows_are_finite():
    large = torch.full((9,), 3e38)
    assert (
        first_not_finite({"large": large, "none": torch.zeros(0), "int": torch.ones(1).int()})
        is None
    )
    assert first_not_finite({"opposites": torch.tensor([math.inf, -math.inf])}) == "opposites"


def file_of(header, values=b"\0" * 8):
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return len(text).to_bytes(8, "little") + text + values


def entry(**changes):
    return {"a": {"dtype": "F32", "shape": [2], "data_offsets": [0, 8], **changes}}


MISMADE = {
    "empty": b"",
    "only a length": (2**63).to_bytes(8, "little"),
    "header longer than the file": (2**40).to_bytes(8, "little") + b"{}",
    "header above the cap": file_of(b"{}".ljust(MAX_HEADER + 1), b""),
    "not JSON": file_of(b"{]"),
    "deep": file_of(b'{"a":' + b"[" * 100_000),
    "a list": file_of([1]),
    "entry is a number": file_of({"a": 1}),
    "no shape": file_of({"a": {"dtype": "F32", "data_offsets": [0, 8]}}),
    "unknown dtype": file_of(entry(dtype="F31")),
    "dtype is a list": file_of(entry(dtype=["F32"])),
    "negative size": file_of(entry(shape=[-2])),
    "size is true": file_of(entry(shape=[True, 2])),
    "huge size": file_of(entry(shape=[2**63, 2**63])),
    "huge empty": file_of(entry(shape=[0, 2**63], data_offsets=[0, 0]), b""),
    "many axes": file_of(entry(shape=[1] * 1000 + [2])),
    "three offsets": file_of(entry(data_offsets=[0, 4, 8])),
    "offsets backwards": file_of(entry(data_offsets=[8, 0])),
    "offsets beyond": file_of(entry(shape=[4], data_offsets=[0, 16])),
    "values nobody owns": file_of(entry(), b"\0" * 9),
    "overlap": file_of({**entry(), "b": entry()["a"]}),
    "too many": file_of({str(n): {"dtype": "F32", "shape": [0], "data_offsets": [0, 0]}
                         for n in range(100_001)}, b""),
}  # fmt: skip


@pytest.mark.parametrize("content", MISMADE.values(), ids=MISMADE.keys())
def test_a_mismade_file_is_refused_with_a_reason(content):
    with pytest.raises(ValueError):
        decode_tensors(content)


def test_the_checked_file_itself_is_well_made():
    assert torch.equal(decode_tensors(file_of(entry()))["a"], torch.zeros(2))


GOOD = encode_tensors({"a": torch.ones(2, 3), "b": torch.arange(4), "c": torch.zeros(0)})
LENGTH = 8 + int.from_bytes(GOOD[:8], "little")
places = st.tuples(st.integers(0, LENGTH - 1), st.integers(0, 255))


@settings(max_examples=300, deadline=None)
@given(changes=st.lists(places, min_size=1, max_size=4), cut=st.integers(0, 20))
def test_mutated_headers_are_read_or_refused_but_nothing_else(changes, cut):
    content = bytearray(GOOD)
    for place, value in changes:
        content[place] = value
    mutated = bytes(content[: len(content) - cut])
    try:
        tensors = decode_tensors(mutated)
    except ValueError:
        return
    check_header(mutated)
    held = sum(tensor.numel() * tensor.element_size() for tensor in tensors.values())
    assert held == len(mutated) - 8 - int.from_bytes(mutated[:8], "little")

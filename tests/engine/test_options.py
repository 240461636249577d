"""Options read what people type, and say what is wrong with the rest."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as some

from mulligan.engine.options import BY_NAME, OPTIONS


@pytest.mark.parametrize(
    ("name", "typed", "value"),
    [
        ("images", "400k", 400_000),
        ("images", "2.5m", 2_500_000),
        ("images", "400,000", 400_000),
        ("images", 4e5, 400_000),
        ("images", "auto", "auto"),
        ("size", "64", (64, 64)),
        ("size", "48x64", (48, 64)),
        ("size", (48, 64), (48, 64)),
        ("size", 32, (32, 32)),
        ("held_out", "5%", 0.05),
        ("held_out", 0, 0),
        ("channels", 3, 3),
        ("seed", "1_000", 1000),
        ("seed", 2**63 - 1, 2**63 - 1),
        ("compile", "yes", True),
        ("compile", False, False),
        ("device", "CUDA:1", "cuda:1"),
        ("batch", 64.0, 64),
    ],
)
def test_what_is_typed_is_read(name: str, typed: Any, value: Any) -> None:
    assert BY_NAME[name].parse(typed) == value


@pytest.mark.parametrize(
    ("typed", "seconds"), [("90", 90), ("60s", 60), ("4m", 240), ("1.5h", 5400), (30, 30)]
)
def test_times_are_read_in_seconds_and_kept_as_written(typed: Any, seconds: float) -> None:
    from mulligan.engine.readers import seconds as read

    assert read(typed) == seconds
    assert BY_NAME["time"].parse(typed) == str(typed)


@pytest.mark.parametrize(
    ("name", "typed", "complaint"),
    [
        ("images", "many", "no number of images"),
        ("images", "1.2.3", "no number of images"),
        ("images", 0, "at least 1"),
        ("images", -5, "at least 1"),
        ("size", "big", "no size"),
        ("size", "2", "at least 4"),
        ("size", "64x64x3", "no size"),
        ("size", "64x9999", "at most 4,096"),
        ("channels", 2, "none of 1, 3, 4"),
        ("held_out", 0.7, "at most 0.5"),
        ("held_out", "nan", "finite"),
        ("batch", "6.5", "not a whole number"),
        ("batch", True, "not a whole number"),
        ("batch", 0, "at least 1"),
        ("seed", -1, "at least 0"),
        ("compile", "maybe", "neither true nor false"),
        ("precision", "float16", "none of float32, bfloat16, float64"),
        ("device", "gpu", "none of cpu"),
        ("time", "soon", "no length of time"),
        ("time", "0", "at least 1"),
        ("name", "../out", "no folder name"),
        ("name", ".hidden", "no folder name"),
        ("name", "@last", "no folder name"),
        ("log", "loud", "none of rich"),
    ],
)
def test_what_cannot_be_meant_is_refused(name: str, typed: Any, complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        BY_NAME[name].parse(typed)


@given(some.sampled_from(OPTIONS), some.text() | some.floats() | some.integers())
def test_no_option_fails_but_with_a_sentence(option: Any, typed: Any) -> None:
    try:
        option.parse(typed)
    except ValueError as error:
        complaint = str(error)
    else:
        complaint = "is fine"
    assert complaint.startswith("is "), (option.name, typed)


def test_each_option_has_a_sentence_and_reads_its_own_default() -> None:
    for option in OPTIONS:
        assert option.sentence
        assert not option.sentence.endswith(".")
        if option.name != "time":
            assert option.parse(option.default) == option.default
        assert option.parse(None) == option.default

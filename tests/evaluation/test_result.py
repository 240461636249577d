"""An evaluation survives JSON unchanged, refuses what is none, and prints as an aligned table."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mulligan.errors import UsageError
from mulligan.evaluation.result import Evaluation, aligned, number
from mulligan.metrics.figure import Figure

STAMP = {"extractor": "digits", "weights": "a" * 64, "split": "test", "resize": "none", "seed": 3}


def figure(name: str, value: float, width: float = 1.0) -> Figure:
    return Figure(name, value, value - width, value + width, "95 %", f"E[{name}_n]", 500, 400,
                  dict(STAMP))  # fmt: skip


FOUND = Evaluation(
    target="ring-001",
    data="2d:ring",
    images=1_234_567,
    figures=(figure("FD-digits", 123456.7), figure("KD-digits", 0.1 + 0.2, 1e-17)),
    baseline=(figure("KD-digits", 1e-6),),
    notes=("FD is doubtful",),
    verdicts=("8 of 8 modes found",),
    seconds=0.1,
)


def test_json_gives_it_back_bit_for_bit() -> None:
    assert Evaluation.from_json(json.loads(json.dumps(FOUND.to_json()))) == FOUND
    folder = replace(FOUND, images=None, baseline=(), notes=())
    assert Evaluation.from_json(json.loads(json.dumps(folder.to_json()))) == folder


def changed(**entries: Any) -> dict[str, Any]:
    return {**FOUND.to_json(), **entries}


GARBAGE = {
    "nothing": None,
    "a list": [1, 2],
    "a word": "figures",
    "no entries": {},
    "another schema": changed(schema=2),
    "no figures": changed(figures=[]),
    "figures that are an object": changed(figures={}),
    "figures that are a word": changed(figures="abc"),
    "a figure without a name": changed(figures=[{"value": 1}]),
    "a figure that is a number": changed(figures=[3]),
    "a value that is no number": changed(figures=[{**FOUND.to_json()["figures"][0], "value": "x"}]),
    "an empty interval": changed(figures=[{**FOUND.to_json()["figures"][0], "low": 1e9}]),
    "not finite": changed(baseline=[{**FOUND.to_json()["figures"][0], "high": float("inf")}]),
    "notes that are a word": changed(notes="abc"),
    "images that are a word": changed(images="many"),
    "no time": changed(seconds=None),
    "an entry missing": {k: v for k, v in FOUND.to_json().items() if k != "verdicts"},
}


@pytest.mark.parametrize("what", GARBAGE)
def test_anything_else_is_refused(what: str) -> None:
    with pytest.raises(UsageError, match="no evaluation"):
        Evaluation.from_json(GARBAGE[what])


def test_another_schema_is_named() -> None:
    with pytest.raises(UsageError, match="its schema is 2"):
        Evaluation.from_json(changed(schema=2))


def test_figures_are_found_by_name() -> None:
    assert FOUND["FD-digits"].value == 123456.7
    with pytest.raises(KeyError, match="none of FD-digits, KD-digits"):
        FOUND["FID"]


def test_the_table_has_a_line_for_each_figure_and_what_zero_means() -> None:
    head, fd, kd = FOUND.table()
    assert head == ["figure", "value", "95 % interval", "training images", "real", "generated"]
    assert fd == ["FD-digits", "123,457", "123,456 to 123,458", "", "500", "400"]
    assert kd[0::3] == ["KD-digits", "1.00e-06"]
    assert kd[1] == "0.3"


def test_the_text_says_what_was_compared_and_aligns_the_table() -> None:
    lines = str(FOUND).splitlines()
    assert lines[0] == "ring-001 after 1,234,567 images against 2d:ring, split test"
    assert "digits (aaaaaaaaaaaa), resize none, seed 3" in lines[1]
    assert lines[-2:] == ["8 of 8 modes found", "note: FD is doubtful"]
    table = lines[3:6]
    ends = [line.index(word) + len(word) for line, word in zip(table, ("value", "123,457", "0.3"))]  # noqa: B905
    assert len(set(ends)) == 1


@given(st.lists(st.lists(st.text("ab ", max_size=6), min_size=3, max_size=3), min_size=1))
def test_columns_are_aligned(rows: list[list[str]]) -> None:
    lines = aligned(rows)
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    full = sum(widths) + 4
    for row, line in zip(rows, lines, strict=True):
        padded = line.ljust(full)
        assert len(padded) == full
        assert padded[: widths[0]] == row[0].ljust(widths[0])
        assert padded[full - widths[2] :] == row[2].rjust(widths[2])
        assert line == line.rstrip()


@given(st.floats(-1e8, 1e8))
def test_numbers_are_read_without_an_exponent_and_to_three_parts_in_a_thousand(
    value: float,
) -> None:
    text = number(value)
    assert float(text.replace(",", "")) == pytest.approx(value, rel=5e-3)
    assert "e" not in text or abs(value) < 1e-4

"""Modes of points on a ring whose truth is known, and classes by an extractor."""

from __future__ import annotations

import math
import re

import pytest
import torch
from torch import Tensor

from looking import STAMP, known_lens
from mulligan.data.open import open_data
from mulligan.data.points import modes
from mulligan.evaluation.lens import Lens, Rows
from mulligan.evaluation.modes_found import class_modes, point_figures

INSIDE = 1 - math.exp(-(3**2) / 2)
"""Share of a two-dimensional normal distribution within three deviations: 98.9 %."""

COUNT = 4000


@pytest.fixture(scope="module")
def ring() -> tuple[Tensor, Tensor]:
    """Test points of the ring, and the mode of each."""
    arrays = open_data("2d:ring", split="test").arrays
    return arrays["real"][:COUNT], arrays["label"][:COUNT]


def found(points: Tensor, data: str = "2d:ring"):
    given = point_figures(points, data, STAMP)
    assert given is not None
    return {figure.name: figure for figure in given[0]}, given[1]


def test_true_points_find_all_modes_evenly_and_as_wide_as_they_are(ring) -> None:
    figures, sentence = found(ring[0])
    assert sentence.startswith("8 of 8 modes found")
    assert figures["high quality"].value == pytest.approx(INSIDE, abs=0.005)
    assert figures["high quality"].low <= INSIDE <= figures["high quality"].high
    assert figures["spread within modes"].low <= 1 <= figures["spread within modes"].high
    assert figures["spread within modes"].value == pytest.approx(1, abs=0.02)
    assert 0 <= figures["reverse KL"].value < 0.005


def test_four_modes_that_are_dropped_are_missed(ring) -> None:
    points, label = ring
    figures, sentence = found(points[label % 2 == 0])
    assert sentence.startswith("4 of 8 modes found")
    assert figures["reverse KL"].value == pytest.approx(math.log(2), abs=0.005)
    assert figures["reverse KL"].low > 0.6
    assert figures["high quality"].value == pytest.approx(INSIDE, abs=0.01)


def test_modes_that_shrank_to_half_are_seen(ring) -> None:
    points, label = ring
    centres, _ = modes("2d:ring")
    figures, sentence = found((points + centres[label]) / 2)
    assert sentence.startswith("8 of 8 modes found")
    spread = figures["spread within modes"]
    assert spread.value == pytest.approx(0.5, abs=0.02)
    assert spread.low < 0.5 * 1.02 < spread.high  # all lie within 3 deviations now: no tail is cut
    assert figures["high quality"].value == 1


def test_points_between_the_modes_are_of_low_quality(ring) -> None:
    figures, sentence = found(0.5 * ring[0])
    assert sentence == "0 of 8 modes found"
    assert figures["high quality"].value == 0
    assert figures.keys() == {"high quality"}


def test_points_without_known_modes_have_no_such_figures() -> None:
    assert point_figures(torch.zeros(100, 2), "2d:spiral", STAMP) is None


def of_classes(labels: Tensor) -> Rows:
    return Rows(labels[:, None].float(), torch.nn.functional.one_hot(labels, 2).float())


def classes(real: Tensor, made: Tensor):
    given = class_modes(of_classes(real), of_classes(made), known_lens(), STAMP)
    assert given is not None
    [figure], sentence = given
    return figure, sentence


def test_classes_are_compared_with_their_shares_among_the_real_rows() -> None:
    real = torch.tensor([0] * 300 + [1] * 100)
    same, sentence = classes(real, torch.tensor([0] * 150 + [1] * 50))
    assert same.value == pytest.approx(0, abs=1e-12)
    assert same.name == "reverse KL-known"
    assert sentence.startswith("2 of 2 classes found")
    rare, sentence = classes(real, torch.ones(200, dtype=torch.int64))
    assert rare.value == pytest.approx(math.log(4))
    assert sentence.startswith("1 of 2 classes found")


def test_what_perfect_samples_get_is_said() -> None:
    draw = torch.Generator().manual_seed(0)
    values = []
    for _ in range(60):
        real, made = (torch.rand(100, generator=draw).lt(0.3).long() for _ in range(2))
        figure, sentence = classes(real, made)
        values.append(figure.value)
    said = re.search(r"about ([\d.]+)$", sentence)
    assert said
    assert float(said[1]) == pytest.approx(sum(values) / len(values), rel=0.4)


@pytest.mark.parametrize("lens", [known_lens(classes=False), Lens(None)])
def test_without_classes_there_are_no_modes(lens: Lens) -> None:
    rows = Rows(torch.zeros(100, 2), torch.zeros(100, 0))
    assert class_modes(rows, rows, lens, STAMP) is None


def test_a_class_without_real_rows_cannot_be_missed() -> None:
    zeros = of_classes(torch.zeros(100, dtype=torch.int64))
    only = Rows(zeros.features, torch.tensor([[0.9, 0.1]]).expand(100, 2))
    assert class_modes(only, only, known_lens(), STAMP) is None

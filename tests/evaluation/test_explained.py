"""Sentences on figures: each figure has one, with the right direction, whatever the extractor."""

from __future__ import annotations

import pytest
import torch

from mulligan.data.points import modes
from mulligan.evaluation.explained import MEANINGS, better, explain
from mulligan.evaluation.figures import distribution_figures
from mulligan.evaluation.lens import Lens
from mulligan.evaluation.modes_found import point_figures
from mulligan.features.names import EXTRACTORS, figure_name


@pytest.mark.parametrize("extractor", EXTRACTORS)
def test_every_name_that_a_figure_can_have_is_explained(extractor):
    for kind in ("FD", "KD", "MIND", "IS"):
        assert explain(figure_name(kind, extractor)) == MEANINGS[kind].sentence
    limit = f"{figure_name('FD', extractor)}-infinity"
    assert explain(limit) == MEANINGS["FD-infinity"].sentence
    for kind in ("precision", "recall", "density", "coverage", "nearest ratio", "copies"):
        assert explain(f"{kind}-{extractor}") == MEANINGS[kind].sentence
    assert explain(f"reverse KL-{extractor}") == explain("reverse KL") != ""


def test_a_class_name_decides_nothing():
    for name in ("label accuracy", "label accuracy of 7", "label accuracy of FD-x-infinity"):
        assert explain(name) == MEANINGS["label accuracy"].sentence
        assert better(name) == "higher"


def test_an_unknown_figure_has_no_sentence_and_no_winner():
    for name in ("", "speed", "infinity", "XFD-digits"):
        assert explain(name) == ""
        assert better(name) == ""


@pytest.mark.parametrize("kind", MEANINGS)
def test_each_is_one_sentence_that_says_the_direction_and_what_it_is_blind_to(kind):
    sentence = MEANINGS[kind].sentence
    assert sentence.endswith(".")
    assert ". " not in sentence
    assert "blind to" in sentence
    wanted = {"lower": "lower is better", "higher": "higher is better", "": "1 is "}
    assert wanted[better(kind)] in sentence, sentence


def test_directions_are_those_in_which_better_samples_move():
    centres, deviation = modes("2d:ring")
    draw = torch.Generator().manual_seed(0)

    def ring(count: int, spread: float, kept: int) -> torch.Tensor:
        chosen = torch.randint(kept, (count,), generator=draw)
        return centres[chosen] + spread * torch.randn(count, 2, generator=draw)

    real, good = ring(400, deviation, 8), ring(400, deviation, 8)
    bad = ring(400, 3 * deviation, 3)
    lens = Lens(None)
    found = []
    for made in (good, bad):
        figures, _ = distribution_figures(lens.rows(real), lens.rows(made), lens, {})
        modes_found = point_figures(made, "2d:ring", {})
        assert modes_found is not None
        found.append({one.name: one.value for one in (*figures, *modes_found[0])})
    sides = {"lower": [], "higher": [], "": []}
    for name in found[0]:
        sides[better(name)].append(name)
        if better(name):
            lower = found[0][name] < found[1][name]
            assert lower == (better(name) == "lower"), (name, found[0][name], found[1][name])
    assert len(sides["lower"]) == 5
    assert len(sides["higher"]) == 4
    assert sorted(sides[""]) == ["density-points", "spread within modes"]

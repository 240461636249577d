"""Figures as the arithmetic gives them, under the right name, with what was left out in words."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from looking import STAMP, known_lens
from mulligan.errors import UsageError
from mulligan.evaluation import figures as made
from mulligan.evaluation.figures import distribution_figures, label_figures, share_figure
from mulligan.evaluation.lens import Lens, Rows
from mulligan.metrics.coverage import coverage
from mulligan.metrics.distances import frechet_distance, kernel_distance, mind
from mulligan.metrics.figure import Figure
from mulligan.metrics.moments import Moments
from mulligan.metrics.score import inception_score

WIDTH = 6


def normal(count: int, seed: int, shift: float = 0.0, width: int = WIDTH) -> Tensor:
    return torch.randn(count, width, generator=torch.Generator().manual_seed(seed)) + shift


def rows(features: Tensor, seed: int = 9) -> Rows:
    draw = torch.Generator().manual_seed(seed)
    return Rows(features, torch.rand(len(features), 2, generator=draw).softmax(dim=1))


def plain(features: Tensor) -> Rows:
    return Rows(features, features[:, :0])


def by_name(found: list[Figure]) -> dict[str, Figure]:
    assert len({figure.name for figure in found}) == len(found)
    return {figure.name: figure for figure in found}


def test_figures_are_those_of_the_arithmetic() -> None:
    real, fake = normal(120, 0), normal(120, 1, 0.5)
    found, notes = distribution_figures(rows(real), rows(fake), known_lens(), STAMP)
    values = {figure.name: figure.value for figure in found}
    expected = {
        "FD-known": frechet_distance(Moments.of(real), Moments.of(fake)),
        "KD-known": kernel_distance(real, fake),
        "MIND-known": mind(real, fake),
        "IS-known": inception_score(rows(fake).probabilities, splits=1),
        **{f"{word}-known": value for word, value in vars(coverage(real, fake)).items()},
    }
    assert values.keys() == expected.keys() | {"FD-known-infinity"}
    for name, value in expected.items():
        assert values[name] == pytest.approx(value, rel=1e-9), name
    assert values["FD-known-infinity"] < values["FD-known"]
    assert all(figure.low <= figure.value <= figure.high for figure in found)
    assert all(figure.stamp == STAMP for figure in found)
    assert {figure.generated_count for figure in found} == {120}
    assert notes == []


def test_only_features_of_inception_bear_the_names_of_published_figures() -> None:
    pair = plain(normal(90, 0)), plain(normal(90, 1))
    found, _ = distribution_figures(*pair, known_lens(classes=False, name="inception"), STAMP)
    assert {"FID", "FID-infinity", "KID", "MIND-inception"} < by_name(found).keys()
    points, _ = distribution_figures(*pair, Lens(None), STAMP)
    assert not {"FID", "KID", "IS"} & by_name(points).keys()
    assert "KD-points" in by_name(points)


@pytest.mark.parametrize("count", [WIDTH * 10 - 1, 41])
def test_a_frechet_distance_of_few_rows_is_doubted(count: int) -> None:
    pair = plain(normal(count, 0)), plain(normal(count, 1))
    found, notes = distribution_figures(*pair, Lens(None), STAMP)
    assert "FD-points" in by_name(found)
    assert len(notes) == 1
    assert notes[0].startswith(f"FD-points: {count} samples are few for {WIDTH} features")


def test_a_frechet_distance_of_no_more_rows_than_features_is_left_out() -> None:
    pair = plain(normal(50, 0, width=50)), plain(normal(50, 1, width=50))
    found, notes = distribution_figures(*pair, Lens(None), STAMP)
    assert not [name for name in by_name(found) if name.startswith("FD")]
    assert {"KD-points", "precision-points", "coverage-points"} < by_name(found).keys()
    assert len(notes) == 1
    assert notes[0].startswith("FD-points was left out: a Frechet distance over 50 features")
    one_more = plain(normal(51, 0, width=50)), plain(normal(51, 1, width=50))
    assert "FD-points" in by_name(distribution_figures(*one_more, Lens(None), STAMP)[0])


def test_what_a_reader_must_know_of_the_extractor_is_said() -> None:
    pair = plain(normal(90, 0)), plain(normal(90, 1))
    lens = known_lens(classes=False, note="it was trained on nothing")
    assert distribution_figures(*pair, lens, STAMP)[1] == ["it was trained on nothing"]


def clusters(counts: dict[float, int], seed: int) -> Tensor:
    """(N, 2): so many points around each place of the first axis, far from each other."""
    parts = [normal(n, seed + k, width=2) for k, n in enumerate(counts.values())]
    places = [torch.tensor([place, 0.0]) for place in counts]
    return torch.cat([part + place for part, place in zip(parts, places, strict=True)])


def test_precision_falls_and_recall_does_not_where_half_of_the_samples_are_rubbish() -> None:
    real = plain(clusters({0: 200}, 0))
    honest = by_name(distribution_figures(real, plain(clusters({0: 200}, 5)), Lens(None), STAMP)[0])
    fakes = plain(clusters({0: 100, 1000: 100}, 5))
    found = by_name(distribution_figures(real, fakes, Lens(None), STAMP)[0])
    assert honest["precision-points"].value > 0.85
    assert found["precision-points"].value == pytest.approx(0.5, abs=0.04)
    assert found["precision-points"].high < honest["precision-points"].low
    assert found["recall-points"].value > 0.85


def test_recall_falls_and_precision_does_not_where_half_of_the_data_is_missing() -> None:
    real = plain(clusters({0: 100, 1000: 100}, 0))
    found = by_name(distribution_figures(real, plain(clusters({0: 200}, 5)), Lens(None), STAMP)[0])
    assert found["recall-points"].value == pytest.approx(0.5, abs=0.04)
    assert found["recall-points"].high < 0.65
    assert found["precision-points"].value > 0.8


def test_neighbours_are_sought_among_some_rows_of_each_side(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(made, "MOST_NEIGHBOURS", 60)
    pair = plain(normal(200, 0)), plain(normal(150, 1))
    found = by_name(distribution_figures(*pair, Lens(None), STAMP)[0])
    for name in ("precision", "recall", "density", "coverage", "MIND"):
        figure = found[f"{name}-points"]
        assert (figure.real_count, figure.generated_count) == (60, 60)
    assert (found["KD-points"].real_count, found["FD-points"].generated_count) == (200, 150)


def judged(labels: list[int]) -> Rows:
    sure = torch.nn.functional.one_hot(torch.tensor(labels), 2).float()
    return Rows(torch.zeros(len(labels), 1), sure)


def test_the_accuracy_of_labels_is_counted_for_all_and_for_each_class() -> None:
    asked = torch.tensor([0] * 10 + [1] * 30)
    shown = judged([0] * 9 + [1] + [1] * 15 + [0] * 15)
    found = by_name(label_figures(shown, asked, ("dark", "bright"), known_lens(), STAMP))
    assert {name: figure.value for name, figure in found.items()} == pytest.approx(
        {"label accuracy": 0.6, "label accuracy of dark": 0.9, "label accuracy of bright": 0.5}
    )
    assert found["label accuracy of dark"].generated_count == 10
    only = label_figures(judged([1, 1]), torch.tensor([1, 1]), ("dark", "bright"), known_lens(), {})
    assert [figure.name for figure in only] == ["label accuracy", "label accuracy of bright"]


@pytest.mark.parametrize("names", [("bright", "dark"), ("dark",), ("cat", "dog")])
def test_labels_of_other_classes_are_refused(names: tuple[str, ...]) -> None:
    with pytest.raises(UsageError, match="other classes"):
        label_figures(judged([0, 1]), torch.tensor([0, 1]), names, known_lens(), STAMP)


def test_a_share_has_wilsons_interval() -> None:
    figure = share_figure("copies", torch.arange(100) < 30, STAMP, reals=7)
    assert figure.value == pytest.approx(0.3)
    assert (figure.low, figure.high) == pytest.approx((0.2189, 0.3958), abs=1e-4)  # Wilson 1927
    assert (figure.real_count, figure.generated_count) == (7, 100)
    none = share_figure("copies", torch.zeros(100, dtype=torch.bool), STAMP)
    assert (none.value, none.low) == (0, 0)
    assert 0.03 < none.high < 0.04

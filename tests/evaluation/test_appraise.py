"""A whole evaluation: honest samples score as training rows do, and doubts are said."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from looking import DIGITS, digits
from mulligan.data import points as points_of
from mulligan.data.open import open_data
from mulligan.errors import UsageError
from mulligan.evaluation import appraise as appraising
from mulligan.evaluation.appraise import Asked, Samples, appraise
from mulligan.evaluation.lens import Lens, open_lens
from mulligan.evaluation.reals import Reals, real_rows
from mulligan.metrics.figure import Figure

KNOWS_CLASSES = DIGITS == "digits"


@pytest.fixture(scope="module")
def lens() -> Lens:
    return open_lens(DIGITS, digits().fields["real"])


@pytest.fixture(scope="module")
def reals() -> Reals:
    """300 of 1,500 digits held out."""
    arrays = {name: array[:1500] for name, array in digits().arrays.items()}
    return real_rows(replace(digits(), arrays=arrays), "held-out", 0.2)


OTHER = slice(2000, 2300)


def honest(labels: bool = False) -> Samples:
    arrays = digits().arrays
    return Samples(arrays["real"][OTHER], "x", 640, arrays["label"][OTHER] if labels else None)


def overlap(one: Figure, other: Figure) -> bool:
    return one.low <= other.high and other.low <= one.high


def test_other_real_digits_score_as_training_digits_do(lens: Lens, reals: Reals) -> None:
    found, picture = appraise(honest(), reals, lens, Asked())
    zero = {figure.name: figure for figure in found.baseline}
    compared = [figure for figure in found.figures if figure.name in zero]
    assert {figure.name for figure in compared} == set(zero)
    assert len(zero) >= 7
    assert all(overlap(figure, zero[figure.name]) for figure in compared)
    assert found[f"KD-{DIGITS}"].low <= 0 <= found[f"KD-{DIGITS}"].high
    assert any(line.startswith("no sign of memorisation") for line in found.verdicts)
    assert picture is not None
    assert (found.target, found.images, found.data) == ("x", 640, "digits")
    assert {figure.stamp["split"] for figure in found.figures} == {"held-out"}
    assert {figure.stamp["data_sha256"] for figure in zero.values()} == {
        digits().manifest["sha256"]
    }


def test_a_replay_of_training_digits_is_named_and_scores_no_worse(lens: Lens, reals: Reals) -> None:
    found, _ = appraise(Samples(reals.training[:300], "x"), reals, lens, Asked())
    assert any(line.startswith("memorised: 100.0%") for line in found.verdicts)
    assert found[f"copies-{DIGITS}"].low > 0.9
    assert found[f"KD-{DIGITS}"].low <= 0.02


def test_noise_scores_worse_than_training_digits(lens: Lens, reals: Reals) -> None:
    draw = torch.Generator().manual_seed(0)
    noise = torch.randint(0, 256, (300, 1, 28, 28), generator=draw, dtype=torch.uint8)
    found, _ = appraise(Samples(noise, "noise"), reals, lens, Asked())
    zero = {figure.name: figure for figure in found.baseline}
    for name in (f"FD-{DIGITS}", f"KD-{DIGITS}", f"MIND-{DIGITS}"):
        assert found[name].low > 2 * zero[name].high
    assert found[f"precision-{DIGITS}"].high < 0.1


@pytest.mark.skipif(not KNOWS_CLASSES, reason="the extractor knows no classes")
def test_classes_are_found_and_labels_checked(lens: Lens, reals: Reals) -> None:
    found, _ = appraise(honest(labels=True), reals, lens, Asked())
    assert found["label accuracy"].value > 0.95
    assert any(line.startswith("10 of 10 classes found") for line in found.verdicts)
    some = digits().arrays["real"][2000:4000]
    fives = some[lens.rows(some).labels == 5][:150]
    only, _ = appraise(Samples(fives, "fives"), reals, lens, Asked())
    assert any(line.startswith("1 of 10 classes found") for line in only.verdicts)
    assert only["reverse KL-digits"].low > 2


def test_as_many_rows_of_each_side_are_compared_as_there_are(lens: Lens, reals: Reals) -> None:
    found, _ = appraise(honest(), reals, lens, Asked(count=120))
    figure = found[f"KD-{DIGITS}"]
    assert (figure.real_count, figure.generated_count) == (120, 120)
    few, _ = appraise(Samples(digits().arrays["real"][2000:2090], "few"), reals, lens, Asked())
    assert few[f"KD-{DIGITS}"].real_count == 90


@pytest.mark.parametrize(("made", "count"), [(49, 1000), (300, 49)])
def test_too_few_rows_are_refused(lens: Lens, reals: Reals, made: int, count: int) -> None:
    samples = Samples(digits().arrays["real"][:made], "few")
    with pytest.raises(UsageError, match="49 rows to compare, and figures need 50"):
        appraise(samples, reals, lens, Asked(count=count))


def test_a_comparison_with_training_images_is_doubted(lens: Lens, reals: Reals) -> None:
    train = real_rows(replace(digits(), arrays={"real": reals.training[:200]}), "train", 0.0)
    found, picture = appraise(honest(), train, lens, Asked())
    assert "compared with the training images themselves" in found.notes[-1]
    assert found.baseline == ()
    assert picture is None
    assert not [figure for figure in found.figures if figure.name.startswith("copies")]


def test_held_out_rows_that_were_all_trained_on_cost_one_figure_and_no_evaluation(
    lens: Lens, reals: Reals
) -> None:
    leaked = replace(reals, training=torch.cat((reals.training[:300], reals.values)))
    found, picture = appraise(honest(), leaked, lens, Asked())
    assert any(note.startswith("memorisation was left out") for note in found.notes)
    assert not [figure for figure in found.figures if figure.name.startswith("copies")]
    assert f"KD-{DIGITS}" in {figure.name for figure in found.figures}
    assert picture is None


def test_the_figures_of_training_rows_are_computed_once(
    lens: Lens, reals: Reals, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, _ = appraise(honest(), reals, lens, Asked(count=100))
    asked: list[int] = []
    real = appraising.distribution_figures

    def counted(*words, **named):
        asked.append(1)
        return real(*words, **named)

    monkeypatch.setattr(appraising, "distribution_figures", counted)
    again, _ = appraise(honest(), reals, lens, Asked(count=100))
    assert asked == [1]  # of the samples alone
    assert again.baseline == first.baseline
    assert again.figures == first.figures
    appraise(honest(), reals, lens, Asked(count=100, seed=1))
    assert asked == [1, 1, 1]


def test_points_of_the_true_distribution_score_as_training_points_do(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(points_of, "COUNT", 4000)
    reals = real_rows(open_data("2d:ring"), "test", 0.05)
    draw = torch.Generator().manual_seed(0)
    points = open_data("2d:ring").arrays["real"][torch.randperm(4000, generator=draw)[:400]]
    fresh = points + 0.0005 * torch.randn(points.shape, generator=draw)  # else they are copies
    lens = open_lens("points", reals.data.fields["real"])
    found, picture = appraise(Samples(fresh, "ring"), reals, lens, Asked(count=400))
    zero = {figure.name: figure for figure in found.baseline}
    assert all(
        overlap(figure, zero[figure.name]) for figure in found.figures if figure.name in zero
    )
    assert "8 of 8 modes found" in found.verdicts[0]
    assert {"high quality", "spread within modes", "MIND-points"} < zero.keys()
    assert picture is None

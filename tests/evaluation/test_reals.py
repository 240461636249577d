"""The real rows: which split, and that no row of it was trained on."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor

from looking import TESTS, TRAINING, digits, small_mnist
from mulligan.catalogue import load_recipe
from mulligan.data.dataset import DataSet
from mulligan.data.open import open_data
from mulligan.engine.feed import Feed
from mulligan.errors import UsageError
from mulligan.evaluation.reals import real_rows, some


@pytest.fixture
def mnist(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> DataSet:
    monkeypatch.setenv("MULLIGAN_DATA", str(small_mnist(tmp_path)))
    return open_data("mnist")


def contents(rows: Tensor) -> set[bytes]:
    return {row.numpy().tobytes() for row in rows}


def few(data: DataSet, count: int) -> DataSet:
    return replace(data, arrays={name: array[:count] for name, array in data.arrays.items()})


@pytest.mark.parametrize("share", [0.05, 0.2])
def test_held_out_rows_are_those_that_training_never_draws(share: float) -> None:
    data = digits()
    recipe = load_recipe("gan")
    with torch.device("meta"):
        built = recipe(recipe.Settings(), data.fields)
    feed = Feed(data, built, share, "cpu", torch.float32)
    reals = real_rows(data, "held-out", share)
    assert torch.equal(reals.values, data.arrays["real"][feed.held_out])
    assert torch.equal(reals.training, data.arrays["real"][feed.training])
    assert reals.labels is not None
    assert torch.equal(reals.labels, data.arrays["label"][feed.held_out])
    assert not contents(reals.values) & contents(reals.training)
    assert len(reals.values) == share * len(data)


def test_test_rows_are_not_among_the_training_rows(mnist: DataSet) -> None:
    reals = real_rows(mnist, "test", 0.1)
    assert (len(reals.values), len(reals.training)) == (TESTS, 0.9 * TRAINING)
    assert not contents(reals.values) & contents(reals.training)
    assert torch.equal(reals.values, digits().arrays["real"][TRAINING : TRAINING + TESTS])
    assert reals.labels is not None
    assert torch.equal(reals.labels, digits().arrays["label"][TRAINING : TRAINING + TESTS])


def test_test_rows_take_size_channels_and_class_of_the_data(mnist: DataSet) -> None:
    small = open_data("mnist", size=(16, 20), channels=3, only_label="7")
    reals = real_rows(small, "test", 0.0, "7")
    assert reals.values.shape[1:] == (3, 16, 20)
    assert reals.labels is not None
    assert set(reals.labels.tolist()) == {7}


def test_points_have_an_independent_test_draw() -> None:
    reals = real_rows(open_data("2d:ring"), "auto", 0.05)
    assert reals.split == "test"
    assert len(reals.values) == 100_000
    assert not contents(reals.values[:5000]) & contents(reals.training)


def test_auto_takes_the_first_split_that_there_is(mnist: DataSet) -> None:
    assert real_rows(mnist, "auto", 0.2).split == "test"
    assert real_rows(digits(), "auto", 0.05).split == "held-out"
    assert real_rows(few(digits(), 1000), "auto", 0.05).split == "held-out"  # 50 rows
    assert real_rows(few(digits(), 980), "auto", 0.05).split == "train"  # 49 are too few
    assert real_rows(digits(), "auto", 0.0).split == "train"


def test_a_folder_that_bears_the_name_of_a_data_set_has_no_test_split(mnist: DataSet) -> None:
    source = {**mnist.manifest, "source": str(Path("mnist").absolute())}
    assert real_rows(replace(mnist, manifest=source), "auto", 0.2).split == "held-out"


def test_train_compares_with_the_training_rows_themselves() -> None:
    reals = real_rows(digits(), "train", 0.05)
    assert torch.equal(reals.values, reals.training)
    assert len(reals.values) == 9500


@pytest.mark.parametrize(
    ("split", "share", "complaint"),
    [
        ("held-out", 0.0, "0 rows of the split held-out, and figures need 50"),
        ("held-out", 0.004, "40 rows of the split held-out"),
        ("training", 0.05, "--split training is none of auto, test, held-out, train"),
    ],
)
def test_too_few_rows_and_unknown_splits_are_refused(
    split: str, share: float, complaint: str
) -> None:
    with pytest.raises(UsageError, match=complaint) as caught:
        real_rows(digits(), split, share)
    assert caught.value.suggestion


def test_some_rows_are_drawn_without_copies_by_their_seed_alone() -> None:
    before = torch.get_rng_state()
    drawn = some(30, 100, 0)
    assert torch.equal(torch.get_rng_state(), before)
    assert len(set(drawn.tolist())) == 30
    assert drawn.tolist() == sorted(drawn.tolist())
    assert torch.equal(drawn, some(30, 100, 0))
    assert not torch.equal(drawn, some(30, 100, 1))
    assert torch.equal(some(100, 100, 0), torch.arange(100))

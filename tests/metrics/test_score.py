"""The Inception-style score: its bounds, and torchmetrics."""

from __future__ import annotations

import pytest
import torch
from known import normal
from torch import nn
from torchmetrics.image.inception import InceptionScore

from mulligan.errors import UsageError
from mulligan.metrics.score import inception_score


def test_sure_and_even_gives_the_number_of_classes() -> None:
    assert inception_score(torch.eye(4).repeat(5, 1), splits=1) == pytest.approx(4)


def test_one_class_and_no_idea_give_one() -> None:
    assert inception_score(torch.eye(4)[[0] * 20]) == pytest.approx(1)
    assert inception_score(torch.full((20, 4), 0.25)) == pytest.approx(1)


def test_by_hand() -> None:
    """Rows (1, 0) and (1/2, 1/2); mean (3/4, 1/4)."""
    rows = torch.tensor([[1.0, 0.0], [0.5, 0.5]])
    divergence = (torch.tensor(4 / 3).log() + 0.5 * torch.tensor(2 / 3 * 2).log()) / 2
    assert inception_score(rows, splits=1) == pytest.approx(divergence.exp().item(), rel=1e-6)


class Given(nn.Module):
    """Logits that are images already."""

    def forward(self, rows: torch.Tensor) -> torch.Tensor:
        return rows


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("splits", [1, 10])
def test_it_equals_torchmetrics(splits: int) -> None:
    logits = 2 * normal(200, 7)
    theirs = InceptionScore(feature=Given(), splits=splits)
    theirs.update(logits)
    with torch.random.fork_rng():
        torch.manual_seed(3)
        expected = theirs.compute()[0].item()
    found = inception_score(logits.softmax(dim=1), splits, seed=3)
    assert found == pytest.approx(expected, rel=1e-6)


def test_what_is_no_probability_is_refused() -> None:
    for rows in (torch.ones(3, 2), torch.tensor([[1.5, -0.5]])):
        with pytest.raises(UsageError, match="softmax"):
            inception_score(rows, splits=1)
    with pytest.raises(UsageError, match="cannot be split into 10"):
        inception_score(torch.eye(4))

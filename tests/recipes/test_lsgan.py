"""LSGAN's terms by hand."""

from __future__ import annotations

from typing import Any

import pytest

from helpers import column, echo_duel

BATCH = {"real": column(2.0, 0.4), "noise": column(0.6, -3.0)}  # the scores


def test_discriminator_terms_by_hand() -> None:
    recipe: Any = echo_duel("lsgan")
    terms = recipe.discriminator_loss(BATCH)
    assert terms["real"].item() == pytest.approx(0.5 * (1.0**2 + 0.6**2) / 2)
    assert terms["fake"].item() == pytest.approx(0.5 * (0.6**2 + 3.0**2) / 2)


def test_generator_term_by_hand() -> None:
    recipe: Any = echo_duel("lsgan")
    assert recipe.generator_loss(BATCH)["fake"].item() == pytest.approx(0.5 * (0.4**2 + 4.0**2) / 2)


def test_the_undecided_score_is_halfway_between_the_targets() -> None:
    recipe: Any = echo_duel("lsgan")
    recipe.discriminator_loss({"real": column(2.0, 0.4, 0.6), "noise": column(0.6, -3.0, 0.3)})
    assert recipe.watched["accuracy_real"].item() == pytest.approx(2 / 3)
    assert recipe.watched["accuracy_fake"].item() == pytest.approx(2 / 3)

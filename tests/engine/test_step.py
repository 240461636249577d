"""One update: who moves, what the gate stops, pieces, schedules and what happens after."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.optim import SGD

from mulligan.engine.parallel import World
from mulligan.engine.player import Player
from mulligan.engine.step import Stepper, check_players
from mulligan.errors import Diverged
from mulligan.fields import Points
from mulligan.recipe import Recipe, Turn

POINTS = {"real": Points(1, 1.0)}


class Game(Recipe):
    """Two weights: `left` and `right`; the loss of each is a known polynomial."""

    class Settings(Recipe.Settings):
        latent: int = 1

    def __init__(self, settings, fields):
        super().__init__(settings, fields)
        self.left = nn.Parameter(torch.tensor([2.0]))
        self.right = nn.Parameter(torch.tensor([3.0]))
        self.register_buffer("memory", torch.zeros(1))

    def optimizers(self):
        return {"left": SGD([self.left], lr=0.1), "right": SGD([self.right], lr=0.1)}

    def turns(self):
        return [Turn("left", self.product), Turn("right", self.product)]

    def product(self, batch):
        self.watch(level=self.left.mean())
        return {"product": (self.left * self.right * batch["real"]).mean()}

    def bad_term(self, batch):
        return {"fine": self.left.sum(), "broken": (self.left - 2).sum() / 0.0}

    def bad_gradient(self, batch):
        return {"root": (self.left - 2).abs().sqrt().sum()}


@pytest.fixture
def game():
    return Game(Game.Settings(), POINTS)


def stepper(game, pieces=1):
    return Stepper(game, "float32", "cpu", pieces, World())


def batch(*values):
    real = torch.tensor(values)[:, None]
    return {"real": real, "noise": torch.zeros(len(values), 1)}


def test_only_the_player_moves_and_by_the_known_amount(game):
    logged = stepper(game).update(game.turns()[0], batch(1.0, 3.0), 2)
    assert logged["product"] == pytest.approx(12)  # 2 * 3 * mean(1, 3)
    assert logged["gradient"] == pytest.approx(6)
    assert game.left.item() == pytest.approx(2 - 0.1 * 6)
    assert game.right.item() == 3
    assert logged["level"] == pytest.approx(2)


def test_the_others_get_no_gradient_in_turn_after_turn(game):
    step = stepper(game)
    for turn in game.turns() * 2:
        step.update(turn, batch(1.0), 1)
        assert not game.left.requires_grad or not game.right.requires_grad
        assert game.left.grad is None
        assert game.right.grad is None


@pytest.mark.parametrize("pieces", [2, 3, 5, 7])
def test_pieces_give_the_gradient_of_the_whole_batch(game, pieces):
    whole, parts = stepper(game), Game(Game.Settings(), POINTS)
    rows = batch(1.0, 2.0, 4.0, 8.0, 16.0)
    expected = whole.update(game.turns()[0], rows, 5)
    got = stepper(parts, pieces).update(parts.turns()[0], rows, 5)
    for name in expected:
        assert got[name] == pytest.approx(expected[name], rel=1e-6)
    assert parts.left.item() == pytest.approx(game.left.item(), rel=1e-6)


@pytest.mark.parametrize(
    ("loss", "words"),
    [("bad_term", "the term left/broken"), ("bad_gradient", "the gradient of left")],
)
def test_a_value_that_is_not_finite_never_reaches_the_weights(game, loss, words):
    with pytest.raises(Diverged, match=words):
        stepper(game).update(Turn("left", getattr(game, loss)), batch(1.0), 1)
    assert game.left.item() == 2


def test_on_an_accelerator_the_gate_lies_in_the_optimizer():
    class Fused(Game):
        def optimizers(self):
            return {"left": torch.optim.Adam([self.left], lr=0.1, fused=True)}

    game = Fused(Game.Settings(), POINTS)
    step = stepper(game)
    step.gate_on_device = True
    step.update(Turn("left", game.bad_term), batch(1.0), 1)
    assert game.left.item() == 2
    assert step.skipped_updates() == 1
    step.update(Turn("left", game.product), batch(1.0), 1)
    assert game.left.item() == pytest.approx(1.9)  # Adam's first step is its rate
    assert step.skipped_updates() == 0


@pytest.mark.parametrize("decay", [0.0, 0.1])
def test_a_step_past_adams_bookkeeping_is_adams_step(decay):
    """To the last bit, with parameters that now and then have no gradient, and after a hook."""
    torch.manual_seed(0)
    weights = [[nn.Parameter(w.clone()) for w in (torch.ones(300), torch.ones(2))] for _ in "ab"]
    theirs, ours = (torch.optim.Adam(w, 0.1, weight_decay=decay, fused=True) for w in weights)
    player, seen = Player("g", ours), []
    for number in range(8):
        if number == 6:
            ours.register_step_post_hook(lambda *_: seen.append(True))
        for own, other in zip(*weights, strict=True):
            if number % 3 or len(own) > 2:
                own.grad = torch.randn_like(own)
                other.grad = own.grad.clone()
        theirs.step()
        theirs.zero_grad()
        player.step()
        assert all(weight.grad is None for weight in weights[1])
    for own, other in zip(*weights, strict=True):
        assert torch.equal(own, other)
        for name, value in theirs.state[own].items():
            assert torch.equal(value, ours.state[other][name])
    assert seen == [True, True]


def test_schedules_set_rates_and_betas():
    weight = nn.Parameter(torch.zeros(1))
    player = Player("g", torch.optim.Adam([weight], lr=0.2, betas=(0.5, 0.9)))
    group = player.optimizer.param_groups[0]
    player.apply({"rate": 0.5, "beta2": 0.99})
    assert (group["lr"], group["betas"]) == (0.1, (0.5, 0.99))
    player.apply({"rate": 0.5, "rate/g": 2.0})
    assert group["lr"] == pytest.approx(0.4)
    player.apply({})
    assert group["lr"] == pytest.approx(0.2)


def test_after_is_called_once_the_weights_have_moved(game):
    seen = []
    turn = Turn("left", game.product, after=lambda: seen.append(game.left.item()))
    stepper(game).update(turn, batch(1.0), 1)
    assert seen == [pytest.approx(1.7)]


def test_a_turn_for_an_unknown_player_is_refused(game):
    with pytest.raises(ValueError, match=r"names the player 'up', optimizers\(\) has left, right"):
        check_players(game, [Turn("up", game.product)], stepper(game).players)


@pytest.mark.parametrize(
    ("turn", "rounds"),
    [
        (Turn("a", lambda batch: {}, every=3), [0, 3, 6]),
        (Turn("a", lambda batch: {}, start=20, stop=50), [2, 3, 4]),
    ],
)
def test_when_a_turn_is_due(turn, rounds):
    assert [r for r in range(8) if turn.due(r, 10 * r)] == rounds

"""What the engine asks of every recipe: who moves, compiled as eager, golden curves."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from helpers import TINY, batch_for, build, takes
from mulligan.catalogue import load_recipe, recipe_names
from mulligan.engine.job import Job
from mulligan.engine.parallel import World
from mulligan.engine.plan import make_plan
from mulligan.engine.rounds import play_round
from mulligan.engine.step import Stepper

GOLDEN = Path(__file__).parent / "golden"
ROUNDS = 50


@pytest.mark.parametrize("recipe", recipe_names())
@pytest.mark.parametrize("kind", TINY)
def test_a_turn_changes_only_its_players_weights(recipe, kind):
    field = TINY[kind]
    if not takes(load_recipe(recipe), field):
        pytest.skip(f"{recipe} does not read {field}")
    torch.manual_seed(0)
    subject = build(recipe, field)
    stepper = Stepper(subject, "float32", "cpu", 1, World())
    for turn in subject.turns():
        before = {name: p.clone() for name, p in subject.named_parameters()}
        stepper.update(turn, batch_for(subject), 6)
        moved = {n for n, p in subject.named_parameters() if not torch.equal(p, before[n])}
        names = {p: n for n, p in subject.named_parameters()}
        players = {names[p] for p in stepper.players[turn.player].parameters}
        assert moved
        assert moved <= players


BACKENDS = [("aot_eager", 1e-5), pytest.param("inductor", 1e-3, marks=pytest.mark.long)]


@pytest.mark.filterwarnings("ignore:The .grad attribute of a Tensor that is not a leaf")
@pytest.mark.filterwarnings("ignore::DeprecationWarning:torch")
@pytest.mark.parametrize("recipe", recipe_names())
@pytest.mark.parametrize(("backend", "close"), BACKENDS)
def test_compiled_equals_eager_and_something_was_compiled(recipe, backend, close):
    """Losses and gradient norms of two rounds. The cheap backend traces, the other one compiles."""
    from torch._dynamo.utils import counters

    results = []
    for compiled in (False, True):
        torch.manual_seed(0)
        torch._dynamo.reset()
        counters.clear()
        subject = build(recipe, TINY["16x16 grey"])
        stepper = Stepper(subject, "float32", "cpu", 1, World())
        if compiled:
            stepper.compile(backend)
        logged = []
        for turn in subject.turns() * 2:
            torch.manual_seed(1)
            logged += stepper.update(turn, batch_for(subject), 6).values()
        results.append([float(value) for value in logged])
        assert (counters["stats"]["unique_graphs"] > 0) == compiled
    assert results[1] == pytest.approx(results[0], rel=close, abs=1e-6)


STEADY = {"r3gan": {"rate": 3e-4}}
"""At its own rate r3gan makes ten of a rounding error in a round: two processors part after 20."""


def curve(recipe: str) -> list[float]:
    """The sum of all terms in each of 50 rounds on points, in float64."""
    given = {"recipe": recipe, "batch": 32, "images": ROUNDS * 32, "width": 16, "latent": 4}
    given |= STEADY.get(recipe, {})
    plan = make_plan("2d:ring", {**given, "precision": "float64", "device": "cpu", "held_out": 0})
    job = Job(plan, World())
    sums = []
    for _ in range(ROUNDS):
        play_round(job)
        sums.append(sum(job.tally.means().values()))
        job.tally.clear()
    return sums


@pytest.mark.parametrize("recipe", recipe_names())
def test_golden_curve(recipe):
    """A change of numbers must explain itself: delete the file to write it anew."""
    path = GOLDEN / f"{recipe}.txt"
    got = curve(recipe)
    if not path.exists():
        path.write_text("".join(f"{value!r}\n" for value in got))
        pytest.fail(f"{path.name} was missing and is written now; look at it and commit it")
    expected = [float(line) for line in path.read_text().split()]
    assert got == pytest.approx(expected, rel=1e-6)

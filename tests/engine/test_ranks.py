"""Two ranks equal one: same samples, same noise, same weights (float64, 20 rounds)."""

from __future__ import annotations

import json
import os
import socket
from pathlib import Path

import pytest
import torch

from engine.runner import context
from helpers import TINY, batch_for, build
from mulligan.catalogue import load_recipe, recipe_names
from mulligan.engine.neighbours import MEMORY
from mulligan.engine.parallel import World, joined

ROUNDS, BATCH = 20, 9  # nine rows over two ranks: four and five

INDEPENDENT = [name for name in recipe_names() if not load_recipe(name).couples_rows]
"""Recipes that treat rows independently. The others are tested on points, where the body is an MLP
without batch norm, so that every recipe's losses pass through here."""


def play(recipe: str, world: World) -> dict:
    """The losses of each round and the final weights, as this rank sees them."""
    from mulligan.engine.job import Job
    from mulligan.engine.plan import make_plan
    from mulligan.engine.rounds import play_round

    given = {"recipe": recipe, "batch": BATCH, "images": ROUNDS * BATCH, "width": 8, "latent": 3}
    if "epsilon" in load_recipe(recipe).Settings.model_fields:
        # a bias that a loss of pairs cannot see has a gradient of rounding errors alone, which
        # Adam divides by their own size: a larger constant leaves them as small as they are
        given["epsilon"] = 1e-4
    plan = make_plan("2d:spiral", {**given, "precision": "float64", "device": "cpu"})
    job = Job(plan, world)
    rounds, noise = [], []
    for _ in range(ROUNDS):
        rows = job.feed.rows(0, 0, job.counters.drawn, BATCH)
        mine = job.feed.batch(rows, 5, world)["noise"]
        noise.append([row for part in world.gather(mine.tolist()) for row in part])
        play_round(job)
        rounds.append(job.tally.means())
        job.tally.clear()
    weights = {n: p.detach().flatten().tolist() for n, p in job.recipe.named_parameters()}
    return {"rounds": rounds, "weights": weights, "noise": noise}


def rank(recipes: list[str], place: int, here: int, port: int, out: Path) -> None:
    torch.set_num_threads(1)
    os.environ.update(RANK=str(place), LOCAL_RANK=str(place), WORLD_SIZE="2")
    os.environ.update(LOCAL_WORLD_SIZE=str(here))
    os.environ.update(MASTER_ADDR="127.0.0.1", MASTER_PORT=str(port))
    with joined() as world:
        assert (world.near is not None) == (here == 2 and MEMORY.is_dir())
        results = {name: play(name, world) for name in recipes}
    (out / f"{place}.json").write_text(json.dumps(results))


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@pytest.fixture(scope="module", params=[2, 1], ids=["one machine", "a machine each"])
def two_ranks(request, tmp_path_factory):
    """Every recipe played by two processes, started once for all."""
    out, port = tmp_path_factory.mktemp("ranks"), free_port()
    children = [
        context().Process(target=rank, args=(recipe_names(), place, request.param, port, out))
        for place in (0, 1)
    ]
    for child in children:
        child.start()
    for child in children:
        child.join(120)
        assert child.exitcode == 0
    return [json.loads((out / f"{place}.json").read_text()) for place in (0, 1)]


def draws(name: str) -> bool:
    """Whether a loss draws for itself (a mixing weight): such draws differ from rank to rank."""
    recipe = build(name, TINY["2-D points"])
    before = torch.get_rng_state()
    for turn in recipe.turns():
        turn.loss(batch_for(recipe))
    return not torch.equal(before, torch.get_rng_state())


@pytest.mark.parametrize("recipe", recipe_names())
def test_two_ranks_equal_one(recipe, two_ranks):
    alone = play(recipe, World())
    assert two_ranks[0][recipe]["noise"] == alone["noise"]
    if draws(recipe):
        return
    for result in two_ranks:
        for got, expected in zip(result[recipe]["rounds"], alone["rounds"], strict=True):
            assert got == pytest.approx(expected, rel=1e-9, abs=1e-12)
        for name, values in alone["weights"].items():
            assert result[recipe]["weights"][name] == pytest.approx(values, rel=1e-9, abs=1e-12)


def test_most_recipes_are_compared():
    assert {"gan", "vae"} <= set(INDEPENDENT)
    assert {"gan", "r3gan", "cgan"} <= {name for name in recipe_names() if not draws(name)}

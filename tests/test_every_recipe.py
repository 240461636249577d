"""What every recipe must pass because it exists: the catalogue is the test matrix."""

from __future__ import annotations

import math
import re
from pathlib import Path

import pytest
import torch
from annotated_types import Ge, Gt, Le, Lt

from helpers import TINY, batch_for, build, play, player_weights, takes
from mulligan.catalogue import facts, load_recipe, recipe_names, source_of
from mulligan.errors import UsageError
from mulligan.fields import Field, Image
from mulligan.recipe import Recipe

NAMES = recipe_names()
PRESETS = [(name, preset) for name in NAMES for preset in load_recipe(name).presets]
DOCS = Path(__file__).parent.parent / "docs" / "recipes"
FORBIDDEN = ("detach", "no_grad", ".item(", "print(", "device", "rank", "open(", "cuda", "compile")
LENGTHS = {"lsgan": 60}  # a paper of one loss is one small file
RUN_KEYS = {"batch", "images", "rounds", "epochs", "held_out", "tick", "precision", "patience"}

every_recipe = pytest.mark.parametrize("name", NAMES)
every_preset = pytest.mark.parametrize(("name", "preset"), PRESETS)
every_shape = pytest.mark.parametrize("real", TINY.values(), ids=TINY.keys())


def made(name: str, real: Field) -> Recipe:
    torch.manual_seed(1)
    if not takes(load_recipe(name), real):
        pytest.skip("this recipe does not read such data")
    return build(name, real)


def check_turns(recipe: Recipe) -> None:
    """Every term is a finite scalar; exactly the player's parameters get finite gradients.

    What one turn of a player does not reach (R1 alone leaves the last bias), another one does.
    """
    reached: dict[str, set[str]] = {}
    for turn in recipe.turns():
        terms = play(recipe, turn, batch_for(recipe))
        mine = player_weights(recipe, turn.player)
        for term, value in terms.items():
            assert value.shape == (), term
            assert value.isfinite(), term
        for name, weight in recipe.named_parameters():
            if weight.grad is None:
                continue
            assert any(weight is one for one in mine), f"{name} is not {turn.player}'s"
            assert weight.grad.isfinite().all(), name
            reached.setdefault(turn.player, set()).add(name)
        assert any(w.grad is not None and w.grad.abs().sum() > 0 for w in mine)
    for player, names in reached.items():
        own = {name for name, weight in recipe.named_parameters()
               if any(weight is one for one in player_weights(recipe, player))}  # fmt: skip
        assert own == names, f"{own - names} get no gradient from {player}"


@every_recipe
@every_shape
def test_every_term_is_finite_and_reaches_all_weights_of_its_player(name: str, real: Field) -> None:
    check_turns(made(name, real))


@every_preset
@pytest.mark.parametrize("real", [Image(1, 28, 28), Image(3, 10, 16)], ids=str)
def test_presets_train_on_images(name: str, preset: str, real: Field) -> None:
    settings = load_recipe(name).presets[preset].settings
    torch.manual_seed(1)
    check_turns(build(name, real, **{**settings, "width": 8}))


@every_preset
def test_presets_are_valid_and_explained(name: str, preset: str) -> None:
    cls = load_recipe(name)
    chosen = cls.presets[preset]
    cls.Settings(**chosen.settings)  # unknown keys and values out of bounds raise
    assert set(chosen.run) <= RUN_KEYS
    assert len(chosen.note.split()) > 3


@every_recipe
def test_terms_are_means_over_rows(name: str) -> None:
    recipe = made(name, TINY["2-D points"])
    if recipe.couples_rows:
        pytest.skip("this recipe says that it couples rows")
    batch = batch_for(recipe, rows=6)
    for turn in recipe.turns():
        whole = turn.loss(batch)
        parts = [
            turn.loss({key: value[at : at + 3] for key, value in batch.items()}) for at in (0, 3)
        ]
        for term, value in whole.items():
            mean = (parts[0][term] + parts[1][term]) / 2
            torch.testing.assert_close(value, mean, rtol=1e-5, atol=1e-6)


@every_recipe
def test_a_step_moves_only_its_player(name: str) -> None:
    recipe = made(name, Image(1, 8, 8))
    for turn in recipe.turns():
        before = {key: weight.clone() for key, weight in recipe.named_parameters()}
        play(recipe, turn, batch_for(recipe))
        recipe.optimizers()[turn.player].step()
        mine = player_weights(recipe, turn.player)
        for key, weight in recipe.named_parameters():
            if not any(weight is one for one in mine):
                assert torch.equal(weight, before[key]), f"{turn.player} moved {key}"
        assert any(not torch.equal(w, before[k]) for k, w in recipe.named_parameters())


@every_recipe
@every_shape
def test_generate_is_a_function_of_noise_and_conditions(name: str, real: Field) -> None:
    recipe = made(name, real).eval()
    batch = batch_for(recipe)
    allowed = {key: batch[key] for key in ("noise", *recipe.conditions)}
    with torch.no_grad():
        samples = recipe.generate(allowed)
        torch.rand(7)  # a generator that draws for itself would now differ
        assert torch.equal(recipe.generate(allowed), samples)
        other = recipe.generate({**allowed, "noise": -allowed["noise"]})
    assert samples.shape == batch["real"].shape
    assert not torch.equal(other, samples)
    if isinstance(real, Image):
        assert samples.abs().max() <= 1


@every_recipe
@every_shape
def test_show_has_one_row_a_row_of_the_batch(name: str, real: Field) -> None:
    recipe = made(name, real).eval()
    batch = batch_for(recipe, rows=3)
    with torch.no_grad():
        columns = recipe.show(batch)
    for title, column in columns.items():
        assert len(column) == 3, title
        assert title == "codes" or column.shape[1:] == batch["real"].shape[1:], title


@every_recipe
def test_the_global_seed_alone_decides_the_first_weights(name: str) -> None:
    def weights(seed: int) -> torch.Tensor:
        torch.manual_seed(seed)
        recipe = build(name, Image(1, 16, 16))
        return torch.cat([weight.flatten() for weight in recipe.parameters()])

    assert torch.equal(weights(5), weights(5))
    assert not torch.equal(weights(5), weights(6))


@every_recipe
def test_averaged_and_shared_names_exist(name: str) -> None:
    recipe = made(name, Image(1, 8, 8))
    for child in recipe.averaged:
        assert child in dict(recipe.named_children())
    for buffer in recipe.shared_memory:
        recipe.get_buffer(buffer)


@every_recipe
def test_the_schedule_is_finite_and_a_function_of_the_images_seen(name: str) -> None:
    recipe = made(name, Image(1, 8, 8))
    for seen in (0, 1, 999, 1000):
        now = recipe.schedule(seen, 1000)
        assert now == recipe.schedule(seen, 1000)
        assert all(math.isfinite(value) for value in now.values())


@every_recipe
def test_networks_do_not_depend_on_knobs_with_a_role(name: str) -> None:
    """An augmentation brings memory of its own, and leaves every network as it is."""

    def shapes(recipe: Recipe) -> dict[str, torch.Size]:
        state = recipe.state_dict().items()
        return {key: value.shape for key, value in state if not key.startswith("augment.")}

    plain = shapes(made(name, Image(1, 8, 8)))
    for knob in facts(name).knobs:
        field = load_recipe(name).Settings.model_fields[knob.name]
        if not (field.json_schema_extra or {}).get("role"):
            continue
        low = next((limit.ge for limit in field.metadata if isinstance(limit, Ge)), None)
        other = "on" if knob.name == "augment" else low if low is not None else 0.5
        assert shapes(build(name, Image(1, 8, 8), **{knob.name: other})) == plain


@every_recipe
def test_every_knob_has_a_sentence_and_every_number_bounds(name: str) -> None:
    for knob, field in load_recipe(name).Settings.model_fields.items():
        assert field.description, f"{knob} has no sentence"
        assert len(field.description.split()) >= 3, knob
        if field.annotation in (int, float):
            assert any(isinstance(limit, (Ge, Gt, Le, Lt)) for limit in field.metadata), knob


@every_recipe
def test_the_header_names_paper_objectives_and_departures(name: str) -> None:
    read = facts(name)
    assert {"Paper", "Departs"} <= set(read.sections)
    assert all(text.strip() for text in read.sections.values())
    assert re.search(r"arXiv:\d{4}\.\d{4,5}", read.sections["Paper"])
    players = set(made(name, Image(1, 8, 8)).optimizers())
    assert len(read.sections) >= 2 + len(players), "one objective a player"


@every_recipe
def test_a_recipe_knows_nothing_of_machines(name: str) -> None:
    source = source_of(name).read_text()
    for word in FORBIDDEN:
        assert word not in source, word
    assert len(source.splitlines()) <= LENGTHS.get(name, 250)


@every_recipe
def test_points_with_convolutions_are_refused_with_advice(name: str) -> None:
    cls = load_recipe(name)
    if "body" not in cls.Settings.model_fields or not takes(cls, TINY["2-D points"]):
        pytest.skip("no such choice")
    with pytest.raises(UsageError, match="needs images and the data are points") as refusal:
        build(name, TINY["2-D points"], body="plain")
    assert "--body mlp" in refusal.value.suggestion


@every_recipe
def test_every_recipe_has_a_page_with_a_command(name: str) -> None:
    page = (DOCS / f"{name}.md").read_text()
    assert f"--recipe {name}" in page
    for preset in load_recipe(name).presets:
        assert f"`{preset}`" in page

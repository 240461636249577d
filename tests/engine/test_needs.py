"""Memory is counted before the first step; batches are worked through in pieces where need be."""

from __future__ import annotations

import gc

import pytest
import torch

from mulligan.engine import needs
from mulligan.engine.needs import Kept, bytes_needed, settle_memory
from mulligan.engine.plan import Plan, make_plan
from mulligan.errors import UsageError

ASKED = {"recipe": "dcgan", "precision": "float32", "threads": 1, "device": "cpu"}


def plan(**given: object) -> Plan:
    return make_plan("digits", {**ASKED, "images": 10**6, **given})


def test_what_autograd_keeps_is_counted_once_and_for_as_long_as_it_lives() -> None:
    kept = Kept(set())
    values = torch.rand(50, 20, requires_grad=True)
    with torch.autograd.graph.saved_tensors_hooks(kept.pack, lambda holder: holder.tensor):
        first = values.sin()  # keeps its input: 4,000 bytes
        second = values.cos()  # keeps the same
        assert (kept.now, kept.most) == (4000, 4000)
        third = first.exp()  # keeps its output: 4,000 more
        assert kept.now == 8000
        (second.sum() + third.sum()).backward()
    torch.testing.assert_close(values.grad, values.sin().exp() * values.cos() - values.sin())
    del first, second, third
    gc.collect()
    assert (kept.now, kept.most) == (0, 8000)


def test_weights_do_not_count_as_kept() -> None:
    weight = torch.rand(10, 10, requires_grad=True)
    kept = Kept({weight.untyped_storage().data_ptr()})
    with torch.autograd.graph.saved_tensors_hooks(kept.pack, lambda holder: holder.tensor):
        made = torch.rand(3, 10) @ weight  # keeps its input, 120 bytes, for the weight's gradient
    assert kept.most == 120
    del made


def test_an_image_takes_as_much_as_its_pixels_and_width_ask() -> None:
    small, large = (bytes_needed(plan(size=size))[1] for size in (16, 32))
    assert 3 < large / small < 5  # four times the pixels
    once, image = bytes_needed(plan(width=64))
    thin_once, thin = bytes_needed(plan(width=16))
    assert image > 3 * thin
    assert once > thin_once


@pytest.mark.parametrize("times", [1, 2, 8])
def test_pieces_are_as_few_as_fit(monkeypatch: pytest.MonkeyPatch, times: int) -> None:
    found = plan(batch=64)
    once, image = bytes_needed(found)
    free = (once + image * 64 / times) / needs.MOST
    monkeypatch.setattr(needs, "bytes_free", lambda device: int(free) + 4096)
    assert plan(batch=64)["pieces"] == times
    monkeypatch.setattr(needs, "bytes_free", lambda device: int(free * 0.99))
    assert plan(batch=64)["pieces"] == 2 * times or times == 8


def test_a_run_that_cannot_fit_is_refused_with_the_numbers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(needs, "bytes_free", lambda device: 10_000_000)
    with pytest.raises(UsageError, match=r"takes about 0\.3 GB on cpu, 0\.0 GB are free"):
        plan(batch=64)


def test_the_users_own_pieces_stay(monkeypatch: pytest.MonkeyPatch) -> None:
    found = plan(batch=64)
    once, image = bytes_needed(found)
    monkeypatch.setattr(
        needs, "bytes_free", lambda device: int((once + 32 * image) / needs.MOST) + 9
    )
    assert plan(batch=64)["pieces"] == 2
    assert plan(batch=64, pieces=1)["pieces"] == 1
    found.values["pieces"] = needs.Value("auto", "default", "")
    monkeypatch.setattr(needs, "bytes_free", lambda device: None)
    settle_memory(found)
    assert found["pieces"] == 1


def test_this_machine_says_how_much_is_free() -> None:
    free = needs.bytes_free("cpu")
    assert free is None or 50_000_000 < free < 2**50
    assert needs.bytes_free("mps") is None


def test_ranks_on_one_machine_share_its_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    once, image = bytes_needed(plan(batch=64))
    free = int((4 * once + 4 * 16 * image) / needs.MOST) + 4096  # for four ranks' 16 images each
    monkeypatch.setattr(needs, "bytes_free", lambda device: free)
    for name, value in (("WORLD_SIZE", "4"), ("LOCAL_WORLD_SIZE", "4")):
        monkeypatch.setenv(name, value)
    assert plan(batch=64)["pieces"] == 1
    monkeypatch.setattr(needs, "bytes_free", lambda device: free // 2)
    assert plan(batch=64)["pieces"] > 1
    monkeypatch.setenv("LOCAL_WORLD_SIZE", "1")  # each on a machine of its own
    assert plan(batch=64)["pieces"] == 1

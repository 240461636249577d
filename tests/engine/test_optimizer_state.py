"""An optimizer saved to a disk and restored into a fresh one goes on as if nothing had happened."""

from __future__ import annotations

from functools import partial

import pytest
import torch
from torch import nn
from torch.optim import LBFGS, SGD, Adam, AdamW, RMSprop

from mulligan.engine.checkpoint import decode_optimizer, encode_optimizer, load, save
from mulligan.errors import CorruptCheckpoint, UsageError

MAKERS = {
    "fused Adam": partial(Adam, lr=1e-2, betas=(0.5, 0.9), fused=True),
    "Adam": partial(Adam, lr=1e-2, amsgrad=True, foreach=False),
    "AdamW": partial(AdamW, lr=1e-2),
    "Adam with a tensor rate": partial(Adam, lr=torch.tensor(1e-2)),
    "SGD": partial(SGD, lr=1e-2, momentum=0.9),
    "plain SGD": partial(SGD, lr=1e-2),
    "RMSprop": partial(RMSprop, lr=1e-3, momentum=0.5, centered=True),
}


def network():
    torch.manual_seed(0)
    layers = nn.Sequential(nn.Conv2d(3, 4, 3), nn.Flatten(), nn.Linear(64, 1))
    return layers.to(memory_format=torch.channels_last)


def play(layers, optimizer, rounds):
    for number in rounds:
        images = torch.randn(2, 3, 6, 6, generator=torch.Generator().manual_seed(number))
        optimizer.zero_grad()
        layers(images).square().mean().backward()
        optimizer.step()


@pytest.mark.parametrize("make", MAKERS.values(), ids=MAKERS.keys())
def test_three_rounds_a_restore_and_three_more_equal_six(tmp_path, make):
    whole = network()
    play(whole, make(whole.parameters()), range(6))

    half = network()
    optimizer = make(half.parameters())
    play(half, optimizer, range(3))
    optimizer.param_groups[0]["lr"] *= 1.0  # a schedule writes here
    state, groups = encode_optimizer(optimizer)
    saved = {"model": half.state_dict(), "optimizer": state}
    found = load(save(tmp_path, 3, saved, {"groups": groups}))

    fresh = network()
    fresh.load_state_dict(found.tensors["model"])
    again = make(fresh.parameters())
    decode_optimizer(again, found.tensors["optimizer"], found.state["groups"])
    play(fresh, again, range(3, 6))
    for name, value in whole.state_dict().items():
        assert torch.equal(fresh.state_dict()[name], value), name


def test_the_state_has_names_and_the_layout_of_its_parameter():
    layers = network()
    optimizer = MAKERS["fused Adam"](layers.parameters())
    play(layers, optimizer, range(1))
    state, groups = encode_optimizer(optimizer)
    assert sorted(state)[:3] == ["0/exp_avg", "0/exp_avg_sq", "0/step"]
    assert groups[0]["betas"] == [0.5, 0.9]
    assert "params" not in groups[0]
    packed = {name: value.contiguous().clone() for name, value in state.items()}
    again = MAKERS["fused Adam"](layers.parameters())
    decode_optimizer(again, packed, groups)
    weight = layers[0].weight
    assert again.state[weight]["exp_avg"].stride() == weight.stride()
    assert again.state[weight]["step"].dtype == torch.float32
    assert again.param_groups[0]["betas"] == (0.5, 0.9)


def test_the_restored_state_is_a_copy():
    layers = network()
    optimizer = MAKERS["SGD"](layers.parameters())
    play(layers, optimizer, range(2))
    state, groups = encode_optimizer(optimizer)
    taken = {name: value.clone() for name, value in state.items()}
    again = MAKERS["SGD"](layers.parameters())
    decode_optimizer(again, taken, groups)
    before = {name: value.clone() for name, value in taken.items()}
    play(layers, again, range(2))
    assert all(torch.equal(taken[name], before[name]) for name in taken)


def test_changed_rates_are_restored():
    layers = network()
    optimizer = MAKERS["SGD"](layers.parameters())
    optimizer.param_groups[0]["lr"] = 0.1 + 0.2
    again = MAKERS["SGD"](layers.parameters())
    decode_optimizer(again, *encode_optimizer(optimizer))
    assert again.param_groups[0]["lr"] == 0.1 + 0.2
    assert not again.state


def test_an_optimizer_of_other_parameters_is_refused():
    layers = network()
    optimizer = MAKERS["SGD"](layers.parameters())
    play(layers, optimizer, range(1))
    state, groups = encode_optimizer(optimizer)
    fewer = MAKERS["SGD"](layers[0].parameters())
    with pytest.raises(CorruptCheckpoint, match=r"2/momentum_buffer.*2 parameters"):
        decode_optimizer(fewer, state, groups)
    split = SGD([{"params": layers[0].parameters()}, {"params": layers[2].parameters()}], lr=1.0)
    with pytest.raises(CorruptCheckpoint, match="1 groups of parameters, the optimizer 2"):
        decode_optimizer(split, state, groups)


def test_an_optimizer_that_keeps_more_than_tensors_is_refused():
    layers = network()
    optimizer = LBFGS(layers.parameters())
    optimizer.step(lambda: layers(torch.ones(1, 3, 6, 6)).square().sum())
    with pytest.raises(UsageError, match="LBFGS keeps 'func_evals' as int"):
        encode_optimizer(optimizer)

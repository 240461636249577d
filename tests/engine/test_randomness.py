"""Keys are stable over processes, streams are apart, and watching leaves torch as it was."""

from __future__ import annotations

import subprocess
import sys

import torch

from mulligan.engine.randomness import generator, key, undisturbed


def test_a_key_is_the_same_in_every_process():
    code = "from mulligan.engine.randomness import key; print(key(3, 1, 'noise', 7, 0, 2))"
    for salt in ("0", "12345"):
        out = subprocess.run(
            [sys.executable, "-c", code],
            env={"PYTHONHASHSEED": salt, "PATH": ""},
            capture_output=True,
            text=True,
            check=True,
        )
        assert int(out.stdout) == key(3, 1, "noise", 7, 0, 2)


def test_every_part_of_the_place_matters():
    places = {
        key(0, 0, "noise", 1, 2),
        key(1, 0, "noise", 1, 2),
        key(0, 1, "noise", 1, 2),
        key(0, 0, "order", 1, 2),
        key(0, 0, "noise", 2, 1),
        key(0, 0, "noise", 12),
    }
    assert len(places) == 6
    assert all(0 <= value < 2**63 for value in places)


def test_two_streams_are_uncorrelated():
    first = torch.randn(100_000, generator=generator(0, 0, "noise", 0))
    second = torch.randn(100_000, generator=generator(0, 0, "noise", 1))
    assert abs(torch.corrcoef(torch.stack([first, second]))[0, 1]) < 0.02


def test_undisturbed_leaves_the_global_generator_as_it_was():
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    with undisturbed(99):
        inside = torch.rand(3)
    assert torch.equal(torch.rand(3), expected)
    with undisturbed(99):
        assert torch.equal(torch.rand(3), inside)

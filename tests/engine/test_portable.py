"""A generator in one file gives the samples of its run, and a stranger's file runs nothing."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

import mulligan
from acceptance_tools import reseal
from mulligan.engine import checkpoint, portable
from mulligan.engine.tensorfile import decode_tensors, encode_tensors, note_in
from mulligan.errors import CorruptCheckpoint, UsageError
from mulligan.evaluation.lens import open_lens
from mulligan.fields import Image
from mulligan.model import SHIPPED
from mulligan.run import Run

EVIL = "import pathlib; pathlib.Path(__file__).with_name('ran').touch()\n"


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    small = {"width": 4, "batch": 8, "images": 80, "tick": 5, "log": "none", "device": "cpu"}
    folder = tmp_path_factory.mktemp("runs")
    return mulligan.train("digits", recipe="cgan", runs_dir=str(folder), name="small", **small)


@pytest.fixture
def file(run: Run, tmp_path: Path) -> Path:
    path = tmp_path / "small.safetensors"
    portable.write(checkpoint.load_newest(run.checkpoints, print), path)
    return path


def rewritten(path: Path, **changes: object) -> Path:
    """The same tensors under a header of a stranger's."""
    content = path.read_bytes()
    state = {**json.loads(note_in(content)), **changes}
    path.write_bytes(encode_tensors(decode_tensors(content), json.dumps(state)))
    return path


def test_samples_are_those_of_the_run(run: Run, file: Path) -> None:
    ours, theirs = mulligan.load(file), mulligan.load(run)
    for asked in ({}, {"label": "7"}, {"seed": 3}):
        assert np.array_equal(ours.sample(20, **asked).images, theirs.sample(20, **asked).images)


def test_half_the_bytes_for_nearly_the_same_samples(run: Run, file: Path, tmp_path: Path) -> None:
    half = tmp_path / "half.safetensors"
    portable.write(checkpoint.load_newest(run.checkpoints, print), half, torch.bfloat16)
    assert half.stat().st_size < 0.6 * file.stat().st_size
    one, other = (mulligan.load(path).sample(20).images.astype(int) for path in (file, half))
    assert np.abs(one - other).mean() < 2  # of 255


def test_nothing_of_training_is_in_the_file(file: Path) -> None:
    names = decode_tensors(file.read_bytes())
    assert names
    assert all(name.startswith("generator.") for name in names)
    assert str(Path.home()) not in note_in(file.read_bytes())
    assert set(json.loads(note_in(file.read_bytes()))["values"]) == set(portable.VALUES)


@pytest.mark.parametrize("size", [0, 7, 100, -1])
def test_a_damaged_file_is_refused(file: Path, size: int) -> None:
    file.write_bytes(file.read_bytes()[:size])
    with pytest.raises(CorruptCheckpoint, match="is no portable generator"):
        mulligan.load(file)


def test_a_file_of_tensors_alone_is_refused(file: Path) -> None:
    file.write_bytes(encode_tensors(decode_tensors(file.read_bytes())))
    with pytest.raises(CorruptCheckpoint, match="does not say how to build it"):
        mulligan.load(file)


@pytest.mark.parametrize(
    "changes",
    [
        {"settings": {"width": "wide"}},
        {"settings": {"width": 5}},
        {"fields": {}},
        {"values": {}},
        {"recipe": {}},
        {"recipe": {"name": "dcgan", "file": None}},
    ],
)
def test_a_header_that_does_not_fit_is_refused(file: Path, changes: dict) -> None:
    with pytest.raises(CorruptCheckpoint):
        mulligan.load(rewritten(file, **changes))


def test_a_file_of_another_schema_is_refused_before_it_draws_noise(file: Path) -> None:
    with pytest.raises(UsageError, match="schema 1, this version reads 2"):
        mulligan.load(rewritten(file, schema=1))


def test_a_recipe_that_is_a_path_is_never_run(run: Run, file: Path, tmp_path: Path) -> None:
    evil = tmp_path / "evil.py"
    evil.write_text(EVIL)
    named = {"name": str(evil), "file": None}
    with pytest.raises(UsageError, match="nobody vouched for"):
        mulligan.load(rewritten(file, recipe=named))
    with pytest.raises(CorruptCheckpoint, match="never run"):
        mulligan.load(rewritten(file, recipe={**named, "file": {"path": str(evil)}}))
    step = run.checkpoints / f"step-{checkpoint.latest_round(run.checkpoints):07d}"
    before = {path: path.read_bytes() for path in step.iterdir()}
    try:
        reseal(step, lambda state: state.update(recipe=named))
        with pytest.raises(UsageError, match="nobody vouched for"):
            mulligan.load(step)
    finally:
        for path, content in before.items():
            path.write_bytes(content)
    assert not (tmp_path / "ran").exists()


def test_the_shipped_generator_draws_the_digit_that_is_asked_for(tmp_path: Path) -> None:
    assert (SHIPPED / "digits.safetensors").stat().st_size <= 1_000_000
    model = mulligan.load("digits", runs_dir=tmp_path)
    lens = open_lens("digits", Image(1, 28, 28))
    for digit in range(10):
        images = torch.from_numpy(model.sample(64, label=str(digit)).images).permute(0, 3, 1, 2)
        right = lens.rows(images).labels == digit
        assert float(right.double().mean()) > 0.9, digit
        assert len(images.flatten(1).unique(dim=0)) == 64


def test_a_run_of_the_users_own_comes_before_the_shipped_generator(run: Run) -> None:
    own = Run(run.path.with_name("digits"))
    own.path.symlink_to(run.path, target_is_directory=True)
    found = mulligan.load("digits", runs_dir=run.path.parent)
    assert found.path.is_relative_to(own.path)

"""Starting from a trained run: the weights are its own; what does not fit is refused at once."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

import mulligan
from acceptance_tools import call
from data.test_folder import lay, png
from mulligan.engine import checkpoint
from mulligan.errors import UsageError
from mulligan.run import Run

TINY: dict[str, Any] = {
    "batch": 16, "images": 320, "tick": 5, "evaluate_every": 0, "device": "cpu", "log": "none",
}  # fmt: skip


def train(folder: Path, data: str, **options: Any) -> Run:
    return mulligan.train(data, runs_dir=folder, **{**TINY, **options})


@pytest.fixture(scope="module")
def old(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A run on small digits with networks of an odd width."""
    home = tmp_path_factory.mktemp("runs")
    return train(home, "digits", recipe="dcgan", width=6, latent=5, size=16, name="old")


def tensors(run: Run, round: int) -> dict[str, dict[str, torch.Tensor]]:
    return checkpoint.load(run.checkpoints / f"step-{round:07d}").tensors


def test_it_starts_where_the_other_stood(old: Run, tmp_path: Path) -> None:
    pictures = {f"{k}.png": png(k, mode="L") for k in range(40)}
    data = lay(tmp_path / "few", pictures)
    new = train(tmp_path / "runs", data, from_run=str(old.path), name="new")
    last = checkpoint.latest_round(old.checkpoints)
    before, start = tensors(old, last), tensors(new, 0)
    for file in ("recipe", "twin"):
        for name, values in before[file].items():
            if "running_" in name or "num_batches" in name:
                continue  # statistics belong to the data
            assert torch.equal(start[file][name], values), name
    values = {name: entry["value"] for name, entry in new.config().items()}
    assert (values["recipe"], values["width"], values["latent"]) == ("dcgan", 6, 5)
    assert (values["size"], values["channels"]) == ("16x16", 1)
    assert values["augment"] == "adaptive"  # forty pictures are few
    end = tensors(new, checkpoint.latest_round(new.checkpoints))["recipe"]
    assert any(not torch.equal(end[name], values) for name, values in before["recipe"].items())
    again = mulligan.resume(new, images="+160")  # what it started from is not needed any more
    assert again.info()["images"] == 480


def test_a_flag_is_stronger_and_what_does_not_fit_is_named(old: Run, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"networks: generator.* is [0-9x]+ here and [0-9x]+ the"):
        train(tmp_path, "digits", from_run=str(old.path), width=8)
    with pytest.raises(UsageError, match="other networks"):
        train(tmp_path, "digits", from_run=str(old.path), recipe="gan")
    with pytest.raises(UsageError, match="nobody"):
        train(tmp_path, "digits", from_run="nobody")
    assert not list(tmp_path.iterdir())


def test_the_command_says_from(old: Run, tmp_path: Path) -> None:
    shown = call(f"train digits --from {old.path} --dry-run --runs-dir {tmp_path}")
    assert shown.code == 0
    assert "as in the run that it starts from" in shown.out
    other = call(f"train digits --from={old.path} --dry-run --runs-dir {tmp_path}")
    assert other.out == shown.out
    wrong = call(f"train digits --from nobody --runs-dir {tmp_path}")
    assert wrong.code == 2
    assert "Traceback" not in wrong.err

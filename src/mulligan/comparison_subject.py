"""What is compared: runs with their generators, and files of samples that somebody else made."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from PIL.Image import Image as Picture

from mulligan import pictures
from mulligan.data.dataset import DataSet
from mulligan.errors import UsageError
from mulligan.evaluation.given import read_samples
from mulligan.evaluation.result import Evaluation
from mulligan.fields import Image
from mulligan.model import Model, load
from mulligan.places import shown
from mulligan.run import Run

GRID, COLUMNS = 64, 8
POINTS = 1000
"""Samples in a picture: images, columns of them, points."""


@dataclass(frozen=True)
class Subject:
    """One of those to compare: a run with its generator, or the path of files."""

    name: str
    path: Path
    run: Run | None = None
    model: Model | None = None

    @property
    def data(self) -> dict[str, str]:
        """Name and sha256 of the data that a run was trained on; empty for files."""
        return dict(self.model.state["data"]) if self.model else {}

    @property
    def held_out(self) -> float:
        """The share of its data that a run kept from training."""
        return float(self.model.state["values"]["held_out"]) if self.model else 0.0

    def share(self, found: Evaluation) -> float:
        """The share of the real rows of this evaluation that was held out of training."""
        own = found.figures[0].stamp["data_sha256"] == self.data.get("sha256")
        return self.held_out if own else 0.0


def opened(target: str | Path | Run, runs_dir: Path, **how: Any) -> Subject:
    """The run that is meant, or these files. how: as for `model.load`."""
    if not isinstance(target, Run):
        path = Path(target)
        taken = (runs_dir / path / "run.json").is_file()  # a run's name comes before a folder's
        if path.exists() and not taken and not (path / "run.json").is_file():
            return Subject(str(target), path)
        target = Run.find(target, runs_dir)
    return Subject(target.name, target.path, target, load(target, **how))


def named(subjects: list[Subject]) -> list[Subject]:
    """Under names that differ. Raises UsageError for fewer than two, or one that comes twice."""
    if len(subjects) < 2:
        raise UsageError("there is nothing to compare", "name two runs: mulligan compare A B")
    paths = [subject.path.resolve() for subject in subjects]
    for place, path in enumerate(paths):
        if path in paths[:place]:
            raise UsageError(f"{subjects[place].name} is named twice", "name each run once")
    names = [subject.name for subject in subjects]
    return [
        replace(one, name=str(one.path)) if names.count(one.name) > 1 else one for one in subjects
    ]


def common_data(subjects: list[Subject]) -> str:
    """The name of the data that all runs were trained on. Raises UsageError if they were not."""
    runs = [subject for subject in subjects if subject.model]
    if not runs:
        raise UsageError("no run is among them that knows its data", "name the real ones: --data")
    first = runs[0]
    single = [
        entry.name for entry in runs if entry.model and entry.model.state["values"]["only_label"]
    ]
    if single and len(runs) < len(subjects):
        raise UsageError(
            f"{single[0]} was trained on one class, and files are compared with all of them",
            "leave the files out",
        )
    for other in runs[1:]:
        if other.data["sha256"] == first.data["sha256"]:
            continue
        one, two = (f"{shown(entry.data['name'])} ({entry.model.field})" for entry in (first, other)
                    if entry.model)  # fmt: skip
        ways = f"on {one} and on {two}" if one != two else f"on different rows of {one}"
        raise UsageError(
            f"{first.name} and {other.name} were trained {ways}",
            "name the real data that both are to be compared with: --data",
        )
    return first.data["name"]


def picture(subject: Subject, reals: DataSet | None, seed: int) -> Picture | None:
    """A grid of images, or points over real ones; None for points of more than two dimensions."""
    if subject.model is not None:
        images = isinstance(subject.model.field, Image)
        made = subject.model.sample(GRID if images else POINTS, seed=seed).values
        values = made.transpose(0, 3, 1, 2) if images else made
    else:
        assert reals is not None, "it was opened for files"
        every = read_samples(subject.path, reals.fields)[0]
        # evenly spread, as files may be sorted by class
        values = every[pictures.evenly(len(every), GRID if every.ndim == 4 else POINTS)].numpy()
    if values.ndim == 4:
        return pictures.grid(values, columns=COLUMNS)
    assert reals is not None, "it was opened for points"
    return pictures.draw_points(reals.arrays["real"][: 2 * POINTS], values)

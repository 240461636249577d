"""A trained generator: loaded from a run or a checkpoint, and sampled."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from mulligan.engine import checkpoint as checkpoints
from mulligan.engine import portable
from mulligan.engine.checkpoint import Checkpoint
from mulligan.engine.chosen import checkpoint_of
from mulligan.engine.ema import make_twin
from mulligan.engine.feed import from_batch
from mulligan.engine.job import restore_twin
from mulligan.engine.precision import parameter_dtype, place
from mulligan.engine.randomness import generator, key, undisturbed
from mulligan.engine.reopening import trained_recipe
from mulligan.engine.watching import watching
from mulligan.errors import CorruptCheckpoint, MulliganError, UsageError
from mulligan.fields import Field, Image, Label, fields_from_json
from mulligan.recipe import Batch, Recipe
from mulligan.run import Run
from mulligan.samples import Samples

Wanted = int | str | np.ndarray | None
"""The class of samples: a name or number for all, one number for each, or None."""

SHIPPED = Path(__file__).parent / "generators"
"""Portable generators that come with the package."""

CHUNK = 64  # samples drawn together: sample k of a seed is the same whatever the count


class Model:
    """A generator with the weights that previews and figures use: the averaged ones."""

    def __init__(self, recipe: Recipe, state: dict[str, Any], path: Path, device: str) -> None:
        self.recipe, self.state, self.path, self.device = recipe, state, path, device
        self.dtype = parameter_dtype(str(state["values"]["precision"]))

    @property
    def field(self) -> Field:
        """What a sample is: its kind, shape and scale."""
        return self.recipe.fields["real"]

    def sample(self, count: int, seed: int = 0, label: Wanted = None) -> Samples:
        """`count` samples; a pure function of the weights, the seed and the label.

        label: a class name or number, or (count,) numbers, for recipes that have "label" among
        their conditions; left out, the classes that were trained on take turns. Sample k of a seed
        does not depend on `count`.
        """
        if count < 1:
            raise UsageError(f"--count {count} is too low: it must be at least 1", "--count 64")
        labels = self._labels(count, label)
        parts = []
        for start in range(0, count, CHUNK):
            draw = generator(seed, 0, "sample", start // CHUNK)
            batch: Batch = {"noise": self.recipe.noise(CHUNK, draw).to(self.device, self.dtype)}
            if labels is not None:
                rows = np.resize(labels[start : start + CHUNK], CHUNK)
                batch["label"] = torch.from_numpy(rows).to(self.device)
            with watching(self.recipe, key(seed, 0, "sample-layers", start // CHUNK)):
                parts.append(from_batch(self.recipe.generate(batch), self.field))
        values = torch.cat(parts)[:count]
        if isinstance(self.field, Image):
            values = values.permute(0, 2, 3, 1).contiguous()
        field = self.recipe.fields.get("label")
        names = field.names if isinstance(field, Label) else ()
        return Samples(values.numpy(), self.field, labels, names)

    @property
    def labelled(self) -> bool:
        """Whether a class can be asked for."""
        return "label" in self.recipe.conditions

    def _labels(self, count: int, label: Wanted) -> np.ndarray | None:
        field = self.recipe.fields.get("label")
        if not self.labelled or not isinstance(field, Label):
            if label is not None:
                raise UsageError(
                    f"--label {label}: the recipe {self.state['recipe']['name']} has no labels",
                    "leave --label out",
                )
            return None
        if isinstance(label, np.ndarray):
            return label.astype(np.int64)
        label = label if label is not None else self.state["values"]["only_label"] or None
        if label is None:
            return np.arange(count, dtype=np.int64) % len(field.names)
        return np.full(count, class_number(field.names, label), dtype=np.int64)


def class_number(names: Sequence[str], label: int | str) -> int:
    """The position of a class given by name or by number. Raises UsageError listing the names."""
    if str(label) in names:
        return list(names).index(str(label))
    if str(label).isdigit() and int(label) < len(names):
        return int(label)
    shown = ", ".join(names[:20]) + (", ..." if len(names) > 20 else "")
    raise UsageError(f"--label {label} is no class of this run", f"one of {shown}")


def _warn(text: str) -> None:
    warnings.warn(text, stacklevel=3)


def load(
    target: str | Path | Run,
    runs_dir: str | Path = "runs",
    device: str = "cpu",
    warn: Callable[[str], None] = _warn,
    checkpoint: str | int = "best",
) -> Model:
    """The trained generator of a run, or of one of its checkpoints.

    target: a Run, a run's path, name, unique prefix or "@last", a checkpoint's folder, a portable
    generator's file, or the name of one that comes with the package: "digits".
    warn: told where a damaged checkpoint was passed over for the one before.
    checkpoint: "best" by the figure of progress, where there is one, else the newest; "last"; or
    the round of one.
    Raises UsageError if there is none, CorruptCheckpoint if none verifies.
    """
    warnings_found: list[str] = []  # said once something could be loaded: else the error says all
    found = _found(target, Path(runs_dir), checkpoint, warnings_found.append)
    for text in warnings_found:
        warn(text)
    try:
        recipe = _built(found, device)
    except MulliganError:
        raise
    except (LookupError, TypeError, ValueError, RuntimeError) as problem:  # a stranger's words
        raise CorruptCheckpoint(
            f"{found.path} does not describe a generator: {problem}"
        ) from problem
    return Model(recipe, found.state, found.path, device)


def _found(
    target: str | Path | Run, runs_dir: Path, which: str | int, warn: Callable[[str], None]
) -> Checkpoint:
    if isinstance(target, Run):
        return checkpoint_of(target, which, warn)
    path = Path(target)
    if (path / "MANIFEST.json").is_file():
        return checkpoints.load(path, warn)
    if path.suffix == portable.SUFFIX and path.is_file():
        return portable.read(path)
    try:
        return checkpoint_of(Run.find(target, runs_dir), which, warn)
    except UsageError:
        shipped = SHIPPED / f"{target}{portable.SUFFIX}"
        if str(target) not in {file.stem for file in SHIPPED.glob(f"*{portable.SUFFIX}")}:
            raise
        return portable.read(shipped)


def _built(found: Checkpoint, device: str) -> Recipe:
    """The recipe with averaged weights, ready to generate."""
    state, recipe_class = found.state, trained_recipe(found)
    settings = recipe_class.Settings(**state["settings"])
    with undisturbed(0):  # the weights drawn here are overwritten below
        recipe = recipe_class(settings, fields_from_json(state["fields"]))
    place(recipe, device, str(state["values"]["precision"]))
    if "recipe" in found.tensors:  # a portable generator has the averages alone
        recipe.load_state_dict(found.tensors["recipe"])
    twin = make_twin(recipe)
    restore_twin(twin, found.tensors["twin"])
    twin.now = dict(state["now"])
    return twin.requires_grad_(False).eval()

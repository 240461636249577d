"""Starting from a trained run: its recipe and networks by default, its weights, nothing else.

What two data sets have in common (strokes, faces, textures) need not be learned twice. Optimizers,
counters and the memory of an augmentation begin anew.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from torch import Tensor

from mulligan.engine.checkpoint import Checkpoint
from mulligan.engine.chosen import checkpoint_of
from mulligan.engine.layers import Layer, Layers, Problems
from mulligan.errors import MulliganError
from mulligan.fields import Image, fields_from_json
from mulligan.recipe import Recipe
from mulligan.run import Run

if TYPE_CHECKING:
    from mulligan.engine.job import Job

MEMORY = "augment."
"""Begins the names of buffers that belong to the old run's data."""

SHOWN = 3


def origin(layers: Layers) -> Checkpoint | None:
    """The best checkpoint of the run that `from_run` names, or its newest; None without one."""
    word = layers.option("from_run").value
    if not word:
        return None
    try:
        run = Run.find(word, Path(layers.option("runs_dir").value))
        return checkpoint_of(run, "best", lambda text: None)
    except MulliganError as error:
        layers.problems.take(error)
        return None


def layer(found: Checkpoint) -> Layer:
    """What a run that starts there takes over, below the user's own words."""
    state, real = found.state, fields_from_json(found.state["fields"])["real"]
    file = state["recipe"]["file"]
    values = {"recipe": file["path"] if file else state["recipe"]["name"], **state["settings"]}
    values.pop("augment", None)  # the new data decide
    if isinstance(real, Image):
        values |= {"size": f"{real.height}x{real.width}", "channels": real.channels}
        framing = {name: state["values"].get(name) for name in ("fit", "background")}
        values |= {name: value for name, value in framing.items() if value}
    return Layer("default", "the run to start from", values, "as in the run that it starts from")


def check(recipe: Recipe, found: Checkpoint, problems: Problems) -> None:
    """Report weights that do not fit these networks."""
    theirs, mine = _weights(found.tensors["recipe"]), _weights(dict(recipe.state_dict()))
    odd = [
        f"{name} is {_shape(mine.get(name))} here and {_shape(theirs.get(name))} there"
        for name in [*mine, *(set(theirs) - set(mine))]
        if _shape(mine.get(name)) != _shape(theirs.get(name))
    ]
    if odd:
        more = f" (and {len(odd) - SHOWN} more)" if len(odd) > SHOWN else ""
        problems.add(
            f"the run to start from has other networks: {'; '.join(odd[:SHOWN])}{more}",
            "keep its recipe, size, channels, classes and widths",
        )


def adopt(job: Job, found: Checkpoint) -> None:
    """Give a new job the weights of the run that it starts from, and their averages."""
    from mulligan.engine.job import restore_twin

    own = dict(job.recipe.state_dict())
    job.recipe.load_state_dict({**own, **_weights(found.tensors["recipe"])})
    restore_twin(job.twin.recipe, found.tensors["twin"])


def _weights(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    return {name: value for name, value in tensors.items() if not name.startswith(MEMORY)}


def _shape(tensor: Tensor | None) -> str:
    return "missing" if tensor is None else "x".join(map(str, tensor.shape)) or "a number"

"""mulligan: a GAN toolkit. From images to a trained, portable generator.

import mulligan
run = mulligan.train("digits", time="2m")
mulligan.load(run).sample(64, seed=0).save("grid.png")
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mulligan.api import resume as resume
    from mulligan.api import train as train
    from mulligan.appraisal import evaluate as evaluate
    from mulligan.duel import Duel as Duel
    from mulligan.model import Model as Model
    from mulligan.model import load as load
    from mulligan.recipe import Preset as Preset
    from mulligan.recipe import Recipe as Recipe
    from mulligan.recipe import Turn as Turn
    from mulligan.recipe import knob as knob
    from mulligan.run import Run as Run

__version__ = "0.1.0"

_HOMES = {
    "evaluate": "mulligan.appraisal",
    "compare": "mulligan.comparison",
    "train": "mulligan.api",
    "resume": "mulligan.api",
    "load": "mulligan.model",
    "Model": "mulligan.model",
    "Run": "mulligan.run",
    "Recipe": "mulligan.recipe",
    "Duel": "mulligan.duel",
    "Turn": "mulligan.recipe",
    "Preset": "mulligan.recipe",
    "knob": "mulligan.recipe",
}
__all__ = [
    "Duel", "Model", "Preset", "Recipe", "Run", "Turn", "compare", "evaluate", "knob", "load",
    "resume", "train",
]  # fmt: skip


def __getattr__(name: str) -> Any:
    """The public names, imported when first used: `import mulligan` costs no torch."""
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module 'mulligan' has no attribute {name!r}")

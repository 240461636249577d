"""Whether recipe, data and weights fit each other, found out before a folder is made."""

from __future__ import annotations

import torch

from mulligan.data.dataset import DataSet
from mulligan.engine import transfer
from mulligan.engine.checkpoint import Checkpoint
from mulligan.engine.layers import Problems
from mulligan.errors import DataError, MulliganError
from mulligan.fields import Fields, Points, misfits
from mulligan.recipe import Recipe


def check_fields(recipe: type[Recipe], data: DataSet, problems: Problems) -> None:
    """Report fields that the recipe reads and the data do not offer."""
    from mulligan.data.names import NAMES

    lacking = misfits(recipe.reads, data.fields)
    if not lacking:
        return
    reads_points = Points in recipe.reads["real"]
    reads_images = any(kind is not Points for kind in recipe.reads["real"])
    fitting = [
        name
        for name in NAMES
        if (reads_points if name[:3] in ("1d:", "2d:") else reads_images) and name != data.name
    ]
    for line in lacking:
        problems.take(DataError(f"{data.name}: {line}", f"these fit: {', '.join(fitting)}"))


def check_networks(
    recipe: type[Recipe],
    name: str,
    settings: Recipe.Settings,
    fields: Fields,
    start: Checkpoint | None,
) -> None:
    """Build the networks without memory, so that a size which does not fit is refused now.

    start: a checkpoint whose weights they are to take. Raises UsageError.
    """
    problems = Problems()
    try:
        with torch.device("meta"):
            built = recipe(settings, fields)
        if start:
            transfer.check(built, start, problems)
    except MulliganError as error:
        problems.take(error)
    except ValueError as error:
        problems.add(f"recipe {name} does not fit these data: {error}")
    except (RuntimeError, NotImplementedError):
        pass  # an operation that has no shape-only form: the real building decides
    problems.raise_any()

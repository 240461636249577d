"""Batches: rows in keyed order, uint8 to float in [-1, 1], with noise keyed for the global batch.

No Python work an image: one gather, one conversion.
"""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor

from mulligan.data.dataset import DataSet
from mulligan.data.order import Order, hold_out
from mulligan.data.stream import as_streamed
from mulligan.engine.ahead import Ahead
from mulligan.engine.parallel import World
from mulligan.engine.randomness import key
from mulligan.engine.reading import Reader, Reading
from mulligan.fields import Field, Image, Points
from mulligan.recipe import Batch, Recipe


def to_batch(values: Tensor, field: Field, device: torch.device, dtype: torch.dtype) -> Tensor:
    """Rows of a data set as a recipe sees them.

    Images: uint8 to [-1, 1], channels last in memory where that is a layout of its own. Points:
    divided by their scale. Labels stay int64.
    """
    values = values.to(device, non_blocking=True)
    if isinstance(field, Image):
        images = values.to(dtype).mul_(1 / 127.5).sub_(1)
        layout = torch.channels_last if field.channels > 1 else torch.contiguous_format
        return images.contiguous(memory_format=layout)
    if isinstance(field, Points):
        return values.to(dtype).div_(field.scale)
    return values


def from_batch(values: Tensor, field: Field) -> Tensor:
    """Samples of a recipe in data units, on the CPU: uint8 images or float32 points."""
    if isinstance(field, Image):
        return values.float().add(1).mul(127.5).round().clamp(0, 255).to(torch.uint8).cpu()
    assert isinstance(field, Points)
    return (values.float() * field.scale).cpu()


RESIDENT = 0.25
"""Share of an accelerator's free memory that data may take."""


def resident(arrays: dict[str, Tensor], device: torch.device) -> dict[str, Tensor]:
    """The arrays where batches are gathered soonest: on a GPU if they fit there, as bytes.

    From there a batch costs one small copy of row numbers instead of one of pictures.
    """
    if device.type != "cuda" or as_streamed(arrays["real"]) is not None:
        return arrays
    free, _ = torch.cuda.mem_get_info(device)
    if sum(array.nbytes for array in arrays.values()) > RESIDENT * free:
        return arrays
    return {name: array.to(device) for name, array in arrays.items()}


MOST_CLASSES = 16
"""Rows of a grid in which each class has one; of more classes evenly many are shown."""


class Feed:
    """The source of a run's batches, and of the fixed rows that previews look at."""

    def __init__(
        self, data: DataSet, recipe: Recipe, share_held_out: float, device: str, dtype: torch.dtype
    ) -> None:
        self.data = data
        self.recipe = recipe
        self.device = torch.device(device)
        self.dtype = dtype
        self.training, self.held_out = hold_out(data.arrays["real"], share_held_out)
        self.arrays = resident(data.arrays, self.device)
        self.streamed = as_streamed(data.arrays["real"])
        if self.streamed is not None:
            self.streamed.held.zero_()[self.held_out] = True
        self._ahead = Ahead(self.streamed)
        self._orders: dict[tuple[int, int], Order] = {}
        self._draw = torch.Generator()

    def rows(self, seed: int, attempt: int, drawn: int, count: int) -> Tensor:
        """(count,) int64: the data set's rows at these positions of the run."""
        order = self._orders.get((seed, attempt))
        if order is None:
            order = Order(self.training, lambda epoch: key(seed, attempt, "order", epoch))
            self._orders = {(seed, attempt): order}
        return self._ahead.drawn(drawn, count, lambda at: order.rows(at, count))

    def field(self, rows: Tensor, name: str) -> Tensor:
        """One field of these rows, as a recipe sees it. Raises KeyError if the data lack it."""
        values = self.arrays[name]
        values = values.index_select(0, rows.to(values.device, non_blocking=True))
        return to_batch(values, self.data.fields[name], self.device, self.dtype)

    def fields(self, rows: Tensor, names: Iterable[str]) -> Batch:
        """The named fields of these rows."""
        return {name: self.field(rows, name) for name in names}

    def noise(self, count: int, key_value: int) -> Tensor:
        """(count, ...) noise of the recipe from a key, the same on every device."""
        noise = self.recipe.noise(count, self._draw.manual_seed(key_value))
        return noise.to(self.device, self.dtype, non_blocking=True)

    def batch(self, rows: Tensor, noise_key: int, world: World) -> Batch:
        """This rank's part of the global batch made of `rows`."""
        mine = world.share(len(rows))
        readers = {name: self._reader(name, mine) for name in self.data.fields}
        readers["noise"] = lambda _: self.noise(len(rows), noise_key)[mine]
        return Reading(rows[mine], readers)

    def _reader(self, name: str, mine: slice) -> Reader:
        """What reads a field; after streamed pictures those of the next batch are begun."""

        def read(rows: Tensor) -> Tensor:
            values = self.field(rows, name)
            if name == "real" and self.streamed is not None:
                self._ahead.read(mine)
            return values

        return read

    def lost(self) -> list[tuple[str, str]]:
        """(file, reason) of the streamed pictures that could not be read since the last call."""
        return self._ahead.lost()

    def fixed(self, count: int, noise_key: int) -> Batch:
        """The preview's batch: fixed noise, and the first held-out rows with all their fields.

        Without held-out rows the first training rows stand in. Fewer rows than `count` repeat.
        """
        source = self.held_out if len(self.held_out) else self.training
        rows = source[torch.arange(count) % len(source)]
        batch = self.fields(rows, self.data.fields)
        batch["noise"] = self.noise(count, noise_key)
        return batch

    def by_class(self, columns: int, noise_key: int) -> Batch:
        """The preview's batch where the class is a condition: class after class, `columns` each.

        Every class gets the same noise, so that samples above each other differ by their class
        alone. Rows are held-out ones if those have all the classes that are trained on.
        """
        source, labels = self.held_out, self.data.arrays["label"]
        if len(labels[source].unique()) < len(labels[self.training].unique()):
            source = self.training
        own = labels[source]
        classes = own.unique()
        if len(classes) > MOST_CLASSES:
            classes = classes[torch.linspace(0, len(classes) - 1, MOST_CLASSES).round().long()]
        each = [source[own == label] for label in classes]
        rows = torch.cat([some[torch.arange(columns) % len(some)] for some in each])
        batch = self.fields(rows, self.data.fields)
        batch["noise"] = torch.cat([self.noise(columns, noise_key)] * len(each))
        return batch

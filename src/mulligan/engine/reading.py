"""A batch that is read when a loss asks for it."""

from __future__ import annotations

from collections.abc import Callable, ItemsView, Iterator, KeysView, ValuesView
from typing import Any

from torch import Tensor

from mulligan.recipe import Batch

Reader = Callable[[Tensor], Tensor]
"""From rows of the data set, (N,) int64, to a field of a batch."""


class Reading(dict[str, Tensor]):
    """A batch whose noise and data fields are drawn and read when a loss first asks for them.

    A generator's turn asks for no reals, a turn on reals alone for no noise: getting them for
    nothing took a tenth of a round of small networks. To a recipe it is a plain dict.
    """

    def __init__(self, rows: Tensor, readers: dict[str, Reader]) -> None:
        """rows: of the data set. readers: what gives a field, from these rows."""
        super().__init__()
        self.rows, self.readers = rows, readers

    def __missing__(self, name: str) -> Tensor:
        values = self[name] = self.readers[name](self.rows)
        return values

    def __contains__(self, name: object) -> bool:
        return name in self.readers or super().__contains__(name)

    def get(self, name: str, default: Any = None) -> Any:
        if name not in self:
            return default
        return self[name]

    def keys(self) -> KeysView[str]:  # type: ignore[override]
        """All names; `dict(batch)` and `{**batch}` read by them."""
        return dict.fromkeys([*self.readers, *super().keys()]).keys()

    def __iter__(self) -> Iterator[str]:
        return iter(self.keys())

    def __len__(self) -> int:
        return len(self.keys())

    def items(self) -> ItemsView[str, Tensor]:  # type: ignore[override]
        return {name: self[name] for name in self}.items()

    def values(self) -> ValuesView[Tensor]:  # type: ignore[override]
        return {name: self[name] for name in self}.values()

    def part(self, cut: slice) -> Batch:
        """Some rows of it, still unread."""
        noise = {"noise": lambda _: self["noise"][cut]}
        return Reading(self.rows[cut], {**self.readers, **noise})

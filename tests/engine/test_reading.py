"""A batch that is read when it is asked for looks like a plain dict to a recipe."""

from __future__ import annotations

import torch
from torch import Tensor

from mulligan.engine.reading import Reader, Reading


def counted(rows: Tensor) -> tuple[Reading, list[str]]:
    """Fields that are ten and twenty times the rows, and the names of those that were read."""
    read: list[str] = []

    def reader(name: str, factor: int) -> Reader:
        def made(given: Tensor) -> Tensor:
            read.append(name)
            return given * factor

        return made

    return Reading(rows, {"real": reader("real", 10), "noise": reader("noise", 20)}), read


def test_a_field_is_read_once_and_only_if_it_is_asked_for() -> None:
    batch, read = counted(torch.tensor([1, 2]))
    assert "real" in batch
    assert "label" not in batch
    assert read == []
    assert batch["real"].tolist() == batch["real"].tolist() == [10, 20]
    assert read == ["real"]


def test_what_a_dict_can_do_it_can_do_unread() -> None:
    for use in (dict, lambda batch: {**batch}, lambda batch: dict(batch.items())):
        batch, _ = counted(torch.tensor([1, 2]))
        found = use(batch)
        assert {name: values.tolist() for name, values in found.items()} == {
            "real": [10, 20],
            "noise": [20, 40],
        }
    batch, _ = counted(torch.tensor([3]))
    assert batch.get("noise").item() == 60
    assert batch.get("label") is None
    assert sorted(batch) == ["noise", "real"]
    assert len(batch) == len(batch.values()) == 2


def test_what_a_recipe_puts_in_stays() -> None:
    batch, read = counted(torch.tensor([1]))
    batch["real"], batch["extra"] = torch.tensor([7]), torch.tensor([8])
    assert {name: values.item() for name, values in batch.items()} == {
        "real": 7,
        "noise": 20,
        "extra": 8,
    }
    assert read == ["noise"]


def test_a_part_has_its_rows_and_the_noise_of_the_whole() -> None:
    """Noise is drawn for the whole batch, whatever pieces it is played in."""
    batch, read = counted(torch.tensor([1, 2, 3, 4]))
    first, second = batch.part(slice(0, 2)), batch.part(slice(2, 4))
    assert first["real"].tolist() == [10, 20]
    assert second["real"].tolist() == [30, 40]
    assert [*first["noise"].tolist(), *second["noise"].tolist()] == [20, 40, 60, 80]
    assert read.count("noise") == 1

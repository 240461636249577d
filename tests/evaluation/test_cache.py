"""The cache: read where it may be, computed anew where anything differs, and never in the way."""

from __future__ import annotations

import os
from errno import ENOSPC, EROFS
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch

from looking import STAMP, calls, known_lens
from mulligan.evaluation import cache
from mulligan.evaluation.cache import cached_figures, cached_rows
from mulligan.evaluation.lens import Lens, Rows
from mulligan.metrics.figure import Figure

IMAGES = torch.arange(48, dtype=torch.uint8).reshape(3, 1, 4, 4)
FIGURE = Figure("KD-known", 0.1 + 0.2, 0.1, 0.5, "95 %", "E[KD_n]", 10, 10, dict(STAMP))


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache."""
    monkeypatch.setenv("MULLIGAN_CACHE", str(tmp_path))
    return tmp_path / "features"


def same(first: Rows, second: Rows) -> bool:
    return torch.equal(first.features, second.features) and torch.equal(
        first.probabilities, second.probabilities
    )


def stored(home: Path) -> Path:
    [path] = home.glob("*.rows")
    return path


def test_the_second_call_reads(home: Path) -> None:
    first = cached_rows(known_lens(), IMAGES)
    lens = known_lens()
    assert same(cached_rows(lens, IMAGES), first)
    assert calls(lens) == 0
    assert sorted(path.name for path in home.iterdir()) == [stored(home).name]  # nothing else left


@pytest.mark.parametrize("size", [0, 1, 31, 32, 33, 40, -1])
def test_a_truncated_file_is_computed_anew(home: Path, size: int) -> None:
    first = cached_rows(known_lens(), IMAGES)
    path = stored(home)
    whole = path.read_bytes()
    path.write_bytes(whole[:size])
    lens = known_lens()
    assert same(cached_rows(lens, IMAGES), first)
    assert calls(lens) == 1
    assert path.read_bytes() == whole


def test_any_flipped_bit_is_noticed(home: Path) -> None:
    first = cached_rows(known_lens(), IMAGES)
    path = stored(home)
    whole = path.read_bytes()
    for place in range(0, len(whole), 7):
        changed = bytearray(whole)
        changed[place] ^= 1 << place % 8
        path.write_bytes(changed)
        lens = known_lens()
        assert same(cached_rows(lens, IMAGES), first)
        assert calls(lens) == 1, place


@pytest.mark.parametrize("content", [b"", b"a note", b"\0" * 500])
def test_a_foreign_file_is_computed_anew(home: Path, content: bytes) -> None:
    first = cached_rows(known_lens(), IMAGES)
    stored(home).write_bytes(content)
    assert same(cached_rows(known_lens(), IMAGES), first)


def test_a_folder_in_the_way_costs_nothing_but_time(home: Path) -> None:
    first = cached_rows(known_lens(), IMAGES)
    path = stored(home)
    path.unlink()
    path.mkdir()
    assert same(cached_rows(known_lens(), IMAGES), first)


def test_rows_of_other_samples_are_not_taken_for_these(home: Path) -> None:
    cached_rows(known_lens(), IMAGES[:2])
    other = stored(home).read_bytes()
    stored(home).unlink()
    first = cached_rows(known_lens(), IMAGES)
    stored(home).write_bytes(other)  # whole, but of two rows
    assert same(cached_rows(known_lens(), IMAGES), first)


def another_pixel() -> tuple[Lens, torch.Tensor]:
    images = IMAGES.clone()
    images[2, 0, 3, 3] += 1
    return known_lens(), images


ANOTHER = {
    "pixel": another_pixel,
    "order of the rows": lambda: (known_lens(), IMAGES.flip(0)),
    "shape of the same bytes": lambda: (known_lens(), IMAGES.reshape(3, 1, 2, 8)),
    "type of number": lambda: (known_lens(), IMAGES.float() / 127.5 - 1),
    "digest": lambda: (known_lens(digest="d2"), IMAGES),
    "name": lambda: (known_lens(name="unknown"), IMAGES),
    "resize mode": lambda: (known_lens(resize_mode="tensorflow1"), IMAGES),
}


@pytest.mark.parametrize("what", ANOTHER)
def test_another_key(home: Path, what: str) -> None:
    cached_rows(known_lens(), IMAGES)
    lens, images = ANOTHER[what]()
    cached_rows(lens, images)
    assert calls(lens) == 1
    assert len(list(home.glob("*.rows"))) == 2


def test_views_of_the_same_bytes_are_the_same_key() -> None:
    cached_rows(known_lens(), IMAGES)
    lens = known_lens()
    cached_rows(lens, IMAGES.permute(0, 2, 3, 1).contiguous().permute(0, 3, 1, 2))
    assert calls(lens) == 0


def test_another_version_of_the_extractors_computes_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    cached_rows(known_lens(), IMAGES)
    monkeypatch.setattr(cache, "_code", lambda package: "another")
    lens = known_lens()
    cached_rows(lens, IMAGES)
    assert calls(lens) == 1


def test_points_are_not_kept(home: Path) -> None:
    rows = cached_rows(Lens(None, 2.0), torch.tensor([[2.0, 4.0]]))
    assert rows.features.tolist() == [[1.0, 2.0]]
    assert not home.exists()


def test_a_cache_that_cannot_be_made_costs_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    blocked = tmp_path / "file"
    blocked.touch()
    monkeypatch.setenv("MULLIGAN_CACHE", str(blocked))
    assert same(cached_rows(known_lens(), IMAGES), known_lens().rows(IMAGES))
    assert cached_figures({"a": 1}, lambda: [FIGURE]) == [FIGURE]


def failing(number: int) -> Any:
    def fail(*words: Any, **named: Any) -> Any:
        raise OSError(number, os.strerror(number))

    return fail


@pytest.mark.parametrize("broken", ["write_bytes", "replace"])
def test_a_full_disk_costs_nothing_and_leaves_nothing(
    home: Path, monkeypatch: pytest.MonkeyPatch, broken: str
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(Path, broken, failing(ENOSPC))
        patch.setattr(cache, "replace", failing(ENOSPC))
        assert same(cached_rows(known_lens(), IMAGES), known_lens().rows(IMAGES))
        assert cached_figures({"a": 1}, lambda: [FIGURE]) == [FIGURE]
    assert list(home.iterdir()) == []


def test_a_cache_that_may_only_be_read_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    first = cached_rows(known_lens(), IMAGES)
    monkeypatch.setattr(os, "utime", failing(EROFS))
    lens = known_lens()
    assert same(cached_rows(lens, IMAGES), first)
    assert calls(lens) == 0


def test_the_files_used_longest_ago_go_first(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    names = []
    for index in range(4):
        cached_rows(known_lens(digest=str(index)), IMAGES)
        [new] = {path.name for path in home.glob("*.rows")} - set(names)
        names.append(new)
        os.utime(home / new, (index, index))
    cached_rows(known_lens(digest="0"), IMAGES)  # used again: now the newest
    size = (home / names[0]).stat().st_size
    monkeypatch.setattr(cache, "MOST_BYTES", 3 * size)
    cached_rows(known_lens(digest="new"), IMAGES)
    left = {path.name for path in home.glob("*.rows")}
    assert len(left) == 3
    assert names[0] in left
    assert names[3] in left
    assert not {names[1], names[2]} & left


def test_the_newest_file_stays_even_if_it_is_too_large(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cache, "MOST_BYTES", 1)
    cached_rows(known_lens(digest="1"), IMAGES)
    lens = known_lens(digest="2")
    cached_rows(lens, IMAGES)
    cached_rows(lens, IMAGES)
    assert calls(lens) == 1
    assert stored(home)


def never() -> list[Figure]:
    raise AssertionError("computed again")


def test_figures_are_made_once_for_a_protocol() -> None:
    assert cached_figures({"seed": 0, "data": "x"}, lambda: [FIGURE]) == [FIGURE]
    assert cached_figures({"data": "x", "seed": 0}, never) == [FIGURE]
    with pytest.raises(AssertionError):
        cached_figures({"seed": 1, "data": "x"}, never)


def test_figures_of_another_version_are_made_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    cached_figures({"seed": 0}, lambda: [FIGURE])
    monkeypatch.setattr(cache, "_code", lambda package: "another")
    with pytest.raises(AssertionError):
        cached_figures({"seed": 0}, never)


def test_every_source_of_a_package_belongs_to_its_version(tmp_path: Path) -> None:
    for name in ("__init__.py", "one.py", "two.py"):
        (tmp_path / name).write_text("x = 1\n")
    package = ModuleType("package")
    package.__file__ = str(tmp_path / "__init__.py")
    versions = set()
    for name in ("one.py", "two.py", "three.py"):
        versions.add(cache._code.__wrapped__(package))
        (tmp_path / name).write_text("x = 2\n")
    assert len(versions) == 3
    packages = (cache.metrics, cache.evaluation, cache.features)
    assert len({cache._code(entry) for entry in packages}) == 3


@pytest.mark.parametrize("place", range(0, 250, 23))
def test_damaged_figures_are_made_anew(home: Path, place: int) -> None:
    cached_figures({"seed": 0}, lambda: [FIGURE])
    [path] = home.glob("*.figures")
    changed = bytearray(path.read_bytes())
    changed[place] ^= 1
    path.write_bytes(changed)
    assert cached_figures({"seed": 0}, lambda: [FIGURE, FIGURE]) == [FIGURE, FIGURE]
    path.write_bytes(bytes(changed)[:place])
    assert cached_figures({"seed": 0}, lambda: [FIGURE]) == [FIGURE]

"""Pictures beyond memory and cache: the same rows as in memory, decoded when they are asked for."""

from __future__ import annotations

import gc
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import pytest
import torch

from data.test_folder import lay, pack
from data.test_forms import tar
from mulligan.cli import main
from mulligan.data import shelf, store, streaming, worker
from mulligan.data.dataset import DataSet, content_sha256
from mulligan.data.open import open_data
from mulligan.data.order import hold_out
from mulligan.data.stream import Streamed
from mulligan.errors import DataError
from mulligan.evaluation import reals
from mulligan.evaluation.reals import real_rows
from streams import COUNT, no_room, picture, pictures, spoil


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("MULLIGAN_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(store, "LEAST", 10)
    return tmp_path / "cache" / "pictures"


def behind(data: DataSet) -> Streamed:
    found = data.arrays["real"]
    assert isinstance(found, Streamed)
    return found


def both(path: str, patch: pytest.MonkeyPatch) -> tuple[DataSet, DataSet]:
    """The data in memory, and streamed."""
    with patch.context() as inner:
        inner.setattr(store, "LEAST", 10**9)
        plain = open_data(path)
    assert isinstance(plain.arrays["real"], torch.Tensor)
    no_room(patch)
    return plain, open_data(path)


@pytest.mark.parametrize("form", ["folder", "zip", "tar"])
def test_streamed_rows_are_those_in_memory(
    form: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make = {"folder": lay, "zip": pack, "tar": tar}[form]
    path = make(tmp_path / f"set.{form}", pictures())
    plain, data = both(path, monkeypatch)
    real = behind(data)
    for streamed in (data, open_data(path)):
        assert streamed.manifest == plain.manifest
        assert streamed.fields == plain.fields
        assert torch.equal(streamed.arrays["label"], plain.arrays["label"])
        assert len(streamed) == len(plain)
        assert any("more than the cache may hold" in note for note in streamed.notes)
        assert any("streamed" in note and "free memory" in note for note in streamed.notes)
        assert any("broken.png" in note for note in streamed.notes)
    draw = torch.Generator().manual_seed(0)
    for count in (1, 7, 200):
        rows = torch.randint(len(data), (count,), generator=draw)
        assert torch.equal(real[rows], plain.arrays["real"][rows])
        assert torch.equal(real.index_select(0, rows), plain.arrays["real"][rows])
    assert torch.equal(real[10:20], plain.arrays["real"][10:20])
    assert torch.equal(torch.cat(list(real.split(64))), plain.arrays["real"])
    assert content_sha256(data.arrays) == plain.manifest["sha256"]
    for one, other in zip(hold_out(data.arrays["real"], 0.2), hold_out(plain.arrays["real"], 0.2),
                          strict=True):  # fmt: skip
        assert torch.equal(one, other)
    few = open_data(path, only_label="a")
    assert isinstance(few.arrays["real"], Streamed)
    monkeypatch.undo()
    assert few.manifest["sha256"] == open_data(path, only_label="a").manifest["sha256"]


def test_rows_that_are_expected_come_as_they_would(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain, data = both(lay(tmp_path / "set", pictures()), monkeypatch)
    real = behind(data)
    parts = torch.randperm(len(data), generator=torch.Generator().manual_seed(1)).split(30)
    for k, part in enumerate(parts):
        real.expect([*parts[k + 1 : k + 3], parts[0]])
        assert len(real._waiting) <= 120
        for rows in part.split(11):
            assert torch.equal(real[rows], plain.arrays["real"][rows])


def test_the_second_opening_looks_at_nothing(
    tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = lay(tmp_path / "set", pictures())
    roomy = no_room(monkeypatch)
    first = open_data(path)

    def refuse(*given: object) -> None:
        raise AssertionError("decoded again")

    with monkeypatch.context() as patch:
        patch.setattr(streaming, "decode", refuse)
        patch.setattr(worker, "read_header", refuse)
        again = open_data(path)
    assert again.manifest == first.manifest
    assert again.notes == first.notes
    rows = torch.tensor([3, 250])
    assert torch.equal(behind(again)[rows], behind(first)[rows])
    (tmp_path / "set/a/0000.png").write_bytes(picture(12345))
    assert open_data(path).manifest["sha256"] != first.manifest["sha256"]
    for known in cache.glob("*.npz"):
        known.write_bytes(known.read_bytes()[:-100])
    assert isinstance(open_data(path).arrays["real"], Streamed)
    roomy()
    assert isinstance(open_data(path).arrays["real"], torch.Tensor)


def test_what_is_known_of_streamed_pictures_is_listed_trimmed_and_cleared(
    tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    paths = [lay(tmp_path / f"set{k}", pictures(COUNT + k)) for k in range(2)]
    roomy = no_room(monkeypatch)
    open_data(paths[0])
    (first,) = shelf.stores()
    assert (first.streamed, first.shape) == (True, (COUNT + 10, 3, 16, 16))
    assert main(["cache"]) == 0
    assert "16x16 streamed" in capsys.readouterr().out
    open_data(paths[1])  # one takes more than there may be here
    (second,) = shelf.stores()
    assert second.source == paths[1]
    assert main(["cache", "--clear", "all"]) == 0
    assert list(cache.iterdir()) == []
    open_data(paths[1])
    roomy()
    open_data(paths[1])
    assert [one.streamed for one in shelf.stores()] == [False]
    assert not list(cache.glob("*.npz"))


@pytest.mark.parametrize("how", ["deleted", "cut off", "replaced"])
def test_another_row_of_its_class_and_side_stands_in(
    how: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain, data = both(lay(tmp_path / "set", pictures()), monkeypatch)
    real, labels = behind(data), data.arrays["label"]
    real.held[::3] = True
    row = 159  # the last of its class that is held out; the next one of its side is of the other
    assert real.held[row]
    assert labels[row] != labels[162]
    name = real.entries[row].name
    reason = spoil(tmp_path / "set" / name, how)
    rows = torch.tensor([row, 0, row, 1])
    found = real[rows]
    assert list(real.lost) == [row]
    assert reason in real.lost[row]
    stand_in = real._present(row)
    assert stand_in != row
    assert labels[stand_in] == labels[row]
    assert real.held[stand_in]
    assert torch.equal(found, plain.arrays["real"][torch.tensor([stand_in, 0, stand_in, 1])])
    assert torch.equal(real[rows], found)


def test_what_is_unpacked_for_streaming_goes_with_the_data(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "unpacked").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "unpacked"))
    plain, data = both(tar(tmp_path / "set.tar.gz", pictures(), "w:gz"), monkeypatch)
    assert len(list((tmp_path / "unpacked").iterdir())) == 1
    few = behind(data).take(torch.arange(100, 105))
    del data
    assert torch.equal(few[:], plain.arrays["real"][100:105])
    del few
    gc.collect()
    assert not list((tmp_path / "unpacked").iterdir())


def test_figures_of_streamed_pictures_compare_with_some_of_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain, data = both(lay(tmp_path / "set", pictures()), monkeypatch)
    one, other = (real_rows(found, "held-out", 0.2) for found in (plain, data))
    assert torch.equal(one.values, other.values)
    assert torch.equal(one.training, other.training)
    assert other.notes == ()
    monkeypatch.setattr(reals, "MOST_STREAMED", 60)
    few = real_rows(data, "train", 0.2)
    assert len(few.values) == len(few.training) == 60
    assert torch.equal(few.values, few.training)
    whole = {row.numpy().tobytes() for row in one.training}
    assert {row.numpy().tobytes() for row in few.training} <= whole
    (note,) = few.notes
    assert f"60 of {len(one.training)} training rows" in note


def test_beyond_one_in_a_hundred_it_is_an_error_of_the_data(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, data = both(lay(tmp_path / "set", pictures()), monkeypatch)
    real = behind(data)
    allowed = len(data) // 100
    for row in range(allowed):
        spoil(tmp_path / "set" / real.entries[row].name, "deleted")
    assert len(real[:20]) == 20
    assert len(real.lost) == allowed
    spoil(tmp_path / "set" / real.entries[50].name, "deleted")
    with pytest.raises(DataError, match=f"{allowed + 1} of {len(data)} pictures cannot be read"):
        real[40:60]


def test_nothing_that_decodes_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    no_room(monkeypatch)
    broken = {f"{k}.png": picture(k, 64)[:3000] for k in range(20)}
    with pytest.raises(DataError, match="no picture that can be used; 20 files skipped"):
        open_data(lay(tmp_path / "set", broken))


def test_few_pictures_that_are_large_are_streamed_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store, "LEAST", 10**9)
    no_room(monkeypatch)
    data = open_data(lay(tmp_path / "set", pictures()))
    assert isinstance(data.arrays["real"], Streamed)


GROWN = """
import json, sys
from pathlib import Path
import torch
from mulligan.data import room, shelf, store
from mulligan.data.open import open_data
room.free_memory = lambda: 10_000
shelf.MOST_BYTES = 10_000
def anonymous():
    text = Path("/proc/self/status").read_text()
    return int(text.split("RssAnon:")[1].split()[0]) * 1024
def epoch(path):
    data = open_data(path, size=(128, 128))
    real, parts = data.arrays["real"], torch.arange(len(data)).split(16)
    for k, part in enumerate(parts):
        real[part].float()
        real.expect(list(parts[k + 1 : k + 4]) or [part])
    return data
epoch(sys.argv[1])
before = anonymous()
data = epoch(sys.argv[2])
print(json.dumps([anonymous() - before, data.manifest["bytes"]]))
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
def test_memory_does_not_grow_with_the_rows(tmp_path: Path) -> None:
    first = tmp_path / "one.png"
    first.write_bytes(picture(0, 128))
    for name, count in (("few", 100), ("many", 1500)):
        (tmp_path / name).mkdir()
        for k in range(count):
            (tmp_path / name / f"{k}.png").hardlink_to(first)
    call = [sys.executable, "-c", GROWN, str(tmp_path / "few"), str(tmp_path / "many")]
    done = subprocess.run(call, capture_output=True, text=True, check=True)
    grown, size = json.loads(done.stdout)
    assert size > 70_000_000
    assert grown < size / 5

"""Folders that save_to_disk wrote, and what the package datasets loads."""

from __future__ import annotations

import json
import struct
import sys
import tempfile
import warnings
from contextlib import suppress
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data.test_bounds import needs_proc, peak
from data.test_folder import lay, png, reds, skipped
from data.test_forms import PETS
from data.test_tables import CLASSES, IN_ORDER, rows
from mulligan.data import hub
from mulligan.data.open import open_data
from mulligan.errors import DataError

pa = pytest.importorskip("pyarrow")


def stream(path: Path, table: Any, batch: int = 2, **options: Any) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with pa.ipc.new_stream(str(path), table.schema, **options) as writer:
        writer.write_table(table, max_chunksize=batch)


def saved(folder: Path, *tables: Any) -> Path:
    """What save_to_disk of the package datasets 5.2.0 leaves, as far as it is read."""
    names = [f"data-{k:05d}-of-{len(tables):05d}.arrow" for k in range(len(tables))]
    for name, table in zip(names, tables, strict=True):
        stream(folder / name, table)
    state = {"_data_files": [{"filename": name} for name in names], "_split": "train"}
    lay(folder, {"state.json": json.dumps(state).encode(), "dataset_info.json": b"{}"})
    return folder


def test_a_saved_folder_is_the_same_data_as_a_folder_of_pictures(tmp_path: Path) -> None:
    plain = open_data(lay(tmp_path / "plain" / "pets", PETS))
    table = rows(IN_ORDER, CLASSES)
    data = open_data(str(saved(tmp_path / "pets", table.slice(0, 3), table.slice(3))))
    assert data.manifest["sha256"] == plain.manifest["sha256"]
    assert data.fields == plain.fields
    assert data.name == "pets"
    assert open_data(data.manifest["source"]).manifest["sha256"] == plain.manifest["sha256"]


def test_of_several_parts_the_training_part_is_used(tmp_path: Path) -> None:
    lay(tmp_path, {"dataset_dict.json": b'{"splits": ["test", "train"]}'})
    saved(tmp_path / "train", rows([png(1)]))
    saved(tmp_path / "test", rows([png(2)]))
    data = open_data(str(tmp_path))
    assert reds(data) == [1]
    assert "the part train is used; not test" in data.notes
    lay(tmp_path, {"dataset_dict.json": b'{"splits": ["test"]}'})
    assert reds(open_data(str(tmp_path))) == [2]


@pytest.mark.parametrize(
    "state",
    [
        b"", b"[]", b"{}", b'{"_data_files": []}', b'{"_data_files": [1]}', b"[" * 99999,
        b'{"_data_files": [{"filename": "../secret.arrow"}]}',
        b'{"_data_files": [{"filename": "/etc/passwd"}]}',
        b'{"_data_files": [{"filename": ".."}]}', b'{"_data_files": [{"filename": ""}]}',
        b'{"_data_files": {"filename": "a"}}',
    ],
)  # fmt: skip
def test_a_state_that_names_other_places_is_refused(state: bytes, tmp_path: Path) -> None:
    stream(tmp_path / "secret.arrow", rows([png(9)]))
    home = saved(tmp_path / "set", rows([png(1)]))
    (home / "state.json").write_bytes(state)
    with pytest.raises(DataError, match=r"state\.json"):
        open_data(str(home))
    lay(home, {"dataset_dict.json": b'{"splits": ["../set"]}'})
    with pytest.raises(DataError, match=r"dataset_dict\.json"):
        open_data(str(home))


def test_a_broken_stream_is_skipped_and_a_compressed_one_is_refused(tmp_path: Path) -> None:
    home = saved(tmp_path / "set", *(rows([png(k)]) for k in range(4)))
    whole = (home / "data-00001-of-00004.arrow").read_bytes()
    (home / "data-00001-of-00004.arrow").write_bytes(whole[: len(whole) // 2])
    (home / "data-00002-of-00004.arrow").unlink()
    options = pa.ipc.IpcWriteOptions(compression="zstd")
    packed = rows([png(3) + bytes(100_000)])
    stream(home / "data-00003-of-00004.arrow", packed, options=options)
    data = open_data(str(home))
    assert reds(data) == [0]
    found = skipped(data)
    assert set(found) == {f"data-0000{k}-of-00004.arrow" for k in (1, 2, 3)}
    assert "compressed" in found["data-00003-of-00004.arrow"]


@needs_proc
@pytest.mark.parametrize("where", ["picture", "dictionary"])
def test_a_compressed_stream_is_refused_before_it_is_unpacked(where: str, tmp_path: Path) -> None:
    if where == "picture":
        table = pa.table({"image": [png(1) + bytes(600 << 20)]})
    else:
        words = pa.DictionaryArray.from_arrays(pa.array([0]), pa.array(["x" * (600 << 20)]))
        table = pa.table({"image": [png(1)], "label": words})
    home = saved(tmp_path / "set", rows([png(1)]), rows([png(2)]))
    packed = home / "data-00001-of-00002.arrow"
    stream(packed, table, options=pa.ipc.IpcWriteOptions(compression="zstd"))
    del table
    assert packed.stat().st_size < 1 << 18
    open_data(str(saved(tmp_path / "other", rows([png(1)]))))  # libraries take memory once
    held: list[Any] = []
    assert peak(lambda: held.append(open_data(str(home)))) < 100 << 20
    assert skipped(held[0]) == {packed.name: "compressed streams are not read"}


def test_offsets_that_point_elsewhere_are_refused(tmp_path: Path) -> None:
    home = saved(tmp_path / "set", rows([png(1), png(2)], [0, 1]))
    path = home / "data-00000-of-00001.arrow"
    content = path.read_bytes()
    first, both = len(png(1)), len(png(1)) + len(png(2))
    offsets = struct.pack("<iii", 0, first, both)
    assert content.count(offsets) == 1
    for wrong in ((0, 1 << 30, both), (0, -8, both), (0, first, both + (1 << 20))):
        path.write_bytes(content.replace(offsets, struct.pack("<iii", *wrong)))
        with pytest.raises(DataError, match="not one of 1 tables can be read"):
            open_data(str(home))


@settings(deadline=None)
@given(st.integers(0, 10**6), st.binary(min_size=1, max_size=4))
def test_no_changed_bytes_make_it_crash(place: int, change: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "data-00000-of-00001.arrow"
        saved(Path(folder), rows([png(1), png(2)], [0, 1]))
        content = bytearray(path.read_bytes())
        at = place % len(content)
        content[at : at + len(change)] = change
        path.write_bytes(content)
        with suppress(DataError):
            assert len(open_data(folder)) <= 2


# The package datasets


def test_names_and_parts() -> None:
    assert hub.parse("hf:mnist") == ("mnist", "")
    assert hub.parse("hf:user/pets:test") == ("user/pets", "test")


def test_the_package_is_asked_by_name_and_part_after_it_was_said(
    tmp_path: Path, monkeypatch: Any, capsys: Any
) -> None:
    stream(tmp_path / "a.arrow", rows([png(1)]))
    stream(tmp_path / "b.arrow", rows([png(2)]))
    asked = []

    def load_dataset(name: str, split: str | None = None) -> Any:
        asked.append((name, split, "may use the network" in capsys.readouterr().err))
        parts = {
            part: SimpleNamespace(cache_files=[{"filename": str(tmp_path / f"{file}.arrow")}])
            for part, file in (("test", "b"), ("train", "a"))
        }
        if name == "user/gone":
            raise RuntimeError("there is no such\nset")
        return parts[split] if split else parts

    monkeypatch.setitem(sys.modules, "datasets", SimpleNamespace(load_dataset=load_dataset))
    monkeypatch.setattr(hub, "version", lambda name: "5.2.0")
    data = open_data("hf:user/pets")
    assert reds(data) == [1]
    assert data.name == "pets"
    assert data.manifest["source"] == "hf:user/pets"
    assert "the part train is used; not test" in data.notes
    assert reds(open_data("hf:user/pets:test")) == [2]
    assert asked == [("user/pets", None, True), ("user/pets", "test", True)]
    with pytest.raises(DataError, match="hf:user/gone cannot be had: there is no such set"):
        open_data("hf:user/gone")
    monkeypatch.setattr(hub, "version", lambda name: "3.6.0")
    with pytest.raises(DataError, match=r"datasets 3\.6\.0 may run code"):
        open_data("hf:user/pets")
    assert len(asked) == 3


def test_without_the_package_the_extra_is_named(monkeypatch: Any) -> None:
    monkeypatch.setitem(sys.modules, "datasets", None)
    with pytest.raises(DataError) as caught:
        open_data("hf:mnist")
    assert caught.value.suggestion == "pip install 'mulligan[hf]'"


def test_what_the_package_itself_writes_and_loads(tmp_path: Path, monkeypatch: Any) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        datasets = pytest.importorskip("datasets")
        datasets.disable_progress_bars()
        monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")
        names = datasets.ClassLabel(names=["cat", "dog", "emu"])
        features = datasets.Features({"image": datasets.Image(), "label": names})
        images = [{"bytes": content, "path": None} for content in IN_ORDER]
        made = datasets.Dataset.from_dict({"image": images, "label": CLASSES}, features)
        made.save_to_disk(str(tmp_path / "one"), num_shards=2)
        datasets.DatasetDict({"train": made, "test": made.select([1])}).save_to_disk(
            str(tmp_path / "parts")
        )
        made.to_parquet(str(tmp_path / "set" / "data" / "train-00000-of-00001.parquet"))
        plain = open_data(lay(tmp_path / "pets", PETS))
        for place in ("one", "parts", "set"):
            data = open_data(str(tmp_path / place))
            assert data.manifest["sha256"] == plain.manifest["sha256"]
            assert data.fields == plain.fields
        for part in ("", ":train"):
            data = open_data(f"hf:{tmp_path / 'set'}{part}")
            assert data.manifest["sha256"] == plain.manifest["sha256"]
            assert data.manifest["source"] == f"hf:{tmp_path / 'set'}{part}"

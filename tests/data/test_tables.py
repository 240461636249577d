"""Parquet: the same pictures in rows are the same data; columns, parts, hostile files."""

from __future__ import annotations

import json
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from data.test_bounds import needs_proc, peak
from data.test_folder import lay, pack, png, reds, skipped
from data.test_forms import PETS, tar
from mulligan.data import kinds, parquet, tables
from mulligan.data.open import open_data
from mulligan.errors import DataError

pa = pytest.importorskip("pyarrow")
pq = pytest.importorskip("pyarrow.parquet")

NAMES = ["cat", "dog", "emu"]
FEATURES = {
    "image": {"_type": "Image"},
    "label": {"names": NAMES, "_type": "ClassLabel"},
}


def rows(contents: list[Any], labels: list[Any] | None = None, **extra: Any) -> Any:
    """A table as Hugging Face's libraries write it."""
    columns: dict[str, Any] = {"image": [{"bytes": c, "path": "x.png"} for c in contents]}
    features = dict(FEATURES)
    if labels is None:
        del features["label"]
    else:
        columns["label"] = pa.array(labels, pa.int64())
    columns |= extra
    metadata = {"huggingface": json.dumps({"info": {"features": features}})}
    return pa.table(columns).replace_schema_metadata(metadata)


def write(path: Path, table: Any, group: int = 3, **options: Any) -> str:
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(table, path, row_group_size=group, **options)
    return str(path)


IN_ORDER = [PETS[name] for name in sorted(PETS)]
CLASSES = [NAMES.index(name.split("/")[0]) for name in sorted(PETS)]


def test_rows_are_the_same_data_as_a_folder_a_zip_and_a_tar(tmp_path: Path) -> None:
    plain = open_data(lay(tmp_path / "plain" / "pets", PETS))
    table = rows(IN_ORDER, CLASSES)
    one = write(tmp_path / "pets.parquet", table)
    home = tmp_path / "pets"
    write(home / "data" / "train-00000-of-00002.parquet", table.slice(0, 3), group=1)
    write(home / "data" / "train-00001-of-00002.parquet", table.slice(3))
    lay(home, {"README.md": b"# pets", ".gitattributes": b""})
    shards = home / "data" / "train-0000{0..1}-of-00002.parquet"
    for place in (one, home, home / "**" / "*.parquet", shards):
        data = open_data(str(place))
        assert reds(data) == [10, 20, 30, 40]
        assert data.manifest["sha256"] == plain.manifest["sha256"]
        assert data.fields == plain.fields
        assert data.notes == ()
        assert open_data(data.manifest["source"]).manifest["sha256"] == plain.manifest["sha256"]
        assert [file["file"] for file in data.manifest["files"]] == [f"{k}.png" for k in range(4)]
        assert [f["bytes"] for f in data.manifest["files"]] == list(map(len, IN_ORDER))
    for other in (pack(tmp_path / "pets.zip", PETS), tar(tmp_path / "pets.tar", PETS)):
        assert open_data(other).manifest["sha256"] == plain.manifest["sha256"]


@settings(deadline=None)
@given(
    values=st.lists(st.integers(0, 255), min_size=1, max_size=12),
    group=st.integers(1, 13),
    batch=st.integers(1, 5),
    data=st.data(),
)
def test_rows_keep_their_order_whatever_the_groups(
    values: list[int], group: int, batch: int, data: Any
) -> None:
    labels = data.draw(st.lists(st.integers(0, 2), min_size=len(values), max_size=len(values)))
    codec = data.draw(st.sampled_from(["snappy", "zstd", "none"]))
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        patch.setattr(parquet, "MOST_BATCH", batch)
        table = rows([png(value) for value in values], labels)
        path = write(Path(folder) / "a.parquet", table, group, compression=codec)
        opened = open_data(path)
    assert reds(opened) == values
    assert opened.arrays["label"].tolist() == labels


# Columns


def test_a_plain_column_of_bytes_and_words_for_classes(tmp_path: Path) -> None:
    for kind in (pa.binary(), pa.large_binary()):
        images = pa.array([png(1), png(2, mode="L"), png(3)], kind)
        words = pa.array(["dog", "cat", "dog"]).dictionary_encode()
        other = pa.array([b"", b"x", b""], pa.binary())
        table = pa.table({"thumb": other, "Category": words, "img": images})
        data = open_data(write(tmp_path / "a.parquet", table))
        assert data.arrays["label"].tolist() == [1, 0, 1]
        assert data.fields["label"].names == ("cat", "dog")  # type: ignore[attr-defined]


def test_whole_numbers_without_names_and_no_classes_at_all(tmp_path: Path) -> None:
    table = pa.table({"x": [png(1), png(2)], "target": pa.array([3, 0], pa.uint8())})
    data = open_data(write(tmp_path / "a.parquet", table))
    assert data.fields["label"].names == ("0", "1", "2", "3")  # type: ignore[attr-defined]
    alone = pa.table({"x": [png(1)], "score": [0.5], "text": ["a"]})
    assert "label" not in open_data(write(tmp_path / "b.parquet", alone)).fields


def test_of_two_lists_of_names_the_first_is_taken_and_said(tmp_path: Path) -> None:
    features = {
        "img": {"_type": "Image"},
        "fine_label": {"names": ["a", "b"], "_type": "ClassLabel"},
        "coarse_label": {"names": ["c"], "_type": "ClassLabel"},
    }
    columns = {"img": [{"bytes": png(1)}], "fine_label": [1], "coarse_label": [0]}
    table = pa.table(columns).replace_schema_metadata(
        {"huggingface": json.dumps({"info": {"features": features}})}
    )
    data = open_data(write(tmp_path / "a.parquet", table))
    assert data.fields["label"].names == ("a", "b")  # type: ignore[attr-defined]
    assert any("column fine_label; there is also coarse_label" in note for note in data.notes)


def test_of_several_a_usual_name_counts_and_names_count_more(tmp_path: Path) -> None:
    kind = {"names": ["a", "b"], "_type": "ClassLabel"}
    columns = {"image": [png(1)], "target": [0], "hair": [0], "category": [1], "label": [5]}
    for marked, wanted in ((("hair", "category"), "category"), (("hair",), "hair"), ((), "label")):
        features = dict.fromkeys(marked, kind)
        metadata = {"huggingface": json.dumps({"info": {"features": features}})}
        table = pa.table(columns).replace_schema_metadata(metadata)
        data = open_data(write(tmp_path / "a.parquet", table))
        assert data.arrays["label"].tolist() == columns[wanted]
        assert any(f"those of the column {wanted};" in note for note in data.notes)


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ({"a": [b"x"], "b": [b"y"]}, "several columns may hold pictures; the columns are a, b"),
        ({"text": ["x"], "n": [1]}, "no column holds pictures; the columns are text, n"),
        ({"image": [{"path": "x"}]}, "no column holds pictures"),
        ({"image": [[1, 2]]}, "no column holds pictures"),
    ],
)
def test_tables_without_pictures_name_their_columns(
    table: dict[str, Any], message: str, tmp_path: Path
) -> None:
    with pytest.raises(DataError, match=message):
        open_data(write(tmp_path / "a.parquet", pa.table(table)))


@pytest.mark.parametrize(
    "metadata",
    [
        b"{", b"[]", b"null", b'{"info": 1}', b'{"info": {"features": []}}', b"[" * 99999, b"\xff",
        b'{"info": {"features": {"label": {"_type": "ClassLabel", "names": [1]}}}}',
        b'{"info": {"features": {"label": {"_type": "ClassLabel", "names": ["a", "a"]}}}}',
        b'{"info": {"features": {"label": 3, "image": [1]}}}',
    ],
)  # fmt: skip
def test_metadata_that_means_nothing_is_passed_over(metadata: bytes, tmp_path: Path) -> None:
    table = rows([png(1), png(2)], [1, 0]).replace_schema_metadata({"huggingface": metadata})
    data = open_data(write(tmp_path / "a.parquet", table))
    assert data.fields["label"].names == ("0", "1")  # type: ignore[attr-defined]


@pytest.mark.parametrize("words", [["dog", "cat"], ["1" * 5000, "2"]])
def test_words_in_a_column_of_numbered_classes_are_their_own_names(
    words: list[str], tmp_path: Path
) -> None:
    table = rows([png(1), png(2)], label=words)
    metadata = {"huggingface": json.dumps({"info": {"features": FEATURES}})}
    data = open_data(write(tmp_path / "a.parquet", table.replace_schema_metadata(metadata)))
    assert data.fields["label"].names == tuple(sorted(words))  # type: ignore[attr-defined]


# Rows that cannot be used


def test_rows_without_bytes_are_skipped_and_paths_are_never_opened(tmp_path: Path) -> None:
    victim = tmp_path / "secret.png"
    victim.write_bytes(png(99))
    images = [
        {"bytes": png(1), "path": None},
        {"bytes": None, "path": str(victim)},
        None,
        {"bytes": b"", "path": ""},
        {"bytes": b"text", "path": "a.png"},
        {"bytes": png(2)[:50], "path": "a.png"},
        {"bytes": png(3), "path": None},
    ]
    table = pa.table({"image": images, "label": [0, 1, 0, 1, 0, 1, 1]})
    data = open_data(write(tmp_path / "a.parquet", table))
    assert reds(data) == [1, 3]
    assert data.arrays["label"].tolist() == [0, 1]
    found = skipped(data)
    assert (found["1"], found["2"]) == ("no bytes", "no bytes")
    assert found["3"] == found["4"] == "not a picture by its first bytes"
    assert set(found) == {"1", "2", "3", "4", "5.png"}


@pytest.mark.parametrize("missing", [None, -1])
def test_a_row_without_a_class_means_no_labels_and_a_note(missing: Any, tmp_path: Path) -> None:
    data = open_data(write(tmp_path / "a.parquet", rows([png(1), png(2)], [missing, 0])))
    assert "label" not in data.fields
    note = "the column label lists no class for 1 pictures, such as 0.png"
    assert any(note in said for said in data.notes)


def test_a_class_beyond_the_names_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="names 3 different classes, its labels go up to 7"):
        open_data(write(tmp_path / "a.parquet", rows([png(1)], [7])))


# Folders of files


def test_of_the_parts_of_a_data_set_the_training_part_is_used(tmp_path: Path) -> None:
    for part, value in (("train", 1), ("test", 2), ("validation", 3)):
        write(tmp_path / "flat" / f"{part}-00000-of-00001.parquet", rows([png(value)]))
        write(tmp_path / "deep" / part / "0000.parquet", rows([png(value)]))
    for folder in ("flat", "deep"):
        data = open_data(str(tmp_path / folder))
        assert reds(data) == [1]
        note = "the part train is used, 1 of 3 files; not test, validation"
        assert note in data.notes
    assert reds(open_data(str(tmp_path / "flat" / "test-*.parquet"))) == [2]
    both = open_data(str(tmp_path / "flat" / "[tv][ea][sl]*.parquet"))
    assert reds(both) == [2, 3]
    assert any("parts test, validation; all are used" in note for note in both.notes)


def test_a_folder_with_pictures_is_a_folder_of_pictures(tmp_path: Path) -> None:
    write(tmp_path / "a.parquet", rows([png(1)]))
    lay(tmp_path, {"z/own.png": png(2)})
    data = open_data(str(tmp_path))
    assert reds(data) == [2]
    assert skipped(data) == {"a.parquet": "no picture by its name"}


def test_a_broken_file_is_skipped_and_the_others_are_used(tmp_path: Path) -> None:
    write(tmp_path / "a.parquet", rows([png(1)], [0]))
    write(tmp_path / "b.parquet", rows([png(2)], [1]))
    whole = (tmp_path / "a.parquet").read_bytes()
    (tmp_path / "c.parquet").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "d.parquet").write_bytes(b"")
    write(tmp_path / "e.parquet", pa.table({"n": [1]}))
    write(tmp_path / "f.parquet", pa.table({"image": [png(3)], "label": [1]}))
    data = open_data(str(tmp_path))
    assert reds(data) == [1, 2]
    found = skipped(data)
    assert set(found) == {"c.parquet", "d.parquet", "e.parquet", "f.parquet"}
    assert "no column holds pictures" in found["e.parquet"]
    assert "other names" in found["f.parquet"]
    with pytest.raises(DataError, match="not one of 2 tables can be read"):
        open_data(str(tmp_path / "[cd].parquet"))


# Hostile and large files


def test_groups_are_bounded_by_what_they_say_and_by_what_they_hold(
    tmp_path: Path, monkeypatch: Any
) -> None:
    noise = png(1) + bytes(60_000)
    path = write(tmp_path / "a.parquet", rows([noise] * 20), group=20, compression="zstd")
    small = write(tmp_path / "b.parquet", rows([noise] * 20), group=20, use_dictionary=False)
    assert len(open_data(path)) == 20
    monkeypatch.setattr(tables, "MOST_GROUP", 100_000)
    with pytest.raises(DataError, match="a group of rows has more than"):
        open_data(path)  # one picture in a dictionary, 20 times in the rows
    with pytest.raises(DataError, match="a row group unpacks to"):
        open_data(small)


def repeated(value: Any, times: int, kind: Any) -> Any:
    """One value in every row, held once in a dictionary."""
    return pa.DictionaryArray.from_arrays(
        pa.array([0] * times, pa.int32()), pa.array([value], kind)
    )


@needs_proc
@pytest.mark.parametrize(
    ("table", "words"),
    [
        (lambda: {"image": repeated(png(1) + bytes(100 << 20), 200, pa.binary())}, "unpacks to 10"),
        (lambda: {"image": pa.array([png(1) + bytes(300 << 20)])}, "unpacks to 30"),
        (lambda: {"image": repeated(png(1) + bytes(900_000), 2000, pa.binary())}, "has more than"),
        (lambda: {"image": pa.nulls(50_000_000, pa.binary())}, "more than 2000000 rows"),
        (lambda: {"image": repeated(png(1), 3000, pa.binary()),
                  "label": repeated("x" * 800_000, 3000, pa.string())}, "a class of 800000 bytes"),
    ],
)  # fmt: skip
def test_a_small_file_does_not_unpack_to_gigabytes(table: Any, words: str, tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    whole = pa.table(table())
    pq.write_table(whole, path, compression="zstd", store_schema=False, row_group_size=10**8)
    del whole
    assert path.stat().st_size < 1 << 20
    with suppress(DataError):
        open_data(str(path))  # libraries take memory once
    told: list[str] = []

    def opened() -> None:
        with pytest.raises(DataError) as caught:
            open_data(str(path))
        told.append(caught.value.message)

    assert peak(opened) < 320 << 20
    assert words in told[0]
    assert "\n" not in told[0]


def test_few_groups_are_held_and_threads_get_the_right_picture(
    tmp_path: Path, monkeypatch: Any
) -> None:
    monkeypatch.setattr(tables, "MOST_HELD", 1000)
    contents = [png(value) for value in range(60)]
    path = write(tmp_path / "a.parquet", rows(contents), group=4)
    held = []
    kept = tables.Groups._pieces

    def spied(self: tables.Groups, table: Any, group: int) -> list[Any]:
        found = kept(self, table, group)
        held.append(self._bytes())
        return found

    monkeypatch.setattr(tables.Groups, "_pieces", spied)
    source = kinds.source_of(Path(path))
    with ThreadPoolExecutor(8) as pool:
        order = [*range(60), *reversed(range(60))] * 3
        found = list(pool.map(lambda k: source.pictures[k].read(), order))
    assert found == [contents[k] for k in order]
    group = 4 * max(map(len, contents))
    assert max(held) < 1000 + 3 * (group + 64)


def test_rows_are_read_in_order_with_one_look_at_each_group(
    tmp_path: Path, monkeypatch: Any
) -> None:
    path = write(tmp_path / "a.parquet", rows([png(k) for k in range(200)]), group=50)
    looks = []
    pieces = parquet.ParquetTable.pieces
    monkeypatch.setattr(
        parquet.ParquetTable,
        "pieces",
        lambda self, group: looks.append(group) or pieces(self, group),
    )
    assert reds(open_data(path)) == list(range(200))
    assert looks[:4] == [0, 1, 2, 3]  # sizes and classes
    assert sorted(looks[4:]) == [0, 1, 2, 3]  # what is decoded, by several threads


def test_too_many_rows_are_refused(tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.setattr(tables, "MOST_ENTRIES", 3)
    with pytest.raises(DataError, match="more than 3 rows"):
        open_data(write(tmp_path / "a.parquet", rows([png(1)] * 4)))


@settings(deadline=None)
@given(st.integers(0, 10**6), st.binary(min_size=1, max_size=4))
def test_no_changed_bytes_make_it_crash(place: int, change: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(write(Path(folder) / "a.parquet", rows([png(1), png(2)], [0, 1])))
        content = bytearray(path.read_bytes())
        at = place % len(content)
        content[at : at + len(change)] = change
        path.write_bytes(content)
        with suppress(DataError):
            assert len(open_data(str(path))) <= 2


def test_a_table_that_changes_while_it_is_read_costs_its_rows(tmp_path: Path) -> None:
    path = Path(write(tmp_path / "a.parquet", rows([png(1), png(2)])))
    source = kinds.source_of(path)
    write(path, rows([png(1)]))
    with pytest.raises(OSError, match="the table has changed"):
        source.pictures[1].read()


def test_without_the_package_the_extra_is_named(tmp_path: Path, monkeypatch: Any) -> None:
    path = write(tmp_path / "a.parquet", rows([png(1)]))
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(DataError) as caught:
        open_data(path)
    assert caught.value.suggestion == "pip install 'mulligan[parquet]'"


def test_what_is_kept_is_found_again_and_changes_with_the_file(tmp_path: Path) -> None:
    path = write(tmp_path / "a.parquet", rows([png(k % 250) for k in range(600)]), group=100)
    first = open_data(path)
    again = open_data(path)
    assert torch.equal(first.arrays["real"], again.arrays["real"])
    write(tmp_path / "a.parquet", rows([png(7)] * 600), group=100)
    assert set(reds(open_data(path))) == {7}


def test_folders_of_tables_are_walked_as_folders_of_pictures_are(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    write(outside / "b.parquet", rows([png(2)]))
    home = tmp_path / "home"
    write(home / "a.parquet", rows([png(1)]))
    write(home / ".hidden" / "c.parquet", rows([png(3)]))
    (home / "link").symlink_to(outside)
    (home / "again").symlink_to(home)
    (home / "loop").symlink_to(home / "loop")
    assert reds(open_data(str(home))) == [1, 2]

"""One set of pictures in many forms is one data set; lists of classes; hostile archives."""

from __future__ import annotations

import gzip
import io
import json
import os
import sys
import tarfile
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from data.test_folder import lay, pack, png, reds, skipped
from mulligan.data import tars
from mulligan.data.labelling import class_of_each
from mulligan.data.open import open_data
from mulligan.data.sources import Entry
from mulligan.errors import DataError, StorageError
from mulligan.fields import Label

PETS = {
    "dog/b.png": png(30),
    "cat/z.png": png(20),
    "cat/a.png": png(10),
    "emu/x/y.png": png(40),
}


def tar(path: Path, files: dict[str, bytes], mode: Any = "w", **kinds: Any) -> str:
    """A tar with these files, and members of other kinds as name=TarInfo changes."""
    path.parent.mkdir(exist_ok=True)
    with tarfile.open(path, mode) as archive:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
        for name, changes in kinds.items():
            member = tarfile.TarInfo(changes.pop("name", name))
            for key, value in changes.items():
                setattr(member, key, value)
            archive.addfile(member)
    return str(path)


def form(kind: str, tmp_path: Path) -> str:
    root = tmp_path / "pets"
    if kind in ("folder", "pattern", "list"):
        lay(root, PETS)
    if kind == "pattern":
        return str(root / "**" / "*.png")
    if kind == "list":
        names = "\n".join(["# pets", *(f"pets/{name}" for name in reversed(PETS)), ""])
        (tmp_path / "pets.txt").write_text(names)
        return str(tmp_path / "pets.txt")
    if kind == "zip":
        return pack(tmp_path / "pets.zip", PETS)
    modes = {"tar": "w", "tar.gz": "w:gz", "tgz": "w:gz", "tar.bz2": "w:bz2", "tar.xz": "w:xz"}
    return tar(tmp_path / f"pets.{kind}", PETS, modes[kind]) if kind in modes else str(root)


@pytest.mark.parametrize(
    "kind", ["zip", "tar", "tar.gz", "tgz", "tar.bz2", "tar.xz", "pattern", "list"]
)
def test_every_form_is_the_same_data_set(kind: str, tmp_path: Path) -> None:
    plain = open_data(lay(tmp_path / "plain" / "pets", PETS))
    other = open_data(form(kind, tmp_path))
    assert reds(other) == [10, 20, 30, 40]
    assert other.name == plain.name == "pets"
    assert other.fields == plain.fields
    assert torch.equal(other.arrays["label"], plain.arrays["label"])
    assert other.manifest["sha256"] == plain.manifest["sha256"]
    again = open_data(other.manifest["source"])  # what a resume opens
    assert again.manifest["sha256"] == plain.manifest["sha256"]


def test_a_compressed_tar_leaves_nothing_behind(tmp_path: Path, monkeypatch: Any) -> None:
    place = tmp_path / "temporary"
    place.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(place))
    open_data(tar(tmp_path / "pets.tar.gz", PETS, "w:gz"))
    assert list(place.iterdir()) == []
    bomb = tmp_path / "bomb.tar.gz"
    bomb.write_bytes(gzip.compress(bytes(1 << 24)))
    monkeypatch.setattr(tars, "RATIO_FROM", 1 << 16)
    with pytest.raises(DataError, match="grows to more than"):
        open_data(str(bomb))
    assert list(place.iterdir()) == []


def test_members_that_are_no_plain_files_are_skipped_with_reasons(tmp_path: Path) -> None:
    victim = tmp_path / "secret.png"
    victim.write_bytes(png(99))
    path = tar(
        tmp_path / "odd.tar",
        {"good.png": png(1), "../up.png": png(2), "/abs.png": png(3), "a/../b.png": png(4),
         "c:/d.png": png(5), "notes.md": b"", ".hidden.png": png(6)},
        link={"name": "link.png", "type": tarfile.SYMTYPE, "linkname": str(victim)},
        hard={"name": "hard.png", "type": tarfile.LNKTYPE, "linkname": "good.png"},
        pipe={"name": "pipe.png", "type": tarfile.FIFOTYPE},
        device={"name": "disk.png", "type": tarfile.BLKTYPE, "devmajor": 8},
    )  # fmt: skip
    data = open_data(path)
    assert reds(data) == [1]
    assert skipped(data) == {
        "../up.png": "a name with '..'",
        "/abs.png": "an absolute name",
        "a/../b.png": "a name with '..'",
        "c:/d.png": "an absolute name",
        "notes.md": "no picture by its name",
        "link.png": "a link",
        "hard.png": "a link",
        "pipe.png": "not a plain file",
        "disk.png": "not a plain file",
    }
    assert sorted(file.name for file in tmp_path.iterdir()) == ["odd.tar", "secret.png"]


@pytest.mark.parametrize("cut", [1, 100, 200])
@pytest.mark.parametrize("kind", ["tar", "tar.gz", "tar.xz"])
def test_a_tar_that_is_cut_off_is_refused_or_read_as_far_as_it_goes(
    kind: str, cut: int, tmp_path: Path
) -> None:
    whole = Path(form(kind, tmp_path))
    whole.write_bytes(whole.read_bytes()[:cut])
    with suppress(DataError):
        assert 0 < len(open_data(str(whole))) < 4


@pytest.mark.parametrize("kind", ["tar", "tar.gz"])
def test_a_tar_that_is_damaged_in_the_middle_is_not_half_a_data_set(
    kind: str, tmp_path: Path
) -> None:
    path = Path(tar(tmp_path / "a.tar", {f"{k}.png": png(k) for k in range(9)}))
    content = path.read_bytes().replace(b"5.png\0", b"5.pnG\0")
    path = tmp_path / f"b.{kind}"
    path.write_bytes(gzip.compress(content) if kind == "tar.gz" else content)
    with pytest.raises(DataError, match="damaged after 5 members"):
        open_data(str(path))


def headed(kind: bytes, size: int, times: int) -> bytes:
    """So many headers of this kind, one after the other."""
    member = tarfile.TarInfo("long")
    member.type, member.size = kind, size
    return (member.tobuf(tarfile.GNU_FORMAT) + bytes(-(-size // 512) * 512)) * times


@pytest.mark.parametrize(
    ("kind", "size", "times", "words"),
    [
        (tarfile.GNUTYPE_LONGNAME, 6, 3000, "recursion"),
        (tarfile.GNUTYPE_LONGNAME, 2 << 20, 1, "a header of 2097152 bytes"),
        (tarfile.XHDTYPE, 2 << 20, 1, "a header of 2097152 bytes"),
    ],
)
def test_headers_of_a_tar_are_few_and_short(
    kind: bytes, size: int, times: int, words: str, tmp_path: Path
) -> None:
    path = Path(tar(tmp_path / "a.tar", {"a.png": png(1)}))
    path.write_bytes(headed(kind, size, times) + path.read_bytes())
    with pytest.raises(DataError, match=words):
        open_data(str(path))


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="a disk that is full")
def test_no_room_to_unpack_is_no_fault_of_the_data(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else a shard would be left out, and the data be others."""
    for name in ("a", "b"):
        tar(tmp_path / "pets" / f"{name}.tar.gz", {f"{name}.png": png(1)}, "w:gz")
    made = tmp_path / "unpacked"

    def full(**words: str) -> tuple[int, str]:
        made.touch()
        return os.open("/dev/full", os.O_WRONLY), str(made)

    monkeypatch.setattr(tempfile, "mkstemp", full)
    with pytest.raises(StorageError, match="no room to unpack") as told:
        open_data(str(tmp_path / "pets"))
    assert "TMPDIR" in told.value.suggestion
    assert not made.exists()


@given(
    content=st.binary(max_size=2000), sign=st.sampled_from([b"", b"\x1f\x8b", b"BZh", b"\xfd7z"])
)
def test_no_bytes_make_it_crash(content: bytes, sign: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "any.tar"
        path.write_bytes(sign + content)
        with pytest.raises(DataError):
            open_data(str(path))


@pytest.mark.skipif(sys.version_info >= (3, 13), reason="** is taken for * there")
def test_two_stars_beside_letters_are_no_pattern(tmp_path: Path) -> None:
    lay(tmp_path, {"a.png": png(1)})
    with pytest.raises(DataError, match="no pattern") as told:
        open_data(f"{tmp_path}/**.png")
    assert "**/*.png" in told.value.suggestion


def test_patterns_and_lists_that_hold_nothing_say_so(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no file matches"):
        open_data(str(tmp_path / "*.png"))
    (tmp_path / "list.txt").write_text("gone.png\n")
    with pytest.raises(DataError, match=r"gone\.png \(cannot be opened"):
        open_data(str(tmp_path / "list.txt"))


# Lists of classes

FILES = ["a/one.png", "a/two.png", "b/three.png"]


def classes(name: str, content: str, files: list[str] = FILES) -> Any:
    entry = Entry(name, len(content), lambda: io.BytesIO(content.encode()))  # type: ignore[arg-type]
    return class_of_each(entry, files, [])


WORDS = ([1, 0, 1], ("cat", "dog"))
NUMBERS = ([2, 0, 2], ("0", "1", "2"))
TENS = ([10, 9, 10], tuple(map(str, range(11))))

WINDOWS = "\ufefffile_name,label\n./a/one.png,2\na\\two.png,0\nb/three.png,2\n"
LINES = """{"file_name": "a/one.png", "label": "dog"}

{"file_name": "a/two.png", "label": "cat"}
{"file_name": "b/three.png", "label": "dog"}
"""
PAIRS = "\n".join(
    json.dumps({"image": file, "class": number})
    for file, number in zip(FILES, NUMBERS[0], strict=True)
)
NAMED = json.dumps({"labels": dict(zip(FILES, WORDS[0], strict=True)), "classes": WORDS[1]})


@pytest.mark.parametrize(
    ("name", "content", "wanted"),
    [
        ("labels.csv", "a/one.png,dog\na/two.png,cat\nb/three.png,dog\n", WORDS),
        ("labels.csv", "file,label\none.png,dog\ntwo.png,cat\nthree.png,dog\n", WORDS),
        ("metadata.csv", "id,breed,Class\none,x,dog\ntwo,y,cat\nthree,z,dog\n", WORDS),
        ("labels.csv", WINDOWS, NUMBERS),
        ("labels.csv", "one.png,10\ntwo.png,9\nthree.png,10\n", TENS),
        ("metadata.jsonl", LINES, WORDS),
        ("labels.jsonl", PAIRS, NUMBERS),
        ("dataset.json", NAMED, WORDS),
        ("dataset.json", json.dumps({"labels": None}), None),
    ],
)
def test_lists_of_classes(name: str, content: str, wanted: Any) -> None:
    assert classes(name, content) == wanted


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("labels.csv", "", "is empty"),
        ("labels.csv", "a,b,c\n1,2,3\n", "no columns for the file"),
        ("labels.csv", "one.png,cat\none.png,dog\n", "one.png two classes, cat and dog"),
        ("labels.jsonl", '{"file": "one.png"}\n', "has the row"),
        ("labels.jsonl", '{"file": "one.png", "label": [1, 2]}\n', "has the row"),
        ("labels.jsonl", "[1, 2]\n", "has the row"),
        ("labels.jsonl", "{", "cannot be read"),
        ("labels.csv", "file,label\none,200000\ntwo,0\nthree,0\n", "has the class 200000"),
        ("dataset.json", '{"labels": [["a/one.png", -1]]}', r"\[file name, class index\] is right"),
    ],
)
def test_lists_that_are_wrong_say_what_would_be_right(
    name: str, content: str, message: str
) -> None:
    with pytest.raises(DataError, match=message):
        classes(name, content)


def test_a_short_name_counts_only_where_one_file_has_it() -> None:
    files = ["a/x.png", "b/x.png"]
    assert classes("labels.csv", "x.png,cat\n", files) is None
    assert classes("labels.csv", "a/x.png,dog\nb/x.png,cat\n", files) == ([1, 0], ("cat", "dog"))


def test_a_picture_without_a_class_means_no_labels_and_a_note(tmp_path: Path) -> None:
    files = {**PETS, "labels.csv": b"dog/b.png,1\n"}
    data = open_data(lay(tmp_path / "pets", files))
    assert "label" not in data.fields
    assert any("lists no class for 3 pictures, such as cat/a.png" in note for note in data.notes)


def test_the_list_lies_at_the_root_or_in_the_one_folder_that_holds_all(tmp_path: Path) -> None:
    rows = b"file,label\nx.png,one\ny.png,two\n"
    inner = {"set/x.png": png(1), "set/y.png": png(2), "set/labels.csv": rows}
    data = open_data(lay(tmp_path / "inner", inner))
    assert data.arrays["label"].tolist() == [0, 1]
    beside = {**inner, "other/z.png": png(3)}
    data = open_data(lay(tmp_path / "beside", beside))
    assert data.arrays["label"].tolist() == [0, 1, 1]  # folders: other, set
    assert "set/labels.csv" in skipped(data)
    both = {"x.png": png(1), "y.png": png(2), "labels.csv": rows, "metadata.jsonl": b"{}"}
    data = open_data(lay(tmp_path / "both", both))
    assert skipped(data) == {"metadata.jsonl": "not the list of classes: labels.csv"}


def test_the_free_set_with_a_list_in_its_zip() -> None:
    if "MULLIGAN_DATA" not in os.environ:
        pytest.skip("needs the real sets")
    found = sorted(Path(os.environ["MULLIGAN_DATA"]).glob("tinyhero/*.zip"))
    if not found:
        pytest.skip("needs tinyhero")
    data = open_data(str(found[0]))
    assert len(data.fields["label"].names) == 4  # type: ignore[attr-defined]


def test_parts_of_a_set_are_no_classes(tmp_path: Path) -> None:
    files = {f"{part}/{name}": png(k) for k, (part, name) in enumerate(
        [("train", "cat/a.png"), ("train", "dog/b.png"), ("val", "cat/c.png")])}  # fmt: skip
    data = open_data(lay(tmp_path / "set", files))
    assert data.arrays["label"].tolist() == [0, 1, 0]
    assert data.fields["label"].names == ("cat", "dog")  # type: ignore[attr-defined]
    assert any("train, val are parts, not classes" in note for note in data.notes)
    flat = {"train/a.png": png(1), "test/b.png": png(2)}
    assert "label" not in open_data(lay(tmp_path / "flat", flat)).fields


def test_a_list_that_is_damaged_in_its_zip_is_an_error_of_the_data(tmp_path: Path) -> None:
    rows = b"".join(b"%d.png,%d\n" % (k, k % 2) for k in range(600))
    files = {**{f"{k}.png": png(k % 256) for k in range(600)}, "labels.csv": rows}
    path = Path(pack(tmp_path / "set.zip", files))
    content = bytearray(path.read_bytes())
    at = content.index(b"labels.csv") + len("labels.csv") + 20
    content[at : at + 10] = bytes(10)
    path.write_bytes(content)
    with pytest.raises(DataError, match=r"labels\.csv cannot be read"):
        open_data(str(path))  # enough pictures for a store, whose key reads the list too


def test_endless_parts_in_parts_are_classes_in_the_end() -> None:
    notes: list[str] = []
    files = [f"{part}/" * 3000 + "a.png" for part in ("train", "test")]
    found = class_of_each(None, files, notes)
    assert found is not None
    assert found[1] == ("test", "train")
    assert len(notes) == 4
    assert class_of_each(None, [f"{part}/{part}/cat/a" for part in ("train", "test")], []) is None


def test_a_number_of_more_digits_than_can_be_read_is_a_word(tmp_path: Path) -> None:
    long = "1" * 5000
    pair = {"a.png": png(1), "b.png": png(2)}
    data = open_data(lay(tmp_path / "a", {**pair, "labels.csv": f"a.png,{long}\nb.png,2".encode()}))
    assert data.fields["label"] == Label((long, "2"))


def test_folders_of_two_unpaired_kinds_are_two_classes(tmp_path: Path) -> None:
    names = ["trainA/1.png", "trainA/2.png", "testA/3.png", "trainB/4.png", "testB/5.png"]
    data = open_data(lay(tmp_path / "set", {name: png(k) for k, name in enumerate(names)}))
    assert data.fields["label"] == Label(("A", "B"))
    assert data.arrays["label"].tolist() == [0, 1, 0, 0, 1]  # in order of name: testA, testB, ...
    assert any("testA, testB, trainA, trainB are parts of the classes" in n for n in data.notes)
    mixed = open_data(lay(tmp_path / "other", {"trainA/1.png": png(1), "trainb/2.png": png(2)}))
    assert mixed.fields["label"] == Label(("trainA", "trainb"))

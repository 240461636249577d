"""WebDataset shards: the same pictures in any number of tars are the same data; hostile shards."""

from __future__ import annotations

import gzip
import io
import json
import tarfile
import tempfile
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from data.test_folder import lay, pack, png, reds, skipped
from data.test_forms import PETS, tar
from mulligan.data import lists, shards, tars
from mulligan.data.lists import expand, is_pattern
from mulligan.data.open import open_data
from mulligan.errors import DataError

HALVES = [dict(list(PETS.items())[::2]), dict(list(PETS.items())[1::2])]


def same(one: Any, other: Any) -> None:
    assert one.manifest["sha256"] == other.manifest["sha256"]
    assert one.manifest["files"] == other.manifest["files"]
    assert one.fields == other.fields
    assert torch.equal(one.arrays["label"], other.arrays["label"])


def classes(data: Any) -> dict[str, str]:
    names = data.fields["label"].names
    files = [file["file"] for file in data.manifest["files"]]
    return dict(zip(files, (names[k] for k in data.arrays["label"].tolist()), strict=True))


def shard(folder: Path, number: int, files: dict[str, bytes], kind: str = "tar") -> str:
    folder.mkdir(parents=True, exist_ok=True)
    mode = {"tar": "w", "tar.gz": "w:gz", "tgz": "w:gz", "tar.xz": "w:xz"}[kind]
    return tar(folder / f"train-{number:04d}.{kind}", files, mode)


@pytest.mark.parametrize("kind", ["tar", "tar.gz", "tar.xz"])
def test_shards_are_the_same_data_as_a_folder_a_zip_and_one_tar(kind: str, tmp_path: Path) -> None:
    plain = open_data(lay(tmp_path / "plain" / "pets", PETS))
    same(open_data(pack(tmp_path / "pets.zip", PETS)), plain)
    same(open_data(tar(tmp_path / "pets.tar", PETS)), plain)
    home = tmp_path / "pets"
    for number, files in enumerate(HALVES):
        shard(home, number, files, kind)
    places = [home, home / "*.*", home / f"train-{{0000..0001}}.{kind}"]
    for place in [*places, home / f"train-000{{1,0}}.{kind}"]:
        data = open_data(str(place))
        same(data, plain)
        assert data.name == "pets"
        assert not data.manifest["skipped"]
        same(open_data(data.manifest["source"]), plain)  # what a resume opens


@settings(deadline=None)
@given(st.lists(st.integers(0, 2), min_size=4, max_size=4), st.permutations(list(PETS)))
def test_it_does_not_matter_which_picture_lies_in_which_shard(
    places: list[int], order: list[str]
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        plain = open_data(tar(root / "pets.tar", PETS))
        for number in range(3):
            names = [name for name, place in zip(order, places, strict=True) if place == number]
            shard(root / "pets", number, {name: PETS[name] for name in names})
        same(open_data(str(root / "pets")), plain)


def test_a_list_of_classes_lies_in_a_shard_or_beside_them(tmp_path: Path) -> None:
    rows = b"file,label\na.png,cat\nb.png,dog\n"
    inner = tmp_path / "inner"
    shard(inner, 0, {"a.png": png(1), "labels.csv": rows})
    shard(inner, 1, {"b.png": png(2)})
    beside = tmp_path / "beside"
    lay(beside, {"labels.csv": rows})
    shard(beside, 0, {"a.png": png(1)})
    shard(beside, 1, {"b.png": png(2)})
    for folder in (inner, beside):
        assert classes(open_data(str(folder))) == {"a.png": "cat", "b.png": "dog"}


# Samples


@pytest.mark.parametrize("many", [False, True])
def test_the_class_stands_in_cls_or_in_json(many: bool, tmp_path: Path) -> None:
    files = {
        "x/000.jpg.png": png(1),
        "x/000.cls": b"dog\n",
        "x/000.json": b'{"label": "wrong"}',
        "y/001.png": png(2),
        "y/001.json": b'{"caption": "a cat", "Class": "cat"}',
        "y/001.txt": b"a cat",
    }
    parts = [dict(list(files.items())[:3]), dict(list(files.items())[3:])] if many else [files]
    for number, part in enumerate(parts):
        path = shard(tmp_path / "set", number, part)
    data = open_data(str(tmp_path / "set") if many else path)
    assert classes(data) == {"x/000.jpg.png": "dog", "y/001.png": "cat"}
    reasons = {name.rpartition("/")[2]: why for name, why in skipped(data).items()}
    assert reasons == {  # the .json of 000 was read, and the .cls of the same sample came first
        "*.txt": "1 parts of samples, neither picture nor class"
    }


def test_numbers_are_classes_by_number_and_both_pictures_of_a_sample_have_one(
    tmp_path: Path,
) -> None:
    files = {"a.png": png(1), "a.cls": b"2", "b.left.png": png(2), "b.right.png": png(3)}
    data = open_data(shard(tmp_path, 0, {**files, "b.cls": b"0"}))
    assert data.fields["label"].names == ("0", "1", "2")  # type: ignore[attr-defined]
    assert data.arrays["label"].tolist() == [2, 0, 0]


@pytest.mark.parametrize(
    "content", [b"", b"\xff\xfe\x00", b"x" * 1001, b"x" * (tars.MOST_SIDE + 1)]
)
def test_a_cls_that_says_nothing_means_no_labels_and_a_note(content: bytes, tmp_path: Path) -> None:
    files = {"a.png": png(1), "a.cls": content, "b.png": png(2), "b.cls": b"1"}
    data = open_data(shard(tmp_path, 0, files))
    assert "label" not in data.fields
    assert any(".cls and .json members lists no class for 1 pictures" in n for n in data.notes)
    assert skipped(data) == {"*.cls": "1 parts of samples, neither picture nor class"}


@pytest.mark.parametrize(
    "content",
    [b"[1]", b"{", b'{"label": 1.5}', b'{"label": true}', b'{"label": [1]}', b"[" * 9999, b"{}"],
)
def test_json_without_a_class_leaves_the_class_to_the_folders(
    content: bytes, tmp_path: Path
) -> None:
    files = {"cat/a.png": png(1), "cat/a.json": content, "dog/b.png": png(2)}
    data = open_data(shard(tmp_path, 0, files))
    assert classes(data) == {"cat/a.png": "cat", "dog/b.png": "dog"}


def test_a_side_that_is_too_long_is_not_read(tmp_path: Path) -> None:
    for extra, wanted in ((0, True), (1, False)):
        content = b'{"label": "cat"}'
        content += b" " * (tars.MOST_SIDE - len(content) + extra)
        data = open_data(shard(tmp_path, extra, {"a.png": png(1), "a.json": content}))
        assert ("label" in data.fields) == wanted


def test_samples_come_before_a_list_of_classes_which_is_named(tmp_path: Path) -> None:
    rows = b"file,label\na.png,cat\nb.png,dog\n"
    files = {"a.png": png(1), "b.png": png(2), "a.cls": b"x", "b.cls": b"y", "labels.csv": rows}
    data = open_data(shard(tmp_path, 0, {**files, "lone.json": b'{"label": "z"}'}))
    assert classes(data) == {"a.png": "x", "b.png": "y"}
    assert len(data.manifest["skipped"]) == 2
    assert skipped(data) == {
        "labels.csv": "not the list of classes: the samples say theirs",
        "lone.json": "no picture by its name",
    }


def test_members_of_the_same_name_are_told_apart_by_their_shard(tmp_path: Path) -> None:
    shard(tmp_path, 0, {"cat/0.png": png(1), "dog/0.png": png(2), "dog/9.png": png(9)})
    shard(tmp_path, 1, {"cat/0.png": png(3), "dog/0.png": png(4)})
    data = open_data(str(tmp_path))
    assert classes(data) == {
        "cat/train-0000-0.png": "cat", "cat/train-0001-0.png": "cat", "dog/9.png": "dog",
        "dog/train-0000-0.png": "dog", "dog/train-0001-0.png": "dog",
    }  # fmt: skip
    assert reds(data) == [1, 3, 9, 2, 4]


def test_each_shard_counts_its_samples_from_zero(tmp_path: Path) -> None:
    for number, word in enumerate((b"cat", b"dog")):
        shard(tmp_path, number, {"0.png": png(number), "0.cls": word})
    found = classes(open_data(str(tmp_path)))
    assert found == {"train-0000-0.png": "cat", "train-0001-0.png": "dog"}


def test_the_same_name_twice_in_one_shard_is_no_second_picture(tmp_path: Path) -> None:
    shard(tmp_path, 0, {"x.png": png(1)}, "tar")
    shard(tmp_path, 0, {"x.png": png(2)}, "tgz")
    data = open_data(str(tmp_path / "train-0000.t*"))
    assert reds(data) == [1]
    assert skipped(data) == {"train-0000.tgz/x.png": "a second member of the same name"}


def test_of_two_members_of_one_name_the_first_says_the_class(tmp_path: Path) -> None:
    path = shard(tmp_path, 0, {"a.png": png(1), "a.cls": b"x", "b.png": png(2), "b.cls": b"y"})
    tar(Path(path), {"a.cls": b"z", "b.png": png(3)}, "a")
    data = open_data(path)
    assert classes(data) == {"a.png": "x", "b.png": "y"}
    assert reds(data) == [1, 2]
    assert skipped(data) == dict.fromkeys(["a.cls", "b.png"], "a second member of the same name")


# Which folders and patterns are shards


def test_a_folder_with_anything_else_is_a_folder_of_pictures(tmp_path: Path) -> None:
    shard(tmp_path, 0, PETS)
    lay(tmp_path, {".hidden": b"", "Thumbs.db": b""})
    assert len(open_data(str(tmp_path))) == 4
    lay(tmp_path, {"own.png": png(77)})
    data = open_data(str(tmp_path))
    assert reds(data) == [77]
    assert skipped(data) == {"train-0000.tar": "an archive inside the data"}


def test_braces_count_and_list() -> None:
    assert expand("a{08..11}b") == ["a08b", "a09b", "a10b", "a11b"]
    assert expand("{2..0}") == ["2", "1", "0"]
    assert expand("{x,y}{0..1}.{png,}") == [
        "x0.png", "x0.", "x1.png", "x1.", "y0.png", "y0.", "y1.png", "y1.",
    ]  # fmt: skip
    assert expand("plain{}") == ["plain{}"]
    for pattern in ("{0..100000}", "{0..999}{0..999}", "{0..999999999}"):
        with pytest.raises(DataError, match="more than 100,000 names"):
            expand(pattern)


@given(st.text(alphabet="ab01{}.,/", max_size=30))
def test_any_words_can_be_expanded(words: str) -> None:
    try:
        found = expand(words)
    except DataError:
        return
    assert (found == [words]) == (lists.BRACES.search(words) is None)
    assert is_pattern(words) == (lists.BRACES.search(words) is not None)


def test_braces_name_pictures_too_and_a_name_that_exists_is_no_pattern(tmp_path: Path) -> None:
    plain = open_data(lay(tmp_path / "{a,b}", PETS))
    assert plain.name == "{a,b}"
    lay(tmp_path / "pets", PETS)
    data = open_data(str(tmp_path / "pets" / "{cat,dog,emu}" / "**" / "*.png"))
    same(data, plain)
    few = open_data(str(tmp_path / "pets" / "cat" / "{a,z,gone}.png"))
    assert reds(few) == [10, 20]
    assert skipped(few) == {"gone.png": "cannot be opened: No such file or directory"}
    with pytest.raises(DataError, match="no file matches"):
        open_data(str(tmp_path / "pets" / "{x,y}.png"))


# Broken and hostile shards


def test_a_broken_shard_is_skipped_and_the_others_are_used(tmp_path: Path) -> None:
    shard(tmp_path, 0, HALVES[0])
    shard(tmp_path, 1, HALVES[1])
    (tmp_path / "train-0002.tar").write_bytes(b"no tar at all" * 100)
    bomb = io.BytesIO()
    bomb.write(gzip.compress(bytes(1 << 24)))
    (tmp_path / "train-0003.tar.gz").write_bytes(bomb.getvalue())
    (tmp_path / "gone.tar").symlink_to(tmp_path / "nowhere.tar")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tars, "RATIO_FROM", 1 << 16)
        data = open_data(str(tmp_path / "*.tar*"))
        named = open_data(str(tmp_path / "train-{0000..0001}.tar"))
        listed = open_data(str(tmp_path / "train-{0000..0004}.tar"))
    assert reds(data) == reds(named) == reds(listed) == [10, 20, 30, 40]
    found = skipped(data)
    assert set(found) == {"train-0002.tar", "train-0003.tar.gz"}
    assert "not a tar that can be read" in found["train-0002.tar"]
    assert "grows to more than" in found["train-0003.tar.gz"]
    assert "No such file" in skipped(listed)["train-0004.tar"]


def test_nothing_but_broken_shards_is_an_error(tmp_path: Path) -> None:
    lay(tmp_path, {"a.tar": b"?" * 2000, "b.tar.gz": b"\x1f\x8b??"})
    with pytest.raises(DataError, match=r"not one of 2 tars can be read: .*a\.tar"):
        open_data(str(tmp_path))


def test_every_rule_of_tars_holds_for_each_shard(tmp_path: Path) -> None:
    victim = tmp_path / "secret.png"
    victim.write_bytes(png(99))
    home = tmp_path / "set"
    shard(home, 0, {"good.png": png(1)})
    link = {"name": "link.png", "type": tarfile.SYMTYPE, "linkname": str(victim)}
    hard = {"name": "h.cls", "type": tarfile.LNKTYPE, "linkname": "good.png"}
    odd = {"../up.png": png(2), "/abs.png": png(3), ".hidden.png": png(4), "../good.cls": b"x"}
    tar(home / "train-0001.tar", odd, link=link, hard=hard)
    data = open_data(str(home))
    assert reds(data) == [1]
    assert skipped(data) == {
        "train-0001.tar/../up.png": "a name with '..'",
        "train-0001.tar/../good.cls": "a name with '..'",
        "train-0001.tar//abs.png": "an absolute name",
        "train-0001.tar/link.png": "a link",
        "train-0001.tar/h.cls": "a link",
    }
    assert "label" not in data.fields


def test_what_compressed_shards_were_unpacked_to_is_gone(tmp_path: Path, monkeypatch: Any) -> None:
    place = tmp_path / "temporary"
    place.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(place))
    for number, files in enumerate(HALVES):
        shard(tmp_path / "set", number, files, "tgz")
    source = shards.from_files(shards.in_folder(tmp_path / "set"))
    assert len(list(place.iterdir())) == 2
    source.close()
    assert list(place.iterdir()) == []
    monkeypatch.setattr(shards, "MOST_ENTRIES", 3)
    with pytest.raises(DataError, match="more than 3 pictures"):
        open_data(str(tmp_path / "set"))
    assert list(place.iterdir()) == []


@settings(deadline=None)
@given(st.lists(st.binary(max_size=1200), min_size=1, max_size=3))
def test_no_bytes_make_shards_crash(contents: list[bytes]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        for number, content in enumerate(contents):
            (Path(folder) / f"{number}.tar").write_bytes(content)
        with pytest.raises(DataError):
            open_data(folder)


@settings(deadline=None)
@given(st.dictionaries(st.text("ab.", min_size=1, max_size=4), st.text("xy1", max_size=2)))
def test_every_sample_gets_the_class_that_its_key_says(table: dict[str, str]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        keys = {name.partition(".")[0]: word for name, word in table.items() if name[0] != "."}
        files = {f"{key}.{n}.png": png(n) for n, key in enumerate(keys)}
        sides = {f"{key}.json": json.dumps({"label": word}).encode() for key, word in keys.items()}
        if not files:
            return
        data = open_data(tar(Path(folder) / "set.tar", files | sides))
        if all(keys.values()):
            numbers = all(word.isdigit() for word in keys.values())
            wanted = {f: str(int(w)) if numbers else w for f, w in zip(files, keys.values())}  # noqa: B905
            assert classes(data) == wanted
        else:
            assert "label" not in data.fields

"""Many files in little memory: the same entries in the same order as a list would hold."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
import zipfile
from functools import partial
from pathlib import Path
from typing import BinaryIO

import pytest
from hypothesis import given
from hypothesis import strategies as st

from data.test_folder import PETS, lay, pack, png
from mulligan.data import dataset, index, packed
from mulligan.data.dataset import content_sha256
from mulligan.data.index import Entry, Index, Shared
from mulligan.data.kinds import source_of
from mulligan.data.open import open_data
from mulligan.data.packed import Skips, in_order
from mulligan.data.sources import Source, from_folder

NAMES = st.text(st.sampled_from("ab/-.0é猫\udcff"), max_size=8)


def own(content: bytes) -> BinaryIO:
    return io.BytesIO(content)


def how(label: str, name: str, size: int, at: int) -> BinaryIO:
    return io.BytesIO(f"{label} {name} {size} {at}".encode("utf-8", "surrogatepass"))


def entries(names: list[str]) -> list[Entry]:
    """Three kinds of openers, sizes and stamps at the ends of their ranges."""
    ways = [partial(how, "one"), partial(how, "two")]
    made = []
    for k, name in enumerate(names):
        size, stamp = 3 * k, (-1) ** k * k * 2**50
        alike = Shared(ways[k % 2], name, size, k * 2**40)
        made.append(
            Entry(
                name,
                size,
                alike if k % 3 else partial(own, name.encode("utf-8", "surrogatepass")),
                stamp,
            )
        )
    return made


def told(entry: Entry) -> tuple[str, int, int, bytes]:
    return entry.name, entry.size, entry.stamp, entry.read()


@given(st.lists(NAMES, max_size=30), st.integers(1, 5))
def test_an_index_is_the_list_of_its_entries(names: list[str], block: int) -> None:
    plain, many = entries(names), Index()
    for entry in plain:
        many.append(entry)
    assert [told(entry) for entry in many] == [told(entry) for entry in plain]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(packed, "BLOCK", block)
        many.sort()
    plain.sort(key=lambda entry: entry.name)  # stable: of one name the first one found comes first
    assert [told(entry) for entry in many] == [told(entry) for entry in plain]
    assert [told(many[k]) for k in range(len(many))] == [told(entry) for entry in plain]
    assert list(many.names()) == [entry.name for entry in plain]
    chosen = range(len(plain) - 1, -1, -2)
    some = many.take(list(chosen))
    assert [told(entry) for entry in some] == [told(plain[k]) for k in chosen]
    assert [told(entry) for entry in some[1:3]] == [told(plain[k]) for k in chosen][1:3]
    with pytest.raises(IndexError):
        many[len(plain)]


@given(st.lists(NAMES, max_size=30), st.integers(1, 40))
def test_blocks_merge_into_one_order(names: list[str], block: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(packed, "BLOCK", block)
        found = in_order(len(names), names.__getitem__)
    assert found.tolist() == sorted(range(len(names)), key=names.__getitem__)


def test_a_shared_opener_of_another_name_is_kept_as_it_is() -> None:
    many = Index()
    many.append(Entry("seen.png", 3, Shared(partial(how, "x"), "real.png", 3, 7)))
    assert many[0].read() == b"x real.png 3 7"


def test_skips_are_the_list_of_their_dicts() -> None:
    skips = Skips()
    plain = [{"file": f"{k % 3}.txt", "reason": f"for {k % 2}"} for k in range(7)]
    for skip in plain:
        skips.append(skip["file"], skip["reason"])
    assert list(skips) == plain
    skips.sort()
    plain.sort(key=lambda skip: skip["file"])
    assert list(skips) == plain == skips[:]
    skips.append("0.txt", "late")
    assert skips[-1] == {"file": "0.txt", "reason": "late"}


def test_what_others_add_with_openers_of_their_own_is_read(tmp_path: Path) -> None:
    source = Source()
    for name, content in PETS.items():
        source.add(Entry(name, len(content), partial(own, content), 5))
    source.settle()
    assert [(entry.name, entry.read(), entry.stamp) for entry in source.pictures] == [
        (name, PETS[name], 5) for name in sorted(PETS)
    ]


@pytest.mark.skipif(sys.platform == "darwin", reason="names are always UTF-8 there")
def test_a_name_that_is_no_text_still_opens(tmp_path: Path) -> None:
    for raw, value in ((b"\xff/\xfe.png", 1), (b"\xff/plain.png", 2), (b"\\xff/\\xfe.png", 3)):
        path = os.fsencode(tmp_path) + b"/" + raw
        os.makedirs(os.path.dirname(path), exist_ok=True)  # noqa: PTH103, PTH120
        Path(os.fsdecode(path)).write_bytes(png(value))
    found = from_folder(tmp_path).pictures
    assert [entry.name for entry in found] == ["\\xff/\\xfe.png"] * 2 + ["\\xff/plain.png"]
    assert {entry.read() for entry in found} == {png(1), png(2), png(3)}


def test_of_two_members_of_a_name_the_first_counts(tmp_path: Path) -> None:
    path = tmp_path / "twice.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a.png", png(1))
        for value in (2, 3):
            with pytest.warns(UserWarning, match="Duplicate"):
                archive.writestr("a.png", png(value))
    source = source_of(path)
    assert [entry.read() for entry in source.pictures] == [png(1)]
    assert [skip["file"] for skip in source.skipped] == ["a.png", "a.png"]
    source.close()


# A manifest of very many files


@pytest.fixture
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(index, "MOST_LISTED", 10)
    monkeypatch.setattr(dataset, "MOST_SKIPPED", 5)


def test_a_manifest_names_few_files_and_sums_up_many(tmp_path: Path, few: None) -> None:
    files = {f"{k % 4}/{k:02d}.png": png(k) for k in range(40)}
    path = lay(tmp_path / "many", {**files, **{f"{k}.txt": b"" for k in range(8)}})
    manifest = open_data(path).manifest
    assert json.loads(json.dumps(manifest)) == manifest
    said = manifest["files"]
    assert (said["count"], said["bytes"]) == (40, sum(map(len, files.values())))
    first = sorted(files)[: index.FIRST]
    assert said["first"] == [{"file": name, "bytes": len(files[name])} for name in first]
    assert [skip["file"] for skip in manifest["skipped"]] == [f"{k}.txt" for k in range(5)]
    assert manifest["skipped_count"] == 8
    resized = open_data(path, size=(8, 8)).manifest
    assert resized["files"] == said
    (tmp_path / "many/3/39.png").rename(tmp_path / "many/3/40.png")
    assert open_data(path).manifest["files"]["sha256"] != said["sha256"]


def test_the_same_rows_however_files_are_held(
    tmp_path: Path, few: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = {f"{k % 4}/{k:02d}.png": png(k) for k in range(40)}
    folder = open_data(lay(tmp_path / "many", files))
    zipped = open_data(pack(tmp_path / "many.zip", files))
    monkeypatch.setattr(packed, "BLOCK", 3)
    again = open_data(str(tmp_path / "many"))
    assert folder.manifest["sha256"] == zipped.manifest["sha256"] == again.manifest["sha256"]
    assert content_sha256(again.arrays) == folder.manifest["sha256"]
    assert folder.arrays["real"][:, 0, 0, 0].tolist() == [int(name[2:4]) for name in sorted(files)]


INDEXED = """
import json, sys
from pathlib import Path
from mulligan.data.decode import quiet_decoders
from mulligan.data.framing import Framing
from mulligan.data.folder import surveyed
from mulligan.data.kinds import source_of
from mulligan.data.labelling import class_of_each
from mulligan.data.store import files_of
from mulligan.data.workers import Workers
def anonymous():
    text = Path("/proc/self/status").read_text()
    return int(text.split("RssAnon:")[1].split()[0]) * 1024
def look(path):
    source = source_of(Path(path))
    with quiet_decoders():
        key = files_of(source, Framing())
        kept = surveyed(source, Workers(0)).kept
    return source, kept, class_of_each(None, kept.names(), []), kept.listed()
look(sys.argv[2])
before = anonymous()
kept = look(sys.argv[1])
print(json.dumps([anonymous() - before, len(kept[1])]))
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
def test_a_file_takes_less_than_two_hundred_bytes(tmp_path: Path) -> None:
    root, count = tmp_path / "large", 60_000  # memory grows in steps of a megabyte and more
    lay(tmp_path / "small", PETS)
    first = tmp_path / "one.png"
    first.write_bytes(png())
    for start in range(0, count, 1000):
        folder = root / f"{start}"
        folder.mkdir(parents=True)
        for place in range(start, start + 1000):
            (folder / f"picture-{place}.png").hardlink_to(first)
    call = [sys.executable, "-c", INDEXED, str(root), str(tmp_path / "small")]
    done = subprocess.run(call, capture_output=True, text=True, check=True)
    grown, found = json.loads(done.stdout)
    assert found == count
    assert grown / count < 200

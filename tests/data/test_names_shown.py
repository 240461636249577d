"""Names that would steer a terminal: none of them reaches it, in any form of data."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from data.test_folder import lay, pack, png, skipped
from data.test_forms import tar
from mulligan import checkup, checkup_page
from mulligan.cli import main
from mulligan.data.open import open_data
from mulligan.fields import Label
from mulligan.words import CONTROL, one_line

RED, BREAK, TURN = "\x1b[31mred", "two\nlines", "a\u202egnp.b"
WRITTEN = ("\\x1b[31mred", "two\\nlines", "a\\u202egnp.b")
FILES = {
    f"{RED}/{BREAK}.png": png(1),
    f"{RED}/{TURN}.txt": b"",
    f"{BREAK}/a.png": png(2),
    f"{BREAK}/\x9b2J.png": b"no picture",
}


def forms(home: Path) -> dict[str, str]:
    """The same hostile names in every form of data that has names."""
    lay(home / "folder", FILES)
    listed = home / "list.txt"
    listed.write_text("\n".join(f"folder/{name}" for name in FILES if "\n" not in name))
    (home / "shards").mkdir()
    tar(home / "shards" / f"{RED}.tar", FILES)
    return {
        "folder": str(home / "folder"),
        "zip": pack(home / "a.zip", FILES),
        "tar": tar(home / "a.tar", FILES),
        "shards": str(home / "shards"),
        "pattern": str(home / "folder" / "**" / "*.png"),
    }


@pytest.mark.parametrize("kind", ["folder", "zip", "tar", "shards", "pattern"])
def test_no_form_of_data_lets_a_name_through(
    kind: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    place = forms(tmp_path)[kind]
    data = open_data(place)
    assert len(data) == 2
    label = data.fields["label"]
    assert isinstance(label, Label)
    assert set(label.names) == set(WRITTEN[:2])
    every = [*data.notes, *skipped(data), *skipped(data).values()]
    every += [file["file"] for file in data.manifest["files"]]
    assert any("\\x9b2J" in text for text in every)
    assert not any(CONTROL.search(text) for text in every)
    for words in (["check", place], ["train", place, "--dry-run", "--images", "100"]):
        main(words)
        out, told = capfd.readouterr()
        assert "\x1b" not in out + told
        assert "\x9b" not in out + told
        assert "\u202e" not in out + told
        assert not any(line.startswith("lines") for line in (out + told).split("\n"))


CLASSES = [
    ("labels.csv", f'file_name,label\na.png,"{RED}"\nb.png,"{BREAK}"\n'),
    ("metadata.jsonl", "\n".join(json.dumps({"file_name": f, "label": c})
                                 for f, c in (("a.png", RED), ("b.png", BREAK)))),
    ("dataset.json", json.dumps({"labels": [["a.png", 0], ["b.png", 1]],
                                 "classes": [RED, BREAK]})),
]  # fmt: skip


@pytest.mark.parametrize(("name", "content"), CLASSES)
def test_listed_classes_are_on_one_line(name: str, content: str, tmp_path: Path) -> None:
    data = open_data(lay(tmp_path, {"a.png": png(1), "b.png": png(2), name: content.encode()}))
    assert isinstance(data.fields["label"], Label)
    assert data.fields["label"].names == WRITTEN[:2]
    assert not CONTROL.search(
        checkup_page.lines(checkup.check(str(tmp_path), timed=False)).replace("\n", "")
    )


def test_the_classes_of_samples_and_tables_are_on_one_line(tmp_path: Path) -> None:
    pa, pq = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    path = tmp_path / "a.parquet"
    pq.write_table(pa.table({"image": [png(1), png(2)], "label": [RED, BREAK]}), path)
    side = {"a.png": png(1), "a.cls": RED.encode(), "b.png": png(2), "b.cls": BREAK.encode()}
    for place in (str(path), tar(tmp_path / "b.tar", side)):
        label = open_data(place).fields["label"]
        assert isinstance(label, Label)
        assert label.names == WRITTEN[:2]


def test_names_of_data_sets_and_errors_are_on_one_line(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    home = tmp_path / RED
    lay(home, {"a.png": png(1), "b.png": png(2)})
    assert open_data(str(home)).name == WRITTEN[0]
    (tmp_path / f"{RED}.zip").write_bytes(b"no zip")
    for words in ([f"https://127.0.0.1:9/{RED}.zip"], [f"{home}.zip"], [f"nothing-{RED}"]):
        assert main(["train", *words]) == 4
        told = capfd.readouterr().err
        assert "\x1b" not in told
        assert "red" in told


def test_names_in_other_letters_stay_as_they_are() -> None:
    for name in ("小猫/ねこ　一.png", "گربه‌ها", "👩‍👩‍👧 é ñ", "a\u00a0b", "100 %", "back\\slash"):
        assert one_line(name) == name
    assert one_line("\ud800\x7f") == "\\ud800\\x7f"

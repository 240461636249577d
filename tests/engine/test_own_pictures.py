"""Runs on a user's own pictures: the same from every form, and whatever happens to the files."""

from __future__ import annotations

import io
import os
import shutil
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import mulligan
from data.test_folder import lay
from engine.killing import differences, facts
from mulligan.data import index, shelf, store
from mulligan.engine import train as engine
from mulligan.engine.plan import make_plan
from mulligan.errors import DataError
from mulligan.run import Run
from mulligan.screen import Screen

ROUNDS, BATCH = 6, 8
OPTIONS: dict[str, Any] = {
    "recipe": "gan", "batch": BATCH, "images": ROUNDS * BATCH, "tick": 2, "save_every": 1,
    "width": 4, "latent": 4, "device": "cpu", "trace": True, "held_out": 0.1,
}  # fmt: skip


def pictures(seed: int = 0, count: int = 40) -> dict[str, bytes]:
    """Noise, so that the size of a file says nothing of what is in it."""
    made = {}
    for number, pixels in enumerate(
        np.random.default_rng(seed).integers(0, 256, (count, 16, 16, 3), dtype=np.uint8)
    ):
        held = io.BytesIO()
        Image.fromarray(pixels).save(held, "BMP")
        made[f"{'ab'[number % 2]}/{number:03d}.bmp"] = held.getvalue()
    return made


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MULLIGAN_CACHE", str(tmp_path / "cache"))


def train(data: str, folder: Path, screen: Screen | None = None) -> Run:
    plan = make_plan(data, {**OPTIONS, "runs_dir": folder, "name": "run"})
    return engine.train(plan, screen or Screen())


# The same run from every form


def as_folder(root: Path, files: dict[str, bytes]) -> str:
    return lay(root / "own", dict(reversed(files.items())))


def as_pattern(root: Path, files: dict[str, bytes]) -> str:
    return str(Path(as_folder(root, files)) / "**" / "*.bmp")


def as_list(root: Path, files: dict[str, bytes]) -> str:
    as_folder(root, files)
    (root / "own.txt").write_text("".join(f"own/{name}\n" for name in reversed(files)))
    return str(root / "own.txt")


def as_zip(root: Path, files: dict[str, bytes]) -> str:
    with zipfile.ZipFile(root / "own.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in reversed(files.items()):
            archive.writestr(name, content)
    return str(root / "own.zip")


def as_tar(root: Path, files: dict[str, bytes], suffix: str = "tar", mode: Any = "w") -> str:
    with tarfile.open(root / f"own.{suffix}", mode) as archive:
        for name, content in reversed(files.items()):
            member = tarfile.TarInfo(f"./{name}")
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return str(root / f"own.{suffix}")


def as_packed_tar(root: Path, files: dict[str, bytes]) -> str:
    return as_tar(root, files, "tar.gz", "w:gz")


# each lays the files below a folder in one form and returns what a user types; add new ones here
FORMS: dict[str, Callable[[Path, dict[str, bytes]], str]] = {
    "folder": as_folder,
    "pattern": as_pattern,
    "list": as_list,
    "zip": as_zip,
    "tar": as_tar,
    "tar.gz": as_packed_tar,
}


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, Any], dict[str, Any]]:
    """All that a run on the folder gave, and its manifest."""
    root = tmp_path_factory.mktemp("undisturbed")
    run = train(as_folder(root, pictures()), root / "runs")
    found = facts(run)
    assert not any(str(root) in one.source for one in shelf.stores())
    assert len(found["trace"]) == 2 * ROUNDS
    assert len(found["rows"]) == ROUNDS / 2
    return found, run.read_json("data.json")


@pytest.mark.parametrize("form", FORMS)
def test_every_form_gives_the_same_rows_and_the_same_run(
    form: str, undisturbed: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Mapped from a store, and the one it is compared with in memory."""
    monkeypatch.setattr(store, "LEAST", 1)
    run = train(FORMS[form](tmp_path, pictures()), tmp_path / "runs")
    assert differences(facts(run), undisturbed[0]) == []
    manifest = run.read_json("data.json")
    for file in manifest["files"]:
        file["file"] = file["file"].removeprefix("own/")  # a list's names start beside it
    for name in ("name", "count", "bytes", "sha256", "files", "skipped"):
        assert manifest[name] == undisturbed[1][name], name
    assert len(shelf.stores()) == 1


def test_other_pictures_give_another_run(undisturbed: Any, tmp_path: Path) -> None:
    """So the comparison above can fail."""
    run = train(as_zip(tmp_path, pictures(seed=1)), tmp_path / "runs")
    assert len(differences(facts(run), undisturbed[0])) > 3


# Files that go or change while a run goes on


class Meddling(Screen):
    """Does something once, at the second row of the log."""

    def __init__(self, what: Callable[[], object]) -> None:
        self.what, self.rows = what, 0

    def row(self, row: dict[str, Any]) -> None:
        self.rows += 1
        if self.rows == 2:
            self.what()


def replace(root: Path) -> None:
    for name, content in pictures(seed=5).items():
        (root / f"{name}.new").write_bytes(content)
        (root / f"{name}.new").replace(root / name)


def overwrite(root: Path) -> None:
    """In place: a mapped file would change under the run."""
    for name, content in pictures(seed=5).items():
        with (root / name).open("rb+") as file:
            file.write(content)


def empty(root: Path) -> None:
    for name in pictures():
        os.truncate(root / name, 0)


@pytest.mark.parametrize(
    ("change", "kept"),
    [(shutil.rmtree, True), (shutil.rmtree, False), (replace, True), (replace, False),
     (overwrite, True), (empty, False)],
)  # fmt: skip
def test_files_that_change_do_not_change_the_run_and_a_resume_says_what_did(
    change: Callable[[Path], None],
    kept: bool,
    undisturbed: Any,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(store, "LEAST", 1 if kept else 10**9)
    path = as_folder(tmp_path, pictures())
    shutil.copytree(path, tmp_path / "aside")
    screen = Meddling(lambda: change(Path(path)))
    run = train(path, tmp_path / "runs", screen)
    assert screen.rows == ROUNDS / 2
    assert differences(facts(run), undisturbed[0]) == []
    expected = {
        shutil.rmtree: "no data set, folder or archive",
        empty: "holds no picture that can be used",
    }
    with pytest.raises(DataError, match=expected.get(change, "with other content")) as refused:
        mulligan.resume(run, images="+16", log="none")
    assert refused.value.exit_code == 4
    shutil.rmtree(path, ignore_errors=True)
    shutil.copytree(tmp_path / "aside", path)  # put back: it goes on
    assert mulligan.resume(run, images="+16", log="none").info()["status"] == "done"
    assert list(run.rows())[-1]["images"] == ROUNDS * BATCH + 16


def test_a_resume_names_the_files_that_differ(tmp_path: Path) -> None:
    path = Path(as_folder(tmp_path, pictures()))
    run = train(str(path), tmp_path / "runs")
    (path / "a/000.bmp").unlink()
    (path / "b/001.bmp").write_bytes(b"damaged")
    (path / "a/new.bmp").write_bytes((path / "a/002.bmp").read_bytes())
    Image.open(path / "a/004.bmp").save(path / "a/004.bmp", "PNG")
    wanted = (
        r"own are not those .*: 2 gone or unusable, such as a/000.bmp; 1 new, such as a/new.bmp; "
        r"1 of another size, such as a/004.bmp \(sha256 "
    )
    with pytest.raises(DataError, match=wanted):
        mulligan.resume(run, images="+16", log="none")


def test_a_store_that_goes_during_a_run_is_not_missed(
    undisturbed: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store, "LEAST", 1)
    path = as_folder(tmp_path, pictures())
    screen = Meddling(lambda: shutil.rmtree(shelf.folder()))
    run = train(path, tmp_path / "runs", screen)
    assert differences(facts(run), undisturbed[0]) == []
    assert shelf.stores() == []
    mulligan.resume(run, images="+16", log="none")
    assert len(shelf.stores()) == 1


def test_of_very_many_files_a_resume_says_how_many_there_were(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = Path(as_folder(tmp_path, pictures()))
    run = train(str(path), tmp_path / "runs")
    count = len(pictures())
    (path / "a/000.bmp").unlink()
    monkeypatch.setattr(index, "MOST_LISTED", 3)
    wanted = rf"{count - 1} files of \d+ bytes where there were {count} files of \d+ bytes"
    with pytest.raises(DataError, match=wanted):
        mulligan.resume(run, images="+16", log="none")

"""The same pictures in every form are the same rows: in memory, from the cache, and streamed."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from data.test_folder import lay, pack
from data.test_forms import tar
from data.test_urls import server  # noqa: F401 - a fixture
from mulligan.data import store
from mulligan.data.decode import decode
from mulligan.data.framing import Framing
from mulligan.data.open import open_data
from mulligan.data.stream import Streamed
from streams import no_room

COUNT, KINDS = 60, ("cat", "dog", "emu")
FRAMING = Framing("random", None)
CHOSEN = Framing("random", (0, 0, 0))


def pale(seed: int) -> bytes:
    """White noise on transparent black, wider than high: it has to be cut, and put on a colour."""
    pixels = np.random.default_rng(seed).integers(235, 256, (9, 16, 4), dtype=np.uint8)
    pixels[:, :5] = 0
    held = io.BytesIO()
    Image.fromarray(pixels).save(held, "PNG")
    return held.getvalue()


FILES = {f"{KINDS[k % 3]}/{k:03d}.png": pale(k) for k in range(COUNT)}
NAMES = sorted(FILES)
ROWS = np.stack([decode(FILES[name], (8, 8), 3, CHOSEN) for name in NAMES])
CLASSES = [KINDS.index(name.split("/")[0]) for name in NAMES]


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MULLIGAN_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(store, "LEAST", 10)


def shards(root: Path, kind: str, mode: Any) -> str:
    """Three tars, no two neighbours of which lie in one of them."""
    root.mkdir(parents=True)
    for number in range(3):
        tar(root / f"{number}.{kind}", {name: FILES[name] for name in NAMES[number::3]}, mode)
    return str(root)


def samples(root: Path) -> str:
    """Shards without folders: the classes are members of their own."""
    root.mkdir()
    for number in range(2):
        part = list(enumerate(NAMES))[number::2]
        pictures = {f"{place:03d}.png": FILES[name] for place, name in part}
        words = {f"{place:03d}.cls": name.split("/")[0].encode() for place, name in part}
        tar(root / f"{number}.tar", pictures | words)
    return str(root)


def table() -> Any:
    tests = pytest.importorskip("data.test_tables", reason="needs pyarrow")
    return tests, tests.rows([FILES[name] for name in NAMES], CLASSES)


def parquet(root: Path) -> str:
    tests, rows = table()
    for number, start in enumerate(range(0, COUNT, 25)):
        tests.write(root / f"train-{number}.parquet", rows.slice(start, 25), group=5)
    tests.write(root / "test-0.parquet", rows.slice(0, 2))
    return str(root)


def saved(root: Path) -> str:
    _, rows = table()
    from data.test_saved import saved as save

    return str(save(root, rows.slice(0, 13), rows.slice(13)))


def named(path: Path) -> str:
    lay(path.with_suffix(""), FILES)
    names = [f"{path.stem}/{name}" for name in reversed(NAMES)]
    path.write_text("\n".join(["# in any order", *names, names[0], ""]))
    return str(path)


FORMS = {
    "folder": lambda root: lay(root / "set", FILES),
    "zip": lambda root: pack(root / "set.zip", FILES),
    "tar": lambda root: tar(root / "set.tar", FILES),
    "tar.gz": lambda root: tar(root / "set.tar.gz", FILES, "w:gz"),
    "shards": lambda root: shards(root / "set", "tar", "w"),
    "packed shards": lambda root: shards(root / "set", "tar.xz", "w:xz"),
    "shards in braces": lambda root: shards(root / "set", "tar", "w") + "/{2..0}.tar",
    "samples": lambda root: samples(root / "set"),
    "list": lambda root: named(root / "set.txt"),
    "pattern": lambda root: lay(root / "set", FILES) + "/**/*.png",
    "braces": lambda root: lay(root / "set", FILES) + "/{cat,dog,c*,emu}/*.png",
    "parquet": lambda root: parquet(root / "set"),
    "saved": lambda root: saved(root / "set"),
}


def check(data: Any, streamed: bool) -> None:
    """These are the pictures, in their order, with their classes, on their background."""
    real = data.arrays["real"]
    assert isinstance(real, Streamed if streamed else torch.Tensor)
    assert torch.equal(real[torch.arange(COUNT)], torch.from_numpy(ROWS))
    backwards = torch.arange(COUNT - 1, -1, -3)
    assert torch.equal(real[backwards], torch.from_numpy(ROWS)[backwards])
    assert data.arrays["label"].tolist() == CLASSES
    assert data.fields["label"].names == KINDS
    assert data.manifest["count"] == COUNT
    assert (data.manifest["framing"]["fit"], data.manifest["framing"]["background"]) == (
        "random",
        "#000000",
    )


def every_state(place: str, patch: pytest.MonkeyPatch) -> list[Any]:
    """Opened in memory, into the cache and from it, streamed, and streamed from what is known."""
    found = []
    for least, room in ((10**9, True), (10, True), (10, True), (10, False), (10, False)):
        with patch.context() as inner:
            inner.setattr(store, "LEAST", least)
            if not room:
                no_room(inner)
                inner.setattr(store, "read", lambda key: None)  # what was packed before
            found.append(open_data(place, framing=FRAMING))
            check(found[-1], streamed=not room)
    return found


@pytest.fixture
def plain(tmp_path: Path) -> Any:
    return open_data(lay(tmp_path / "plain" / "set", FILES), framing=FRAMING)


@pytest.mark.parametrize("form", FORMS)
def test_every_form_is_the_same_data_in_every_state(
    form: str, plain: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = every_state(FORMS[form](tmp_path), monkeypatch)
    for data in made:
        assert data.manifest["sha256"] == plain.manifest["sha256"]
        assert data.fields == plain.fields
        assert data.name == "set"
        assert data.manifest == made[0].manifest
        doubles = [NAMES[-1]] if form == "list" else []
        assert [skip["file"] for skip in data.manifest["skipped"]] == [f"set/{n}" for n in doubles]
    again = open_data(made[0].manifest["source"], framing=FRAMING)  # what a resume opens
    assert again.manifest == made[0].manifest


def test_tars_of_a_server_too(
    server: Any,  # noqa: F811
    plain: Any,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    shards(tmp_path / "made", "tar", "w")
    server.files = {f"set/{path.name}": path.read_bytes() for path in (tmp_path / "made").iterdir()}
    address = f"{server.url}/set/{{0..2}}.tar"
    for data in every_state(address, monkeypatch):
        assert data.manifest["sha256"] == plain.manifest["sha256"]
        assert data.manifest["source"] == address
        assert data.name == "set"


def test_a_set_of_hugging_face_too(
    plain: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    datasets = pytest.importorskip("datasets")
    datasets.disable_progress_bars()
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "datasets")
    address = f"hf:{parquet(tmp_path / 'set')}"
    for data in every_state(address, monkeypatch):
        assert data.manifest["sha256"] == plain.manifest["sha256"]
        assert data.manifest["source"] == address
        assert "the part train is used; not test" in data.notes


def test_notes_on_the_source_are_those_of_this_opening(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = parquet(tmp_path / "set")
    for data in every_state(place, monkeypatch):
        assert "the part train is used, 3 of 4 files; not test" in data.notes
    (tmp_path / "set" / "test-0.parquet").unlink()  # its rows were not among those that are kept
    for data in every_state(place, monkeypatch):
        assert not any("the part train" in note for note in data.notes)

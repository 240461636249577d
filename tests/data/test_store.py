"""The packed store: packed once, never half there, never stale; and nothing lost without it."""

from __future__ import annotations

import errno
import io
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from data.test_folder import lay, pack, png, reds, skipped
from mulligan.cli import main
from mulligan.data import shelf, sources, store, worker
from mulligan.data.dataset import content_sha256
from mulligan.data.open import open_data
from mulligan.errors import DataError

COUNT = 40


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache of the test's own, and stores for few pictures already."""
    home = tmp_path / "cache"
    monkeypatch.setenv("MULLIGAN_CACHE", str(home))
    monkeypatch.setattr(store, "LEAST", 10)
    return home / "pictures"


def pictures(root: Path, count: int = COUNT) -> str:
    files = {f"{'ab'[k % 2]}/{k:04d}.png": png(k % 256) for k in range(count)}
    return lay(root, {**files, "a/broken.png": png(1)[:60], "b/notes.txt": b""})


def encoded_grey(value: int) -> bytes:
    content = io.BytesIO()
    Image.new("L", (16, 16), value).save(content, "PNG")
    return content.getvalue()


def no_decoding(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*given: object) -> None:
        raise AssertionError("decoded again")

    monkeypatch.setattr(worker, "decode", refuse)
    monkeypatch.setattr(worker, "read_header", refuse)


def test_the_second_opening_decodes_nothing_and_is_the_same(
    tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = pictures(tmp_path / "set")
    first = open_data(path)
    with monkeypatch.context() as patch:
        no_decoding(patch)
        again = open_data(path)
        moved = shutil.move(path, tmp_path / "elsewhere")
        other = open_data(moved)
    monkeypatch.setattr(store, "LEAST", 10**9)
    plain = open_data(moved)
    for data in (first, again, other, plain):
        assert len(data) == COUNT
        assert torch.equal(data.arrays["real"], plain.arrays["real"])
        assert torch.equal(data.arrays["label"], plain.arrays["label"])
        assert data.fields == plain.fields
        assert data.notes == plain.notes
        assert data.manifest["sha256"] == content_sha256(plain.arrays)
        assert data.manifest["skipped"] == plain.manifest["skipped"]
    assert other.name == "elsewhere"
    assert other.manifest["source"] == str(moved)
    assert len(shelf.stores()) == 1
    assert not list(cache.glob(".*.*"))


@pytest.mark.parametrize("given", [{}, {"size": (16, 16)}, {"channels": 3}])
def test_a_shape_that_was_chosen_and_the_same_one_given_are_one_store(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, given: dict[str, Any]
) -> None:
    path, whole = pictures(tmp_path / "set"), {"size": (16, 16), "channels": 3}
    first = open_data(path, **given)
    assert first.arrays["real"].shape == (COUNT, 3, 16, 16)
    assert [one.shape for one in shelf.stores()] == [(COUNT, 3, 16, 16)]
    monkeypatch.setattr(worker, "decode", None)
    for again in (open_data(path, **whole), open_data(path, **given), open_data(path)):
        assert again.manifest == first.manifest
        assert again.notes == first.notes
    assert len(shelf.stores()) == 1


def test_grey_is_told_from_colour_by_the_one_picture_that_differs(tmp_path: Path) -> None:
    path = lay(tmp_path / "set", {f"{k:04d}.png": encoded_grey(k) for k in range(200)})
    assert open_data(path, size=(8, 8)).arrays["real"].shape[1] == 1
    (tmp_path / "set/0101.png").write_bytes(png(7))
    assert open_data(path, size=(8, 8)).arrays["real"].shape[1] == 3


@pytest.mark.parametrize("change", ["content", "name", "size", "labels"])
def test_what_has_changed_is_packed_anew(tmp_path: Path, change: str) -> None:
    path = pictures(tmp_path / "set")
    before = open_data(path)
    if change == "content":
        (tmp_path / "set/a/0000.png").write_bytes(png(200))
    elif change == "name":
        (tmp_path / "set/a/0000.png").rename(tmp_path / "set/b/0000.png")
    elif change == "labels":
        names = sorted(p.name for p in (tmp_path / "set").glob("*/*.png"))
        rows = "\n".join(f"{name},{k % 3}" for k, name in enumerate(names))
        (tmp_path / "set/labels.csv").write_text(rows)
    after = open_data(path, size=(8, 8) if change == "size" else None)
    assert after.manifest["sha256"] != before.manifest["sha256"]
    assert len(shelf.stores()) == 2


def test_pictures_of_the_same_names_sizes_and_times_are_not_taken_for_others(
    tmp_path: Path,
) -> None:
    first, second = (tmp_path / name for name in ("first", "second"))
    for root, red in ((first, 10), (second, 20)):
        lay(root, {f"{k:04d}.png": png(red) for k in range(COUNT)})
        for path in root.iterdir():
            os.utime(path, (0, 0))
    assert {p.stat().st_size for p in [*first.iterdir(), *second.iterdir()]} == {len(png(10))}
    assert set(reds(open_data(str(first)))) == {10}
    assert set(reds(open_data(str(second)))) == {20}


def test_what_is_skipped_is_said_of_the_folder_as_it_is_now(tmp_path: Path) -> None:
    path = pictures(tmp_path / "set")
    open_data(path)
    (tmp_path / "set" / "new.txt").touch()
    assert "new.txt" in skipped(open_data(path))


def test_a_zip_is_known_by_its_checksums(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files = {f"{k}.png": png(k) for k in range(20)}
    first = open_data(pack(tmp_path / "one.zip", files))
    other = pack(tmp_path / "copy.zip", files)
    with monkeypatch.context() as patch:
        no_decoding(patch)
        assert open_data(other).manifest["sha256"] == first.manifest["sha256"]
    files["3.png"] = png(99)
    assert (
        open_data(pack(tmp_path / "one.zip", files)).manifest["sha256"]
        != (first.manifest["sha256"])
    )


def test_a_store_that_is_cut_off_or_not_whole_is_packed_anew(tmp_path: Path, cache: Path) -> None:
    path = pictures(tmp_path / "set")
    whole = open_data(path).manifest["sha256"]
    (home,) = (one.parent for one in cache.glob("*/facts.json"))
    for file, content in (("pixels.bin", b"short"), ("facts.json", b"{"), ("facts.json", b"[]")):
        (home / file).write_bytes(content)
        data = open_data(path)
        assert content_sha256(data.arrays) == whole
    (home / "pixels.bin").unlink()
    assert content_sha256(open_data(path).arrays) == whole


PACK = """
import sys, time
from mulligan.data import store, worker
from mulligan.data.open import open_data
store.LEAST = 10
plain, pause = worker.decode, float(sys.argv[2])
def slow(*given):
    time.sleep(pause)
    print("decoded", flush=True)
    return plain(*given)
worker.decode = slow
print(open_data(sys.argv[1]).manifest["sha256"])
"""


def packing(path: str, pause: float) -> subprocess.Popen[str]:
    call = [sys.executable, "-c", PACK, path, str(pause)]
    return subprocess.Popen(call, stdout=subprocess.PIPE, text=True, env=dict(os.environ))


def test_a_killed_packing_leaves_nothing_that_counts(tmp_path: Path, cache: Path) -> None:
    path = pictures(tmp_path / "set")
    child = packing(path, 0.05)
    assert child.stdout is not None
    assert child.stdout.readline() == "decoded\n"
    child.send_signal(signal.SIGKILL)
    child.communicate()
    assert list(cache.glob(".*.*"))
    assert shelf.stores() == []
    assert len(open_data(path)) == COUNT
    assert len(shelf.stores()) == 1
    assert not list(cache.glob(".*.*"))


def test_drafts_of_the_killed_go_with_the_next_store_and_those_of_the_living_stay(
    tmp_path: Path, cache: Path
) -> None:
    killed = packing(pictures(tmp_path / "killed"), 0.05)
    alive = packing(pictures(tmp_path / "alive", COUNT + 1), 0.2)
    for child in (killed, alive):
        assert child.stdout is not None
        assert child.stdout.readline() == "decoded\n"
    killed.send_signal(signal.SIGKILL)
    killed.communicate()
    assert len(list(cache.glob(".*"))) == 2
    open_data(pictures(tmp_path / "next", COUNT + 2))
    assert [path.name.rpartition(".")[2] for path in cache.glob(".*")] == [str(alive.pid)]
    alive.communicate(timeout=60)
    assert [one.shape[0] for one in shelf.stores()] == [COUNT + 2, COUNT + 1]
    (shelf.folder() / shelf.stores()[0].key / shelf.FACTS).write_text("{")
    assert main(["cache", "--clear", "all"]) == 0
    assert list(cache.iterdir()) == []


def test_two_processes_at_once_pack_once(tmp_path: Path) -> None:
    path = pictures(tmp_path / "set")
    children = [packing(path, 0.02) for _ in range(2)]
    said = [child.communicate(timeout=60)[0].split() for child in children]
    assert sorted(lines.count("decoded") for lines in said) == [0, COUNT + 1]  # one is broken
    assert said[0][-1] == said[1][-1]
    assert len(shelf.stores()) == 1
    assert not list(shelf.folder().glob(".*.*"))
    assert open_data(path).manifest["sha256"] == said[0][-1]


def test_a_full_disk_costs_the_store_and_nothing_else(
    tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = pictures(tmp_path / "set")
    usage = shutil.disk_usage(tmp_path)._replace(free=1000)
    monkeypatch.setattr(shutil, "disk_usage", lambda place: usage)
    data = open_data(path)
    assert len(data) == COUNT
    assert any("do not fit on the disk" in note for note in data.notes)
    assert shelf.stores() == []
    assert not list(cache.glob(".*.*"))


def test_a_cache_that_cannot_be_written_costs_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = pictures(tmp_path / "set")
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("MULLIGAN_CACHE", str(tmp_path / "file"))
    data = open_data(path)
    assert len(data) == COUNT
    assert any("not kept in the cache" in note for note in data.notes)


def test_nothing_usable_leaves_no_draft(tmp_path: Path, cache: Path) -> None:
    broken = {f"{k}.png": png(k)[:60] for k in range(20)}
    with pytest.raises(DataError, match="no picture that can be used"):
        open_data(lay(tmp_path / "set", broken))
    assert not list(cache.glob(".*.*"))
    assert shelf.stores() == []


def test_the_stores_used_longest_ago_go_first_and_never_the_new_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sets = [pictures(tmp_path / f"set{k}", COUNT + k) for k in range(3)]
    for place, path in enumerate(sets):
        open_data(path)
        home = shelf.folder() / shelf.stores()[-1].key
        os.utime(home / shelf.FACTS, (1000 + place,) * 2)
    order = [one.key for one in shelf.stores()]
    data = open_data(sets[0])  # used: now it is the newest
    assert [one.key for one in shelf.stores()] == [order[1], order[2], order[0]]
    size = sum(one.bytes for one in shelf.stores())
    monkeypatch.setattr(shelf, "MOST_BYTES", size)
    fourth = open_data(pictures(tmp_path / "set3", COUNT + 3))
    assert order[1] not in [one.key for one in shelf.stores()]
    left = len(shelf.stores())
    assert shelf.trim(most=0) == left
    assert shelf.stores() == []
    assert content_sha256(data.arrays) == data.manifest["sha256"]  # what is mapped lives on
    assert content_sha256(fourth.arrays) == fourth.manifest["sha256"]


def test_the_cache_is_listed_and_cleared_by_the_command(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    first, second = pictures(tmp_path / "first"), pictures(tmp_path / "second", COUNT + 1)
    assert main(["cache"]) == 0
    assert "nothing is kept" in capsys.readouterr().out
    open_data(first)
    open_data(second)
    assert main(["cache"]) == 0
    said = capsys.readouterr().out
    assert str(tmp_path / "first") in said
    assert f"{COUNT + 1}" in said
    keys = [one.key for one in shelf.stores()]
    assert main(["cache", "--clear", "nonsense"]) == 2
    assert "names 0 stores" in capsys.readouterr().err
    assert main(["cache", "--clear", keys[0][:8]]) == 0
    assert [one.key for one in shelf.stores()] == keys[1:]
    assert main(["cache", "--clear", "all"]) == 0
    assert shelf.stores() == []
    assert len(open_data(first)) == COUNT  # nothing was lost


RESIDENT = """
import json, sys
from pathlib import Path
from mulligan.data.open import open_data
import torch
def anonymous():
    text = Path("/proc/self/status").read_text()
    return int(text.split("RssAnon:")[1].split()[0]) * 1024
open_data("digits").arrays["real"].index_select(0, torch.arange(64)).float()
before = anonymous()
data = open_data(sys.argv[1])
rows = torch.arange(len(data))
for part in rows.split(8):
    batch = data.arrays["real"].index_select(0, part).float()
print(json.dumps([anonymous() - before, data.manifest["bytes"]]))
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
def test_mapped_pixels_are_not_memory_of_the_process(tmp_path: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (256, 256, 3), dtype=np.uint8)
    root = tmp_path / "large"
    root.mkdir()
    for k in range(600):
        Image.fromarray(np.roll(noise, k, axis=0)).save(root / f"{k}.bmp")
    open_data(str(root), size=(256, 256))
    call = [
        sys.executable,
        "-c",
        RESIDENT.replace("(sys.argv[1])", "(sys.argv[1], size=(256, 256))"),
    ]
    done = subprocess.run([*call, str(root)], capture_output=True, text=True, check=True)
    grown, size = json.loads(done.stdout)
    assert size > 110_000_000
    assert grown < size / 2


def test_opening_a_store_is_quick(tmp_path: Path) -> None:
    path = pictures(tmp_path / "set", 2000)
    open_data(path)
    began = time.process_time()
    open_data(path)
    assert time.process_time() - began < 2


def test_what_the_system_would_not_read_is_tried_again(
    tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A store would say for ever that access is denied; a damaged picture stays damaged."""
    path, plain, denied = pictures(tmp_path / "set"), sources.open_regular, {"a/0002.png"}

    def opened(file: Path) -> Any:
        if str(file.relative_to(path)) in denied:
            raise PermissionError(errno.EACCES, "Permission denied")
        return plain(file)

    monkeypatch.setattr(sources, "open_regular", opened)
    first = open_data(path)
    assert {"file": "a/0002.png", "reason": "Permission denied"} in first.manifest["skipped"]
    assert len(first) == COUNT - 1
    assert shelf.stores() == []
    assert not list(cache.glob(".*.*"))
    assert content_sha256(first.arrays) == first.manifest["sha256"]  # its draft is gone
    denied.clear()
    assert len(open_data(path)) == COUNT
    assert len(shelf.stores()) == 1


FILLED = """
import shutil, sys
from mulligan.data import store
from mulligan.data.open import open_data
store.LEAST = 10
there = shutil.disk_usage("/")._replace(free=1 << 40)
shutil.disk_usage = lambda place: there  # as it was before others filled the disk
data = open_data(sys.argv[1], size=(256, 256))
print(len(data), *data.notes)
"""


def test_a_disk_that_others_fill_meanwhile_does_not_end_the_process(tmp_path: Path) -> None:
    """Pages of a mapped file without room are a bus error, which nothing can catch."""
    path, small = pictures(tmp_path / "set"), tmp_path / "small"
    small.mkdir()
    mount = f"mount -t tmpfs -o size=4m none {small}"
    own = ["unshare", "--map-root-user", "--mount", "sh", "-c"]
    if not shutil.which("unshare") or subprocess.run([*own, mount], capture_output=True).returncode:
        pytest.skip("needs the right to mount a small disk")
    call = [*own, f'{mount} && exec "$@"', "sh", sys.executable, "-c", FILLED, path]
    env = {**os.environ, "MULLIGAN_CACHE": str(small)}
    done = subprocess.run(call, capture_output=True, text=True, env=env)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(f"{COUNT} ")
    assert "No space left on device" in done.stdout

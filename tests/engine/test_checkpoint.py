"""Checkpoints under crashes, full disks and flipped bits: always the old one or the new one."""

from __future__ import annotations

import errno
import json
import os
import random
import shutil
import subprocess

import pytest
import torch

from mulligan.engine import checkpoint
from mulligan.engine.checkpoint import clean, keep_last_and_every, load, load_newest, save
from mulligan.engine.storage import Storage
from mulligan.errors import CorruptCheckpoint, Diverged, StorageError, UsageError


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch):
    """What is killed or refused here never waits for a real disk; test_storage.py does."""
    monkeypatch.setattr(os, "fsync", lambda handle: None)


def tensors(value):
    return {
        "model": {"generator.weight": torch.full((2, 3), float(value)), "seen": torch.tensor(7)},
        "optimizer": {"0/exp_avg": torch.full((2, 3), value / 3, dtype=torch.float64)},
    }


STATE = {"counters": {"seen": 2**60}, "rates": [0.1 + 0.2, 5e-324, -0.0], "name": "é", "p": None}


def save_rounds(folder, *rounds, **options):
    return [save(folder, number, tensors(number), STATE, **options) for number in rounds]


def snapshot(folder):
    """Content and time of change of everything below the folder."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): (path.read_bytes(), path.stat().st_mtime_ns)
            for path in files}  # fmt: skip


def no_warning(text):
    raise AssertionError(text)


class Faulty(Storage):
    """A disk that fails at its n-th call: before it, half way through a write, or after it."""

    def __init__(self, at, when, fail):
        self.at, self.when, self.fail = at, when, fail
        self.calls = []

    def _call(self, name, *arguments):
        self.calls.append((name, *arguments))
        now = len(self.calls) == self.at
        if now and self.when == "before":
            self.fail()
        if now and self.when == "half" and name == "write":
            arguments[0].write_bytes(arguments[1][: len(arguments[1]) // 2])
            self.fail()
        if now and self.when == "half" and name == "remove_tree":
            next(arguments[0].iterdir()).unlink()
            self.fail()
        result = getattr(super(), name)(*arguments)
        if now:
            self.fail()
        return result


def _counted(name):
    return lambda self, *arguments: self._call(name, *arguments)


OPERATIONS = ("mkdir", "write", "sync_folder", "rename", "remove_tree", "read", "free_bytes")
for operation in OPERATIONS:
    setattr(Faulty, operation, _counted(operation))


def count_calls(tmp_path):
    """How many calls the third of three saves makes, with one old checkpoint to remove."""
    counting = Faulty(0, "never", None)
    save_rounds(tmp_path, 1, 2)
    save_rounds(tmp_path, 3, keep=keep_last_and_every(2), storage=counting)
    return counting.calls


def test_a_checkpoint_comes_back_exactly(tmp_path):
    path = save_rounds(tmp_path / "new" / "checkpoints", 300)[0]
    assert path.name == "step-0000300"
    found = load(path, no_warning)
    assert (found.path, found.round, found.state) == (path, 300, STATE)
    assert [number.hex() for number in found.state["rates"]] == [n.hex() for n in STATE["rates"]]
    assert found.tensors.keys() == tensors(300).keys()
    for stem, named in tensors(300).items():
        assert found.tensors[stem].keys() == named.keys()
        for name, tensor in named.items():
            assert found.tensors[stem][name].dtype == tensor.dtype
            assert torch.equal(found.tensors[stem][name], tensor)


def test_loading_changes_nothing(tmp_path):
    save_rounds(tmp_path, 1, 2)
    before = snapshot(tmp_path)
    load_newest(tmp_path, no_warning)
    assert snapshot(tmp_path) == before


def test_the_steps_of_a_save_come_in_the_order_that_survives_power_loss(tmp_path):
    calls = count_calls(tmp_path)
    names = [call[0] for call in calls]
    written = [call[1].name for call in calls if call[0] == "write"]
    assert names[:10] == ["free_bytes", "mkdir", "write", "write", "write", "write", "sync_folder",
                          "rename", "sync_folder", "read"]  # fmt: skip
    assert written[-1] == "MANIFEST.json"
    assert names[10:] == ["read"] * 3 + ["rename", "remove_tree"]
    assert calls[6][1].name.startswith(".tmp-step-0000003-")
    assert calls[8][1] == tmp_path
    assert calls[-2][2].name.startswith(".old-step-0000001-")


@pytest.mark.parametrize("when", ["before", "half", "after"])
def test_a_crash_at_any_call_leaves_the_old_or_the_new_checkpoint(tmp_path, when):
    count = len(count_calls(tmp_path / "count"))
    assert count > 12
    save_rounds(tmp_path / "start", 1, 2)
    rounds = []
    for at in range(1, count + 1):
        folder = tmp_path / f"{at}"
        shutil.copytree(tmp_path / "start", folder)
        storage = Faulty(at, when, lambda: os._exit(9))
        if not (child := os.fork()):
            try:
                save_rounds(folder, 3, keep=keep_last_and_every(2), storage=storage)
            finally:
                os._exit(1)
        code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        assert code == 9, f"call {at} was not reached"
        found = load_newest(folder, no_warning)
        rounds.append(found.round)
        assert torch.equal(found.tensors["model"]["generator.weight"],
                           torch.full((2, 3), float(found.round)))  # fmt: skip
        clean(folder)
        assert {path.name[:5] for path in folder.iterdir()} == {"step-"}
        for path in folder.iterdir():
            load(path, no_warning)
    assert rounds == sorted(rounds)
    assert set(rounds) == {2, 3}


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EIO])
@pytest.mark.parametrize("when", ["before", "half", "after"])
def test_a_disk_that_refuses_any_call_costs_no_checkpoint(tmp_path, when, code):
    def refuse():
        raise OSError(code, os.strerror(code))

    calls = count_calls(tmp_path / "count")
    first_removal = 1 + max(n for n, call in enumerate(calls) if call[0] == "read")
    for at in range(1, len(calls) + 1):
        folder = tmp_path / f"{at}"
        save_rounds(folder, 1, 2)
        before = snapshot(folder)
        storage = Faulty(at, when, refuse)
        if at > first_removal:  # saved and verified: an old one that stays is no failure
            save_rounds(folder, 3, keep=keep_last_and_every(2), storage=storage)
        else:
            with pytest.raises(StorageError) as caught:
                save_rounds(folder, 3, keep=keep_last_and_every(2), storage=storage)
            assert os.strerror(code) in caught.value.message
            assert str(folder) in caught.value.message
            assert caught.value.exit_code == 74
            assert snapshot(folder) == before
            assert [path.name[:5] for path in folder.iterdir()] == ["step-"] * 2
            save_rounds(folder, 3, keep=keep_last_and_every(2))  # the disk is well again
        save_rounds(folder, 4, keep=keep_last_and_every(2))
        assert load_newest(folder, no_warning).round == 4
        assert sorted(path.name for path in folder.iterdir()) == ["step-0000003", "step-0000004"]


def test_old_checkpoints_go_only_when_the_new_one_is_verified(tmp_path):
    def refuse():
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    save_rounds(tmp_path, 1, 2)
    for at in range(1, 14):  # up to the last file read back
        with pytest.raises(StorageError):
            save_rounds(tmp_path, 3, keep=lambda rounds: set(), storage=Faulty(at, "after", refuse))
        assert checkpoint.published(tmp_path) == [1, 2]
    save_rounds(tmp_path, 3, keep=lambda rounds: set())
    assert checkpoint.published(tmp_path) == [3]


def test_a_save_that_reads_back_differently_is_not_reported(tmp_path):
    class Forgetful(Storage):
        def read(self, path):
            content = super().read(path)
            return content[:-1] + b"?" if path.name == "model.safetensors" else content

    save_rounds(tmp_path, 1)
    with pytest.raises(StorageError, match=r"model\.safetensors was changed"):
        save_rounds(tmp_path, 2, storage=Forgetful())
    assert load_newest(tmp_path, no_warning).round == 1


def test_too_little_space_is_refused_before_anything_is_written(tmp_path):
    class Small(Storage):
        def free_bytes(self, path):
            return 1000

    with pytest.raises(StorageError, match=r"needs [\d,]+ bytes, only 1,000 are free"):
        save_rounds(tmp_path / "checkpoints", 1, storage=Small())
    assert not (tmp_path / "checkpoints").exists()


@pytest.fixture
def small_disk(tmp_path):
    """A real file system of one megabyte."""
    place = tmp_path / "disk"
    place.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(place)]
    if os.geteuid() or not shutil.which("mount") or subprocess.run(command, check=False).returncode:
        pytest.skip("only root may mount a small file system")
    yield place
    subprocess.run(["umount", str(place)], check=True)


@pytest.mark.parametrize("lie", [False, True])
def test_a_full_file_system_costs_no_checkpoint(small_disk, lie):
    class Optimist(Storage):
        def free_bytes(self, path):
            return 10**12 if lie else super().free_bytes(path)

    large = {"model": {"weight": torch.rand(60_000)}}  # 240 kB: four fit
    saved = 4
    for number in range(saved):
        save(small_disk, number, large, {}, keep=set, storage=Optimist())
    with pytest.raises(StorageError) as caught:
        save(small_disk, saved, large, {}, keep=set, storage=Optimist())
    assert ("No space left on device" in caught.value.message) == lie
    assert [path.name[:5] for path in small_disk.iterdir()] == ["step-"] * saved
    assert load_newest(small_disk, no_warning).round == saved - 1
    shutil.rmtree(small_disk / "step-0000000")
    save(small_disk, saved, large, {}, storage=Optimist())
    assert load_newest(small_disk, no_warning).round == saved


def damaged_copies(folder, rng, count, damage):
    """Damage one file of the newest checkpoint, yield what was done, and undo it."""
    newest = sorted(folder.iterdir())[-1]
    for _ in range(count):
        file = rng.choice(sorted(newest.iterdir()))
        content = file.read_bytes()
        place = rng.randrange(len(content))
        file.write_bytes(damage(content, place, rng))
        yield newest, f"{file.name} at {place}"
        file.write_bytes(content)


def flip(content, place, rng):
    return content[:place] + bytes([content[place] ^ 1 << rng.randrange(8)]) + content[place + 1 :]


def truncate(content, place, rng):
    return content[:place]


@pytest.mark.parametrize(("damage", "count"), [(flip, 300), (truncate, 100)])
def test_every_flipped_bit_and_every_truncation_is_found(tmp_path, damage, count):
    save_rounds(tmp_path, 1, 2)
    for newest, what in damaged_copies(tmp_path, random.Random(0), count, damage):
        with pytest.raises(CorruptCheckpoint, match="step-0000002"):
            load(newest)
        warnings = []
        assert load_newest(tmp_path, warnings.append).round == 1, what
        assert len(warnings) == 1
        assert "step-0000002" in warnings[0]
    assert load_newest(tmp_path, no_warning).round == 2


def test_a_missing_file_is_named_and_so_is_an_empty_folder(tmp_path):
    path = save_rounds(tmp_path, 1)[0]
    (path / "optimizer.safetensors").unlink()
    with pytest.raises(CorruptCheckpoint, match=r"optimizer\.safetensors is missing"):
        load(path)
    with pytest.raises(CorruptCheckpoint, match="none of 1 checkpoints") as caught:
        load_newest(tmp_path, lambda text: None)
    assert caught.value.exit_code == 5
    with pytest.raises(CorruptCheckpoint, match="holds no checkpoint"):
        load_newest(tmp_path / "nothing", no_warning)
    with pytest.raises(CorruptCheckpoint, match=r"MANIFEST\.json is missing"):
        load(tmp_path / "nothing")


@pytest.mark.parametrize("name", ["model.safetensors", "state.json", "MANIFEST.json"])
def test_files_of_two_checkpoints_together_are_refused(tmp_path, name):
    first = save_rounds(tmp_path, 1)[0]
    second = save(tmp_path, 2, tensors(2), {"other": 1})
    shutil.copy(first / name, second / name)
    with pytest.raises(CorruptCheckpoint, match="step-0000002"):
        load(second)


def test_a_folder_under_the_name_of_another_round_is_refused(tmp_path):
    first = save_rounds(tmp_path, 1)[0]
    shutil.copytree(first, tmp_path / "step-0000009")
    with pytest.raises(CorruptCheckpoint, match="holds the checkpoint of round 1"):
        load(tmp_path / "step-0000009")
    shutil.copytree(first, tmp_path / "best")
    assert load(tmp_path / "best").round == 1


def test_unlisted_files_are_ignored_with_a_warning(tmp_path):
    path = save_rounds(tmp_path, 1)[0]
    shutil.copy(path / "model.safetensors", path / "stale.safetensors")
    warnings = []
    assert load_newest(tmp_path, warnings.append).tensors.keys() == tensors(1).keys()
    assert len(warnings) == 1
    assert "stale.safetensors is not part of the checkpoint" in warnings[0]


def test_a_pipe_or_a_link_in_place_of_a_file_is_refused_without_waiting(tmp_path):
    path = save_rounds(tmp_path, 1)[0]
    (path / "state.json").rename(tmp_path / "state.json")
    (path / "state.json").symlink_to(tmp_path / "state.json")
    with pytest.raises(CorruptCheckpoint, match="not a regular file"):
        load(path)
    (path / "state.json").unlink()
    os.mkfifo(path / "state.json")
    with pytest.raises(CorruptCheckpoint, match="not a regular file"):
        load(path)


def sealed(path, **changes):
    """Rewrite the manifest as an attacker would, who can seal it again."""
    from mulligan.engine import manifest

    body = json.loads((path / "MANIFEST.json").read_text())
    del body["sha256"]
    (path / "MANIFEST.json").write_bytes(manifest._seal({**body, **changes}))


@pytest.mark.parametrize(
    "changes",
    [{"files": {}}, {"files": 3}, {"round": "1"}, {"round": True}, {"schema": 0}, {"schema": 2},
     {"files": {"state.json": {"bytes": 3}}}, {"files": {"state.json": 3}},
     {"files": {"state.json": {"bytes": -1, "sha256": ""}}},
     {"files": {"state.json": {"bytes": 2, "sha256": ""}, "../x.safetensors": {}}}],
)  # fmt: skip
def test_a_sealed_manifest_that_we_never_write_is_refused(tmp_path, changes):
    path = save_rounds(tmp_path, 1)[0]
    sealed(path, **changes)
    with pytest.raises(CorruptCheckpoint, match=r"MANIFEST\.json|state\.json"):
        load(path)


def test_a_newer_schema_is_named(tmp_path):
    path = save_rounds(tmp_path, 1)[0]
    sealed(path, schema=7)
    with pytest.raises(CorruptCheckpoint, match="schema 7, this version reads 1"):
        load(path)


def test_saving_a_round_twice_is_refused_and_changes_nothing(tmp_path):
    save_rounds(tmp_path, 1, 2)
    before = snapshot(tmp_path)
    with pytest.raises(UsageError, match="step-0000002 exists"):
        save(tmp_path, 2, tensors(5), STATE)
    assert snapshot(tmp_path) == before


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_no_checkpoint_holds_a_value_that_is_not_finite(tmp_path, value):
    bad = tensors(1)
    bad["optimizer"]["0/exp_avg"][1, 2] = value
    with pytest.raises(Diverged, match=r"'0/exp_avg' of optimizer") as caught:
        save(tmp_path / "checkpoints", 1, bad, STATE)
    assert caught.value.exit_code == 3
    with pytest.raises(Diverged, match=r"state\.json"):
        save(tmp_path / "checkpoints", 1, tensors(1), {"rate": [value]})
    assert not (tmp_path / "checkpoints").exists()


@pytest.mark.parametrize("state", [{"size": (1, 2)}, {"windows": {3: 4}}])
def test_a_state_that_would_come_back_different_is_refused(tmp_path, state):
    with pytest.raises(AssertionError, match="plain JSON"):
        save(tmp_path, 1, tensors(1), state)


def test_the_last_and_every_kth_are_kept(tmp_path):
    keep = keep_last_and_every(2, every=30)
    save_rounds(tmp_path, *range(10, 101, 10), keep=keep)
    assert checkpoint.published(tmp_path) == [30, 60, 90, 100]
    save_rounds(tmp_path, 110, keep=lambda rounds: set())
    assert checkpoint.published(tmp_path) == [110]
    assert checkpoint.latest_round(tmp_path) == 110
    assert checkpoint.latest_round(tmp_path / "nothing") is None


def test_a_reader_follows_a_trainer_that_removes_what_it_reads(tmp_path, monkeypatch):
    save_rounds(tmp_path, 1)
    real_load = checkpoint.load

    def overtaken(path, warn):
        if path.name == "step-0000001":
            save_rounds(tmp_path, 2, keep=keep_last_and_every(1))
        return real_load(path, warn)

    monkeypatch.setattr(checkpoint, "load", overtaken)
    assert load_newest(tmp_path, no_warning).round == 2


def test_damaged_checkpoints_are_set_aside_so_that_their_rounds_can_be_saved_again(tmp_path):
    paths = save_rounds(tmp_path, 1, 2, 3)
    (paths[2] / "state.json").write_text("{")
    warnings = []
    found = load_newest(tmp_path, warnings.append)
    moved = checkpoint.set_aside(tmp_path, found.round)
    assert [path.name[:18] for path in moved] == ["aside-step-0000003"]
    assert (moved[0] / "state.json").read_text() == "{"
    save_rounds(tmp_path, 3)
    assert load_newest(tmp_path, no_warning).round == 3
    clean(tmp_path)
    assert moved[0].is_dir()

"""Checkpoints: published by rename, verified by hash, never modified.

A checkpoint is a folder `step-0000300` (the round) of safetensors files, `state.json` and
`MANIFEST.json`, which is written last. Until the rename a save lies in `.tmp-...`, which no
reader looks at; a folder on its way out is `.old-...`. The one writer of a run calls `clean`,
`save` and `set_aside`; everybody may load.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor

from mulligan.disk import reporting
from mulligan.engine.manifest import (
    MANIFEST,
    STATE,
    STEP,
    TENSORS,
    make_manifest,
    parse_object,
    read_verified,
)
from mulligan.engine.optimizer_state import decode_optimizer, encode_optimizer
from mulligan.engine.storage import DISK, Storage, on_disk, require_space
from mulligan.engine.tensorfile import decode_tensors, encode_tensors, first_not_finite
from mulligan.errors import CorruptCheckpoint, Diverged, StorageError, UsageError

__all__ = [
    "Checkpoint", "clean", "decode_optimizer", "encode_optimizer", "keep_last_and_every",
    "latest_round", "load", "load_newest", "published", "save", "set_aside",
]  # fmt: skip

Keep = Callable[[list[int]], set[int]]
"""From the rounds that have a checkpoint, in order, to those that stay."""


@dataclass(frozen=True)
class Checkpoint:
    """What a verified folder held. tensors: by file stem, then by name, on the CPU."""

    path: Path
    round: int
    state: dict[str, Any]
    tensors: dict[str, dict[str, Tensor]]


def keep_last_and_every(last: int = 3, every: int = 0) -> Keep:
    """A rule that keeps the newest `last` and each round divisible by `every` (0: no other)."""

    def keep(rounds: list[int]) -> set[int]:
        landmarks = {round for round in rounds if every and round % every == 0}
        return landmarks | set(rounds[-last:])

    return keep


def save(
    folder: Path,
    round: int,
    tensors: dict[str, dict[str, Tensor]],
    state: dict[str, Any],
    *,
    keep: Keep = keep_last_and_every(),  # noqa: B008  # a pure function
    storage: Storage = DISK,
) -> Path:
    """The published folder, read back and verified; only then are older ones removed.

    folder: where the checkpoints of a run lie. tensors: by file stem, then by name.
    state: plain JSON, its keys strings. keep: which rounds stay; the new one always does.
    Raises Diverged for a value that is not finite, UsageError if the round was saved before,
    StorageError if the disk refuses; then older checkpoints are as they were. One that cannot be
    removed is tried again at the next save.
    """
    target = folder / f"step-{round:07d}"
    with reporting(target):
        if os.path.lexists(target):
            raise UsageError(f"{target} exists; a published checkpoint is never replaced")
    contents = _encode(round, tensors, state)
    require_space(folder, on_disk([len(content) for content in contents.values()]), storage)
    temporary = folder / f".tmp-{target.name}-{os.urandom(4).hex()}"
    try:
        with reporting(target):
            _publish(temporary, target, contents, storage)
        read_verified(target, storage)
    except (StorageError, CorruptCheckpoint) as problem:
        _withdraw(temporary, target, storage)
        hint = problem.suggestion or "check the disk, then resume the run"
        raise StorageError(f"round {round} was not saved: {problem.message}", hint) from problem
    _remove_old(folder, round, keep, storage)
    return target


def _encode(
    round: int, tensors: dict[str, dict[str, Tensor]], state: dict[str, Any]
) -> dict[str, bytes]:
    """The content of every file by name; the manifest is the last entry."""
    contents = {}
    for stem, named in tensors.items():
        name = f"{stem}.safetensors"
        assert TENSORS.fullmatch(name), f"{stem!r} cannot name a file"
        if bad := first_not_finite(named):
            raise Diverged(
                f"{bad!r} of {stem} holds NaN or infinity in round {round}; it was not saved",
                "the checkpoints before are as they were; a lower rate often helps",
            )
        contents[name] = encode_tensors(named)
    try:
        text = json.dumps(state, allow_nan=False, indent=1)
    except ValueError as problem:
        raise Diverged(
            f"{STATE} of round {round} would hold NaN or infinity ({problem}); it was not saved",
            "the checkpoints before are as they were; a lower rate often helps",
        ) from problem
    # a tuple, or a number as a key, would come back as something else
    assert json.loads(text) == state, "the state of a checkpoint must be plain JSON"
    contents[STATE] = text.encode()
    return {**contents, MANIFEST: make_manifest(round, contents)}


def _publish(temporary: Path, target: Path, contents: dict[str, bytes], storage: Storage) -> None:
    """Write and sync every file, then the folder; rename; sync the parent."""
    folder = target.parent
    if not folder.exists():
        storage.mkdir(folder)
        storage.sync_folder(folder.parent)
    storage.mkdir(temporary)
    for name, content in contents.items():
        storage.write(temporary / name, content)
    storage.sync_folder(temporary)
    storage.rename(temporary, target)
    storage.sync_folder(folder)


def _withdraw(temporary: Path, target: Path, storage: Storage) -> None:
    """Best effort: take back a save that failed, so that the same round can be tried again."""
    with suppress(OSError):
        if target.exists() and not temporary.exists():  # renamed, but not synced or not verified
            storage.rename(target, temporary)
    with suppress(OSError):
        if temporary.exists():
            storage.remove_tree(temporary)


def _remove_old(folder: Path, newest: int, keep: Keep, storage: Storage) -> None:
    """Rename away what the rule does not keep, then remove it, with leftovers of earlier tries."""
    with suppress(OSError):
        rounds = published(folder)
        for round in sorted(set(rounds) - keep(rounds) - {newest}):
            name = f"step-{round:07d}"
            storage.rename(folder / name, folder / f".old-{name}-{os.urandom(4).hex()}")
    for leftover in list(folder.glob(".old-*")):
        with suppress(OSError):
            storage.remove_tree(leftover)


def load(path: Path, warn: Callable[[str], None] | None = None) -> Checkpoint:
    """The checkpoint in this folder, every file verified; nothing on the disk is changed.

    warn: told about files that the manifest does not list; they are ignored.
    Raises CorruptCheckpoint with the file and the difference, StorageError if the system does not
    let us read.
    """
    round, contents = read_verified(path)
    state = parse_object(contents[STATE], path / STATE)
    tensors = {}
    for name in sorted(contents.keys() - {STATE, MANIFEST}):
        try:
            tensors[name.removesuffix(".safetensors")] = decode_tensors(contents[name])
        except ValueError as problem:
            raise CorruptCheckpoint(f"{path / name}: {problem}") from problem
    if warn:
        with reporting(path):
            found = {entry.name for entry in path.iterdir()}
        for extra in sorted(found - contents.keys()):
            warn(f"{path / extra} is not part of the checkpoint and was ignored")
    return Checkpoint(path, round, state, tensors)


def load_newest(folder: Path, warn: Callable[[str], None]) -> Checkpoint:
    """The newest checkpoint that verifies; `warn` is told why a newer one was passed over.

    Raises CorruptCheckpoint if there is none, StorageError if the system does not let us read.
    """
    tried: dict[int, str] = {}
    # listed anew each time: a trainer may publish and remove while a reader reads
    while fresh := [round for round in published(folder) if round not in tried]:
        path = folder / f"step-{fresh[-1]:07d}"
        try:
            return load(path, warn)
        except CorruptCheckpoint as problem:
            tried[fresh[-1]] = problem.message
            if path.exists():
                warn(f"{problem.message}; trying the checkpoint before")
    if not tried:
        raise CorruptCheckpoint(f"{folder} holds no checkpoint", "train the run from its start")
    raise CorruptCheckpoint(
        f"none of {len(tried)} checkpoints in {folder} can be used: {tried[max(tried)]}",
        "restore the folder from a copy, or train the run from its start",
    )


def published(folder: Path) -> list[int]:
    """The rounds that have a checkpoint, in order, verified or not; none without the folder."""
    with reporting(folder):
        names = [entry.name for entry in folder.iterdir()] if folder.is_dir() else []
    steps = [STEP.fullmatch(name) for name in names]
    return sorted(int(step[1]) for step in steps if step)


def latest_round(folder: Path) -> int | None:
    """The newest round that has a checkpoint, verified or not."""
    return max(published(folder), default=None)


def clean(folder: Path) -> None:
    """Remove what a dead writer left: saves that were never published, old ones half removed."""
    for leftover in [*folder.glob(".tmp-*"), *folder.glob(".old-*")]:
        with reporting(leftover):
            DISK.remove_tree(leftover)


def set_aside(folder: Path, after: int) -> list[Path]:
    """Rename checkpoints above the round `after`, out of the way of those to come.

    For a writer that goes back to `after` because newer ones are damaged. Returns where they lie
    now: `aside-step-0000300-1f2e3d4c`; nothing is removed.
    """
    moved = []
    for round in published(folder):
        if round > after:
            name = f"step-{round:07d}"
            moved.append(folder / f"aside-{name}-{os.urandom(4).hex()}")
            with reporting(folder / name):
                DISK.rename(folder / name, moved[-1])
    return moved

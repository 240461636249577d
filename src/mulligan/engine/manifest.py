"""What a checkpoint folder must hold: names, sizes and sha256 of its files, under one seal.

`MANIFEST.json` carries the hash of its own content, so that a changed bit in it is found like a
changed bit anywhere else, and files of two checkpoints together are refused.
"""

from __future__ import annotations

import hashlib
import json
import re
import stat
from errno import EIO
from pathlib import Path
from typing import Any, NoReturn

from mulligan.disk import storage_error
from mulligan.engine.storage import DISK, Storage
from mulligan.errors import CorruptCheckpoint

SCHEMA = 1
MANIFEST = "MANIFEST.json"
STATE = "state.json"
STEP = re.compile(r"step-([0-9]{7,})")
TENSORS = re.compile(r"([A-Za-z0-9_][A-Za-z0-9_.-]*)\.safetensors")
MAX_MANIFEST = 16 * 2**20  # bytes


def make_manifest(round: int, contents: dict[str, bytes]) -> bytes:
    """The manifest of these files. contents: by file name."""
    files = {name: _fingerprint(content) for name, content in contents.items()}
    return _seal({"schema": SCHEMA, "round": round, "files": files})


def _fingerprint(content: bytes) -> dict[str, Any]:
    return {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}


def _seal(body: dict[str, Any]) -> bytes:
    """The manifest's text: the body with the hash of itself."""
    seal = hashlib.sha256(json.dumps(body, sort_keys=True).encode()).hexdigest()
    return (json.dumps({**body, "sha256": seal}, indent=1) + "\n").encode()


def read_verified(path: Path, storage: Storage = DISK) -> tuple[int, dict[str, bytes]]:
    """The round and the content of every file by name, after checking all of it.

    Raises CorruptCheckpoint with the file and the difference, StorageError for a file that the
    system does not let us read.
    """
    contents = {MANIFEST: _read(path / MANIFEST, None, storage)}
    manifest = _check_manifest(path, contents[MANIFEST])
    for name, expected in manifest["files"].items():
        content = contents[name] = _read(path / name, expected["bytes"], storage)
        found = hashlib.sha256(content).hexdigest()
        if found != expected["sha256"]:
            raise CorruptCheckpoint(
                f"{path / name} was changed: its sha256 is {found[:12]}..., "
                f"the manifest says {expected['sha256'][:12]}..."
            )
    return manifest["round"], contents


def _check_manifest(path: Path, content: bytes) -> dict[str, Any]:
    """The manifest, after checking its schema, its seal, its names and the folder's name."""
    file = path / MANIFEST
    manifest = parse_object(content, file)
    schema = manifest.get("schema")
    if isinstance(schema, int) and schema > SCHEMA:
        raise CorruptCheckpoint(
            f"{file} has schema {schema}, this version reads {SCHEMA}",
            "use the version of mulligan that wrote it, or a newer one",
        )
    body = {key: value for key, value in manifest.items() if key != "sha256"}
    if _seal(body) != content:
        raise CorruptCheckpoint(f"{file} was changed: it does not match its own sha256")
    if problem := _misshapen(body):
        raise CorruptCheckpoint(f"{file}: {problem}")
    step = STEP.fullmatch(path.name)
    if step and int(step[1]) != body["round"]:
        raise CorruptCheckpoint(f"{path} holds the checkpoint of round {body['round']}")
    return body


def _misshapen(body: dict[str, Any]) -> str | None:
    """What a sealed manifest has that we never write; it could name files outside its folder."""
    files = body.get("files")
    if body.get("schema") != SCHEMA or type(body.get("round")) is not int:
        return "the schema or the round is missing"
    if not isinstance(files, dict) or STATE not in files:
        return f"it does not list {STATE}"
    for name, entry in files.items():
        if name != STATE and not TENSORS.fullmatch(name):
            return f"it lists {name!r}, which is no file of a checkpoint"
        if not isinstance(entry, dict) or type(entry.get("bytes")) is not int:
            return f"it does not say how many bytes {name} has"
        if not isinstance(entry.get("sha256"), str):
            return f"it does not give the sha256 of {name}"
    return None


def _read(path: Path, size: int | None, storage: Storage) -> bytes:
    """The content of a regular file of this size (the manifest's own is not known)."""
    try:
        found = path.lstat()
        # a named pipe would block for ever, a link could lead to another checkpoint
        if not stat.S_ISREG(found.st_mode):
            raise CorruptCheckpoint(f"{path} is not a regular file")
        if size is not None and found.st_size != size:
            raise CorruptCheckpoint(
                f"{path} was changed: it has {found.st_size:,} bytes, the manifest says {size:,}"
            )
        if size is None and found.st_size > MAX_MANIFEST:
            raise CorruptCheckpoint(f"{path} has {found.st_size:,} bytes: too many for a manifest")
        return storage.read(path)
    except (FileNotFoundError, NotADirectoryError) as problem:
        raise CorruptCheckpoint(f"{path} is missing") from problem
    except OSError as problem:
        if problem.errno == EIO:  # a bad block: the checkpoint before may be readable
            raise CorruptCheckpoint(f"{path} cannot be read: {problem.strerror}") from problem
        raise storage_error(problem, path) from problem


def parse_object(content: bytes, path: Path) -> dict[str, Any]:
    """The JSON object in this file. Raises CorruptCheckpoint for anything else."""
    try:
        value = json.loads(content, parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as problem:
        raise CorruptCheckpoint(f"{path} is not JSON: {problem}") from problem
    if not isinstance(value, dict):
        raise CorruptCheckpoint(f"{path} is not a JSON object")
    return value


def _refuse_constant(word: str) -> NoReturn:
    raise ValueError(f"{word} is not a number")

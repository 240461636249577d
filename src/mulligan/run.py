"""A run: made, found, described and locked. What its folder holds is in `layout.py`.

One process writes, under a lock of the kernel that ends with it; everybody may read.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from mulligan.disk import check_name, claim, remove, reporting, tidy_name
from mulligan.errors import StorageError, UsageError
from mulligan.layout import Layout, now

SCHEMA = 1


class Run(Layout):
    """A run on the disk. `Run(path)` looks at nothing; `create` and `find` do."""

    @classmethod
    def create(cls, runs_dir: Path, name: str | None, stem: str, force: bool = False) -> Run:
        """A new run, its folder complete from the moment it can be seen.

        name: of the folder; None takes the next free of STEM-001, STEM-002, ...
        force: replace a run of that name, unless a process is writing it.
        Raises UsageError for a bad or taken name, StorageError if the folder cannot be written.
        """
        wanted = check_name(name) if name is not None else None
        with reporting(runs_dir):
            runs_dir.mkdir(parents=True, exist_ok=True)
            new = runs_dir / f".new-{os.urandom(4).hex()}"
            try:
                _lay_out(new)
                path = runs_dir / (wanted or _next_name(runs_dir, tidy_name(stem)))
                while not claim(new, path):
                    if wanted:
                        _make_room(path, force)
                    else:  # another process was quicker
                        path = runs_dir / _next_name(runs_dir, tidy_name(stem))
            finally:
                remove(new)
        return cls(path)

    @classmethod
    def find(cls, target: str | Path, runs_dir: Path) -> Run:
        """The run meant by a name, a path, a unique beginning of a name, or "@last" (the newest).

        Raises UsageError with the nearest name, or for a run of a newer version.
        """
        word = str(target)
        for path in (runs_dir / word, Path(os.path.expanduser(word))):  # noqa: PTH111  # never raises
            if word and _is_run(path):
                run = cls(path)
                run.info()
                return run
        runs = cls.all(runs_dir)
        if word == "@last" and runs:
            return runs[-1]
        begun = [run for run in runs if word and run.name.startswith(word)]
        if len(begun) == 1:
            return begun[0]
        raise _not_found(word, [run.name for run in begun or runs], bool(begun), runs_dir)

    @staticmethod
    def all(runs_dir: Path) -> list[Run]:
        """The runs in this folder, oldest first. Other folders, and runs that this version does
        not understand, are left out."""
        with reporting(runs_dir):
            folders = sorted(runs_dir.iterdir()) if runs_dir.is_dir() else []
        found = []
        for folder in folders:
            with suppress(UsageError, StorageError):
                if not folder.name.startswith("."):
                    found.append((Run(folder).info()["created"], folder.name, Run(folder)))
        return [run for _, _, run in sorted(found, key=lambda entry: entry[:2])]

    def info(self) -> dict[str, Any]:
        """run.json: at least "id", "schema", "status", "reason" and "created" (UTC, ISO 8601).

        Raises UsageError if a newer version wrote it, StorageError if this is no run.
        """
        info = self.read_json("run.json")
        schema = info.get("schema") if isinstance(info, dict) else None
        if type(schema) is not int or not isinstance(info.get("created"), str):
            raise StorageError(f"{self.path / 'run.json'} is not that of a run")
        if schema > SCHEMA:
            raise UsageError(
                f"run {self.name} has schema {schema}, this version reads up to {SCHEMA}",
                "use the version of mulligan that made it, or a newer one",
            )
        return dict(info)

    def update(self, **values: Any) -> None:
        """Set these keys of run.json; the file is replaced in one step."""
        self.write_json("run.json", {**self.info(), **values})

    @contextmanager
    def lock(self) -> Iterator[None]:
        """Be the one writer. The kernel frees the lock with the process, however that ends.

        Raises UsageError with the process and host of the other writer, and changes nothing then.
        """
        with self._held():
            self.update(writer={"pid": os.getpid(), "host": _host()})
            try:
                yield
            finally:
                with suppress(StorageError):  # the lock counts; an error of the body says more
                    self.update(writer=None)

    @contextmanager
    def _held(self) -> Iterator[None]:
        from filelock import FileLock, Timeout

        lock = FileLock(self.path / ".lock", timeout=0)
        with reporting(self.path):
            try:
                lock.acquire()
            except Timeout as problem:  # an OSError too
                raise self._busy() from problem
        try:
            yield
        finally:
            lock.release()

    def _busy(self) -> UsageError:
        writer = self.info().get("writer") or {"pid": "unknown", "host": "unknown"}
        return UsageError(
            f"run {self.name} is being written by process {writer['pid']} on {writer['host']}",
            "wait until it ends, or stop it with Ctrl-C; it will leave a checkpoint",
        )

    def abandoned(self) -> bool:
        """Whether its writer on this host died without a word: status "running" is not true."""
        writer = self.info().get("writer")
        if not writer or writer["host"] != _host():
            return False
        try:
            os.kill(writer["pid"], 0)  # signal 0 only asks whether there is such a process
        except ProcessLookupError:
            return True
        except OSError:
            return False
        return False


def _is_run(path: Path) -> bool:
    try:
        return (path / "run.json").is_file()
    except OSError:  # a name too long, a folder we may not enter
        return False


def _lay_out(path: Path) -> None:
    """A new run's folder: what every run has from its first moment."""
    (path / "samples").mkdir(parents=True)
    (path / "checkpoints").mkdir()
    info = {"id": os.urandom(8).hex(), "schema": SCHEMA, "status": "created", "reason": ""}
    Run(path).write_json("run.json", {**info, "created": now(), "writer": None})


def _next_name(runs_dir: Path, stem: str) -> str:
    """The first number after all that were ever taken and are still there."""
    tails = [entry.name.removeprefix(f"{stem}-") for entry in runs_dir.glob(f"{stem}-*")]
    taken = [int(tail) for tail in tails if tail.isascii() and tail.isdecimal()]
    return f"{stem}-{max(taken, default=0) + 1:03d}"


def _make_room(path: Path, force: bool) -> None:
    """Remove the run in the way of a new one, if that was asked for and nobody writes it."""
    if not _is_run(path):
        raise UsageError(f"{path} exists and is not a run", "choose another --name")
    if not force:
        raise UsageError(
            f"run {path} exists",
            f"go on with it: mulligan resume {path}; or replace it: add --force",
        )
    old = path.with_name(f".old-{os.urandom(4).hex()}")
    with Run(path)._held():
        path.rename(old)
    remove(old)


def _not_found(word: str, names: list[str], several: bool, runs_dir: Path) -> UsageError:
    from difflib import get_close_matches

    if several:
        shown = ", ".join(names[:5]) + (", ..." if len(names) > 5 else "")
        return UsageError(
            f"{len(names)} runs begin with {word!r}: {shown}", "give more of the name"
        )
    near = get_close_matches(Path(word).name, names, 1, 0.4)
    hint = f'the nearest name is {near[0]}; "mulligan runs" lists all' if near else (
        '"mulligan runs" lists them; "mulligan train DATA" makes one')  # fmt: skip
    with suppress(OSError):
        if word and Path(word).is_dir():
            return UsageError(f"{word} is a folder but not a run: it has no run.json", hint)
    return UsageError(f"no run {word!r} in {runs_dir}", hint)


def _host() -> str:
    import socket

    return socket.gethostname()

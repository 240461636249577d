"""Files of the named data sets: found where the user keeps them, else downloaded and verified."""

from __future__ import annotations

import hashlib
import http.client
import os
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

from filelock import FileLock

from mulligan import places
from mulligan.data.remote import REMOTE
from mulligan.errors import DataError, StorageError

ATTEMPTS = 3
BLOCK = 1 << 16
SLOWEST = 256  # bytes a second; a server that only drips is as good as stalled


class UnreachableError(DataError):
    """A server did not give the file; another address may."""


def obtain(data: str, file: str) -> Path:
    """The path of one file of a named data set, from MULLIGAN_DATA, the cache, or the network.

    Raises DataError when it cannot be had, StorageError when it cannot be written.
    """
    folders = [folder for folder in (places.data_folder(), places.cache_folder()) if folder]
    for folder in folders:
        if (folder / data / file).is_file():
            return folder / data / file
    remote = REMOTE[data][file]
    target = places.cache_folder() / data / file
    failures = []
    for url in remote.urls:
        try:
            return fetch(url, remote.sha256, remote.size, target, _tell)
        except UnreachableError as failure:
            failures.append(failure.message)
    raise DataError(
        f"{data} could not be downloaded: {'; '.join(failures)}",
        f"try again (it goes on where it stopped), or put {file} in the folder {data}/ of "
        "MULLIGAN_DATA",
    )


def fetch(
    url: str,
    sha256: str,
    size: int,
    target: Path,
    say: Callable[[str], Any] = print,
    stall: float = 30.0,
) -> Path:
    """`target`, once it holds the `size` bytes of `url` that have this sha256.

    Goes on with the .part file of an earlier attempt, verifies, syncs, then renames. A `target`
    that already verifies costs no request.
    say: is told address, size and hash before anything is asked for. stall: seconds without
    progress after which a connection is given up.
    Raises UnreachableError (the .part file stays), DataError naming both hashes (it is deleted), or
    StorageError.
    """
    if not url.startswith(("http://", "https://")):
        raise DataError(f"{url} is not an http address")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(f"{target}.lock"):  # the ranks of one run ask for the same file at once
            if target.is_file() and file_sha256(target) == sha256:
                return target
            say(f"downloading {url} ({size} bytes, sha256 {sha256})")
            part = target.with_name(target.name + ".part")
            _complete(url, size, part, stall)
            _verify(url, sha256, part)
            _publish(part, target)
            return target
    except OSError as error:
        if isinstance(error, StorageError):
            raise
        raise StorageError(
            f"cannot write {target}: {error.strerror or error}",
            "free some space, or set MULLIGAN_CACHE to a folder that can be written",
        ) from error


def file_sha256(path: Path) -> str:
    """The hexadecimal sha256 of a file's bytes."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _tell(sentence: str) -> None:
    print(sentence, file=sys.stderr)


def _complete(url: str, size: int, part: Path, stall: float) -> None:
    failure = ""
    for _ in range(ATTEMPTS):
        held = part.stat().st_size if part.exists() else 0
        if held > size:
            part.unlink()
            held = 0
        if held == size:
            return
        try:
            _continue(url, size, part, stall)
        except urllib.error.HTTPError as error:
            error.close()
            if error.code == 416:  # the server's file is shorter than what is held
                part.unlink(missing_ok=True)
            elif error.code < 500:
                raise UnreachableError(f"{url}: the server says {error.code}") from error
            failure = f"the server says {error.code}"
        except (urllib.error.URLError, http.client.HTTPException, ConnectionError) as error:
            failure = str(getattr(error, "reason", "") or error or type(error).__name__)
        except TimeoutError:
            failure = f"no progress for {stall:g} seconds"
        else:
            failure = f"the connection ended after {part.stat().st_size} of {size} bytes"
    if part.exists() and part.stat().st_size == size:
        return
    raise UnreachableError(f"{url}: {failure}", "try again: the download goes on where it stopped")


def _continue(url: str, size: int, part: Path, stall: float) -> None:
    """Append to the part file what one connection gives."""
    held = part.stat().st_size if part.exists() else 0
    request = urllib.request.Request(url, headers={"User-Agent": "mulligan"})
    if held:
        request.add_header("Range", f"bytes={held}-")
    with closing(urllib.request.urlopen(request, timeout=stall)) as answer:
        resumed = answer.status == 206 and f"bytes {held}-" in answer.headers.get(
            "Content-Range", ""
        )
        length = answer.headers.get("Content-Length", "")
        if not resumed and length.isdigit() and int(length) != size:
            raise UnreachableError(f"{url} offers {length} bytes, but the file has {size}")
        with part.open("ab" if resumed else "wb") as stream:
            copy_answer(answer, stream, size - (held if resumed else 0), stall)


def copy_answer(answer: Any, stream: Any, left: int, stall: float) -> None:
    """Write at most `left` bytes of an answer to a stream. Raises OSError."""
    started, got = time.monotonic(), 0
    while left > 0 and (block := _read(answer, min(BLOCK, left))):
        stream.write(block)
        left -= len(block)
        got += len(block)
        if time.monotonic() - started > stall:
            if got < SLOWEST * stall:
                raise TimeoutError
            started, got = time.monotonic(), 0


def _read(answer: Any, most: int) -> bytes:
    try:
        return bytes(answer.read1(most))
    except TimeoutError:
        raise
    except OSError as error:  # such as a broken TLS record; not to be taken for a full disk
        raise ConnectionError(str(error)) from error


def _verify(url: str, sha256: str, part: Path) -> None:
    found = file_sha256(part)
    if found != sha256:
        part.unlink()
        raise DataError(
            f"{url} gave a file with sha256 {found}, but it should be {sha256}",
            "the file was deleted; try again, or get it by hand from a source you trust",
        )


def _publish(part: Path, target: Path) -> None:
    with part.open("rb") as stream:
        os.fsync(stream.fileno())
    part.replace(target)
    folder = os.open(target.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)

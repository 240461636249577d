"""Bytes of a file that lies elsewhere, block by block: over HTTP, or as fsspec can read it.

A block is asked for up to three times, and every wait has an end. Whoever stops answering ends the
reading altogether: data with a part missing would be other data.
"""

from __future__ import annotations

import http.client
import io
import time
import urllib.error
import urllib.request
import zlib
from base64 import b64encode
from collections import OrderedDict
from collections.abc import Callable
from contextlib import closing
from functools import partial
from importlib import import_module
from threading import Lock
from typing import Any, BinaryIO, Protocol
from urllib.parse import unquote, urlsplit

from mulligan.data.download import ATTEMPTS, copy_answer
from mulligan.data.sources import MOST_TOTAL
from mulligan.data.tars import Holder
from mulligan.data.window import Window
from mulligan.errors import DataError, MulliganError
from mulligan.places import shown

BLOCK = 1 << 21
PIECE = 1 << 15  # what is asked for at least
MOST_HELD = 32  # blocks that are kept
STALL = 30.0  # seconds without progress
PAUSE = 0.5  # seconds before a second attempt, and twice that before a third


class Unreachable(MulliganError):
    """A place does not answer, or stops in the middle of it. No error of one file or picture."""

    exit_code = DataError.exit_code


class Refused(OSError):
    """The place answers, and a second attempt would get the same."""


class Remote(Protocol):
    """A file that lies elsewhere.

    stamp: changes when its content does. first: its first bytes, as far as they came with its size.
    """

    address: str
    size: int
    stamp: int
    first: bytes

    def get(self, start: int, end: int) -> bytes:
        """These bytes, all of them. Raises Unreachable, or OSError where the place refuses."""


class Web:
    """A file over HTTP. Raises as `get` does, and OSError for a server that gives no ranges."""

    def __init__(self, url: str) -> None:
        self.address, self.size, self.stamp = shown(url), -1, 0
        user, sign, host = urlsplit(url).netloc.rpartition("@")
        self.url = urlsplit(url)._replace(netloc=host).geturl() if sign else url
        self.login = b64encode(unquote(user).encode()).decode()
        self.first = self.get(0, BLOCK)

    def get(self, start: int, end: int) -> bytes:
        """These bytes, or those up to the end of the file when it is first asked."""
        return bytes(attempt(self.address, partial(self._ask, start, end)))

    def _ask(self, start: int, end: int) -> bytes:
        headers = {"User-Agent": "mulligan", "Range": f"bytes={start}-{end - 1}"}
        request = urllib.request.Request(self.url, headers=headers)
        if self.login:  # for this server, and for none that it sends us to
            request.add_unredirected_header("Authorization", f"Basic {self.login}")
        with closing(urllib.request.urlopen(request, timeout=STALL)) as answer:
            total = self._checked(answer, start)
            wanted = min(end, total) - start
            held = io.BytesIO()
            copy_answer(answer, held, wanted, STALL)
        if held.tell() != wanted:
            raise ConnectionError(f"the answer ended after {held.tell()} of {wanted} bytes")
        return held.getvalue()

    def _checked(self, answer: Any, start: int) -> int:
        """The size of the file, once it is clear that this answer is of the file asked for."""
        span = answer.headers.get("Content-Range", "")
        given, _, total = span.removeprefix("bytes ").partition("/")
        if answer.status != 206 or not given.startswith(f"{start}-") or not total.isdigit():
            raise Refused("the server gives no parts of files; download it and give the file")
        sign = f"{total} {answer.headers.get('ETag')} {answer.headers.get('Last-Modified')}"
        stamp = zlib.crc32(sign.encode())
        if int(total) > MOST_TOTAL:
            raise Refused(f"{total} bytes, at most {MOST_TOTAL} are read")
        if self.size < 0:
            self.size, self.stamp = int(total), stamp
        elif stamp != self.stamp:
            raise Refused("the file has changed while it was read")
        return self.size


class Other:
    """A file of any other kind that fsspec knows."""

    def __init__(self, files: Any, path: str) -> None:
        self.files, self.path, self.address, self.first = files, path, path, b""
        facts = self._ask("info", path)
        self.size = int(facts.get("size") or 0)
        self.stamp = zlib.crc32(repr(sorted(facts.items())).encode())

    def get(self, start: int, end: int) -> bytes:
        """These bytes."""
        held = bytes(self._ask("cat_file", self.path, start=start, end=end))
        if len(held) != end - start:
            raise Refused(f"{len(held)} bytes came where {end - start} were asked for")
        return held

    def _ask(self, name: str, *words: Any, **more: Any) -> Any:
        return attempt(self.path, partial(call, self.files, name, *words, **more))


def call(files: Any, name: str, *words: Any, **more: Any) -> Any:
    """What a file system of fsspec answers; where it can be told to, within a time."""
    if not files.async_impl:
        return getattr(files, name)(*words, **more)
    waiting = getattr(files, f"_{name}")
    return import_module("fsspec.asyn").sync(files.loop, waiting, *words, timeout=2 * STALL, **more)


def attempt(address: str, ask: Callable[[], Any]) -> Any:
    """What `ask` returns, after as many attempts as it takes, if not more than three.

    Raises OSError where the place refuses, and Unreachable otherwise.
    """
    reason = ""
    for number in range(ATTEMPTS):
        time.sleep(PAUSE * number)
        try:
            return ask()
        except urllib.error.HTTPError as error:
            error.close()
            reason = f"the server says {error.code}"
            if error.code < 500:
                raise Refused(reason) from error
        except (Refused, FileNotFoundError, PermissionError, IsADirectoryError):
            raise
        except TimeoutError:
            reason = f"no progress for {STALL:g} seconds"
        except (urllib.error.URLError, http.client.HTTPException, OSError) as error:
            reason = str(getattr(error, "reason", "") or error or type(error).__name__)
        except Exception as error:  # file systems raise what the libraries below them raise
            reason = f"{type(error).__name__}: {error}"
    reason = shown(reason)  # which a library may have put the address into
    raise Unreachable(f"{address} cannot be read: {reason}", "try again when it answers")


class Kept:
    """The blocks of a source's files that were used last, by file and number; threads may ask at
    once."""

    def __init__(self) -> None:
        self.blocks: OrderedDict[tuple[Blocks, int], bytes] = OrderedDict()
        self.lock = Lock()

    def get(self, file: Blocks, number: int) -> bytes | None:
        with self.lock:
            if (file, number) in self.blocks:
                self.blocks.move_to_end((file, number))
            return self.blocks.get((file, number))

    def put(self, file: Blocks, number: int, content: bytes) -> None:
        with self.lock:
            self.blocks[file, number] = content
            if len(self.blocks) > MOST_HELD:
                self.blocks.popitem(last=False)


class Blocks:
    """A remote file, read in blocks where it is read in order, and in the asked parts elsewhere."""

    def __init__(self, remote: Remote, kept: Kept) -> None:
        self.remote, self.kept, self.lock = remote, kept, Lock()
        if remote.first:
            kept.put(self, 0, remote.first)
            remote.first = b""  # of a thousand files they would be 2 GB

    def fill(self, buffer: memoryview, start: int) -> int:
        """Put bytes from `start` on into the buffer, up to the end of a block; how many."""
        number, within = divmod(start, BLOCK)
        with self.lock:  # one thread asks, the others wait for the answer
            piece = self._block(number, within)
            if piece is None:  # pictures that lie scattered would cost a block each
                end = min(self.remote.size, start + len(buffer), (number + 1) * BLOCK)
                piece, within = self._get(start, end), 0
        piece = piece[within : within + len(buffer)]
        buffer[: len(piece)] = piece
        return len(piece)

    def _block(self, number: int, within: int) -> bytes | None:
        """A block, if it is there, or if it is entered near its start from the one before."""
        found = self.kept.get(self, number)
        before = number == 0 or self.kept.get(self, number - 1) is not None
        if found is None and before and within < BLOCK >> 3:
            end = min(self.remote.size, (number + 1) * BLOCK)
            found = self._get(number * BLOCK, end)
            self.kept.put(self, number, found)
        return found

    def _get(self, start: int, end: int) -> bytes:
        try:
            return self.remote.get(start, end)
        except OSError as error:  # it gave its first block, so this is no error of one picture
            raise Unreachable(f"{self.remote.address} cannot be read on: {error}") from error


class Span(Window):
    """Some bytes of a remote file, as a file."""

    def __init__(self, blocks: Blocks, start: int, size: int) -> None:
        super().__init__(start, size)
        self.blocks = blocks

    def fill(self, buffer: memoryview, start: int) -> int:
        return self.blocks.fill(buffer, start)


def holder(name: str, remote: Remote, kept: Kept) -> Holder:
    """A remote file as the bytes of a tar."""
    blocks = Blocks(remote, kept)

    def part(start: int, size: int) -> BinaryIO:
        return io.BufferedReader(Span(blocks, start, size), PIECE)

    return Holder(name, remote.size, partial(part, 0, remote.size), part, remote.stamp)

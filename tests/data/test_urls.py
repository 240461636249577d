"""Tars at addresses: a real server that gives parts, cuts, stalls, refuses; fsspec's memory."""

from __future__ import annotations

import contextlib
import sys
import threading
import time
from base64 import b64encode
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data.test_folder import lay, png, reds, skipped
from data.test_forms import PETS, tar
from data.test_shards import HALVES, classes, same
from mulligan.data import kinds, ranges, urls
from mulligan.data.open import open_data
from mulligan.errors import DataError
from mulligan.places import is_address, is_found_anywhere, shown

fsspec = pytest.importorskip("fsspec")


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Any

    def do_GET(self) -> None:
        server = self.server
        name = self.path.partition("?")[0].lstrip("/")
        span = self.headers.get("Range", "")
        server.asked.append((self.path, span))
        way = server.ways.pop(0) if server.ways else server.always
        content = server.files.get(name)
        if content is None or way.isdigit():
            self.answer(int(way) if way.isdigit() else 404, b"")
            return
        if not span or way == "whole":
            self.answer(200, content)
            return
        first, last = (int(word) for word in span.removeprefix("bytes=").split("-"))
        body = content[first : last + 1]
        stated = f"bytes {first}-{first + len(body) - 1}/{len(content)}"
        if way == "elsewhere":
            stated = f"bytes {first + 1}-{first + len(body)}/{len(content)}"
        server.logins.append(self.headers.get("Authorization"))
        self.answer(206, body, stated, way)

    def answer(self, status: int, body: bytes, span: str = "", way: str = "") -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("ETag", self.server.tag)
        if span:
            self.send_header("Content-Range", span)
        self.end_headers()
        if way in ("cut", "stall"):
            self.wfile.write(body[: len(body) // 2])
            self.wfile.flush()
            self.close_connection = True
            if way == "stall":
                self.server.over.wait(20)
        else:
            self.wfile.write(body)

    def handle(self) -> None:
        with contextlib.suppress(ConnectionError):
            super().handle()

    def log_message(self, *words: Any) -> None:
        pass


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    monkeypatch.setattr(ranges, "PAUSE", 0.0)
    monkeypatch.setattr(ranges, "STALL", 0.3)
    made: Any = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    made.asked, made.ways, made.always, made.files, made.tag = [], [], "good", {}, '"1"'
    made.logins = []
    made.over = threading.Event()
    made.url = f"http://127.0.0.1:{made.server_port}"
    thread = threading.Thread(target=made.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield made
    made.over.set()
    made.shutdown()
    made.server_close()
    thread.join(timeout=10)


def tars(folder: Path, kind: str = "tar") -> dict[str, bytes]:
    """The contents of two shards, by name."""
    folder.mkdir(exist_ok=True)
    mode = {"tar": "w", "tar.gz": "w:gz"}[kind]
    return {
        f"pets/train-{number:04d}.{kind}": Path(
            tar(folder / f"{number}.{kind}", files, mode)
        ).read_bytes()
        for number, files in enumerate(HALVES)
    }


@pytest.mark.parametrize("kind", ["tar", "tar.gz"])
def test_shards_of_a_server_are_the_same_data_as_a_folder(
    kind: str, server: Any, tmp_path: Path, capsys: Any
) -> None:
    plain = open_data(lay(tmp_path / "plain" / "pets", PETS))
    server.files = tars(tmp_path / "made", kind)
    address = f"{server.url}/pets/train-{{0000..0001}}.{kind}"
    data = open_data(address)
    same(data, plain)
    assert data.name == "pets"
    assert data.manifest["source"] == address
    assert capsys.readouterr().err.splitlines()[:3] == [
        f"reading {address}",
        f"reading {server.url}/pets/train-0000.{kind}",
        f"reading {server.url}/pets/train-0001.{kind}",
    ]
    assert len(server.asked) == 2  # their first blocks hold all, and are asked for once


def test_nothing_is_asked_for_before_it_is_said(
    server: Any, tmp_path: Path, monkeypatch: Any
) -> None:
    server.files = tars(tmp_path / "made")
    said: list[int] = []
    monkeypatch.setattr(urls, "_say", lambda address: said.append(len(server.asked)))
    open_data(f"{server.url}/pets/train-0000.tar")
    assert said == [0]


def test_a_signature_is_sent_and_not_shown(server: Any, tmp_path: Path, capsys: Any) -> None:
    server.files = tars(tmp_path / "made")
    data = open_data(f"{server.url}/pets/train-0000.tar?key=SECRET")
    assert data.name == "train-0000"
    assert server.asked[0][0].endswith("?key=SECRET")
    assert "SECRET" not in capsys.readouterr().err
    assert shown("s3://me:w@rd@host/x.tar?a=b") == "s3://...host/x.tar?..."
    assert shown("img?.png of me@home") == "img?.png of me@home"
    with pytest.raises(DataError) as caught:
        open_data(f"{server.url}/gone.tar?key=SECRET")
    assert "SECRET" not in str(caught.value)


def test_a_password_is_sent_and_not_shown(server: Any, tmp_path: Path, capsys: Any) -> None:
    server.files = tars(tmp_path / "made")
    secret = server.url.replace("://", "://me:SECR%3AET@")
    open_data(f"{secret}/pets/train-0000.tar")
    assert server.logins == ["Basic " + b64encode(b"me:SECR:ET").decode()]
    places = ("gone.tar", "gone-{0..1}.tar", "{0..999999}{0..9}.tar", "gone.zip", "*.tar")
    for place in places:
        with pytest.raises(DataError) as caught:
            open_data(f"{secret}/{place}")
        assert "SECR" not in str(caught.value)
    with pytest.raises(DataError) as caught:  # an address that Python's library makes words of
        open_data("http://me:SECRET@[host/a.tar")
    assert "SECR" not in str(caught.value)
    assert "SECR" not in capsys.readouterr().err
    for address in ("https://me:SECRET@host/{a,b}.tar", "ftp://me:SECRET@host/{a,b}.tar"):
        assert kinds.called(address) == "host"
    twice = [f"ftp://me:SECRET@{host}/a.tar" for host in ("one", "two")]
    assert urls._short(twice) == ["one/a.tar", "two/a.tar"]


def test_data_without_a_picture_do_not_show_their_signature(server: Any, tmp_path: Path) -> None:
    server.files = {"a.tar": Path(tar(tmp_path / "a.tar", {"a.txt": b""})).read_bytes()}
    with pytest.raises(DataError, match="holds no picture") as caught:
        open_data(f"{server.url}/a.tar?key=SECRET")
    assert "SECRET" not in str(caught.value)
    assert "a.txt" in str(caught.value)


def test_what_a_library_says_does_not_show_a_signature() -> None:
    def ask() -> None:
        raise RuntimeError("no answer from https://me:SECRET@host/a.tar?key=SECRET")

    with pytest.raises(ranges.Unreachable) as caught:
        ranges.attempt("host", ask)
    assert "no answer from" in str(caught.value)
    assert "SECRET" not in str(caught.value)


def test_a_shard_leaves_no_block_but_those_that_are_kept(server: Any, tmp_path: Path) -> None:
    server.files = tars(tmp_path / "made")
    web = ranges.Web(f"{server.url}/pets/train-0000.tar")
    assert web.first
    assert ranges.holder("a", web, ranges.Kept()).part(0, 5).read() == server.files[
        "pets/train-0000.tar"
    ][:5]  # fmt: skip
    assert not web.first


def test_the_same_name_with_another_question_is_another_file(server: Any, tmp_path: Path) -> None:
    contents = list(tars(tmp_path / "made").values())

    class Asking(dict[str, bytes]):
        def get(self, name: Any, other: Any = None) -> Any:
            return contents[int(server.asked[-1][0][-1])]

    server.files = Asking()
    data = open_data(f"{server.url}/x.tar?part={{0..1}}")
    assert reds(data) == [10, 20, 30, 40]


# Where and how it is read


class Memory:
    """A remote file that counts what is asked for."""

    def __init__(self, content: bytes, first: int = 0) -> None:
        self.content, self.asked = content, []  # type: ignore[var-annotated]
        self.address, self.size, self.stamp = "memory", len(content), 0
        self.first = content[:first]

    def get(self, start: int, end: int) -> bytes:
        self.asked.append((start, end))
        return self.content[start:end]


@settings(deadline=None)
@given(
    parts=st.lists(st.tuples(st.integers(0, 5000), st.integers(0, 900)), max_size=12),
    first=st.sampled_from([0, 64]),
    held=st.integers(1, 4),
)
def test_any_parts_in_any_order_are_those_of_the_file(
    parts: list[tuple[int, int]], first: int, held: int
) -> None:
    content = bytes(place * 7 % 251 for place in range(5000))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ranges, "BLOCK", 64)
        patch.setattr(ranges, "PIECE", 16)
        patch.setattr(ranges, "MOST_HELD", held)
        kept = ranges.Kept()
        file = ranges.holder("x", Memory(content, first), kept)
        for start, size in parts:
            wanted = content[start : start + size]
            with file.part(start, len(wanted)) as part:
                assert part.read() == wanted
            with file.open() as whole:
                whole.seek(start)
                assert whole.read(size) == wanted
            assert len(kept.blocks) <= held


def test_in_order_it_asks_for_blocks_and_elsewhere_for_what_is_needed(monkeypatch: Any) -> None:
    monkeypatch.setattr(ranges, "BLOCK", 1000)
    monkeypatch.setattr(ranges, "PIECE", 100)
    remote = Memory(bytes(10_000))
    file = ranges.holder("x", remote, ranges.Kept())
    with file.open() as whole:
        while whole.read(130):
            pass
    assert remote.asked == [(start, start + 1000) for start in range(0, 10_000, 1000)]
    remote = Memory(bytes(10_000))
    file = ranges.holder("x", remote, ranges.Kept())
    for start in (5200, 2400, 8300):
        file.part(start, 150).read()
    assert all(end - start <= 200 for start, end in remote.asked)


def test_threads_get_the_right_pictures(server: Any, tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.setattr(ranges, "BLOCK", 2048)
    monkeypatch.setattr(ranges, "MOST_HELD", 3)
    contents = {f"{k:03d}.png": png(k) for k in range(40)}
    server.files = {"x.tar": Path(tar(tmp_path / "x.tar", contents)).read_bytes()}
    source = kinds.source_of(f"{server.url}/x.tar")
    with ThreadPoolExecutor(8) as pool:
        order = [*range(40), *reversed(range(40))]
        found = list(pool.map(lambda k: source.pictures[k].read(), order))
    assert found == [png(k) for k in order]


# Servers that fail


def test_one_failure_costs_an_attempt_and_no_picture(server: Any, tmp_path: Path) -> None:
    server.files = tars(tmp_path / "made")
    for way in ("cut", "503", "stall"):
        server.ways = [way]
        assert reds(open_data(f"{server.url}/pets/train-{{0000..0001}}.tar")) == [10, 20, 30, 40]


@pytest.mark.parametrize(
    ("way", "reason"),
    [
        ("cut", "the answer ended after"),
        ("503", "the server says 503"),
        ("stall", "the answer ended after|no progress for"),
    ],
)
def test_a_server_that_keeps_failing_ends_it_soon(
    way: str, reason: str, server: Any, tmp_path: Path
) -> None:
    server.files, server.always = tars(tmp_path / "made"), way
    started = time.monotonic()
    with pytest.raises(DataError, match=rf"train-0000\.tar cannot be read: ({reason})"):
        open_data(f"{server.url}/pets/train-{{0000..0001}}.tar")
    assert time.monotonic() - started < 10
    assert len(server.asked) == 3


def test_a_host_that_is_not_there_is_an_error(monkeypatch: Any) -> None:
    monkeypatch.setattr(ranges, "PAUSE", 0.0)
    with pytest.raises(DataError, match=r"x-0\.tar cannot be read: .*refused"):
        open_data("http://127.0.0.1:9/x-{0..99999}.tar")


def test_a_cut_in_the_middle_ends_it_rather_than_dropping_pictures(
    server: Any, tmp_path: Path, monkeypatch: Any
) -> None:
    monkeypatch.setattr(ranges, "BLOCK", 4096)
    monkeypatch.setattr(ranges, "MOST_HELD", 1)
    contents = {f"{k:03d}.png": png(k) for k in range(40)}
    server.files = {"x.tar": Path(tar(tmp_path / "x.tar", contents)).read_bytes()}
    server.ways = ["good"] * 15  # the list of members is read, and then no more
    server.always = "cut"
    with pytest.raises(DataError, match=r"x\.tar cannot be read: the answer ended"):
        open_data(f"{server.url}/x.tar")
    assert len(server.asked) > 15


@pytest.mark.parametrize("way", ["404", "403", "whole", "elsewhere"])
def test_what_is_refused_is_skipped_with_the_reason(way: str, server: Any, tmp_path: Path) -> None:
    server.files, server.ways = tars(tmp_path / "made"), ["good", way]
    data = open_data(f"{server.url}/pets/train-{{0000..0001}}.tar")
    assert reds(data) == [10, 30]
    reason = f"the server says {way}" if way.isdigit() else "gives no parts of files"
    assert reason in skipped(data)["train-0001.tar"]
    assert len(server.asked) == 2
    server.ways = [way, way]
    with pytest.raises(DataError, match=f"not one of 2 tars can be read.*{reason}"):
        open_data(f"{server.url}/pets/train-{{0000..0001}}.tar")


def test_a_file_that_changes_while_it_is_read_ends_it(
    server: Any, tmp_path: Path, monkeypatch: Any
) -> None:
    monkeypatch.setattr(ranges, "BLOCK", 4096)
    contents = {f"{k:03d}.png": png(k) for k in range(40)}
    server.files = {"x.tar": Path(tar(tmp_path / "x.tar", contents)).read_bytes()}
    source = kinds.source_of(f"{server.url}/x.tar")
    kept = source.pictures[39].open()
    kept.raw.blocks.kept.blocks.clear()  # type: ignore[attr-defined]
    server.tag = '"2"'
    with pytest.raises(ranges.Unreachable, match="has changed while it was read"):
        source.pictures[39].read()


def test_a_broken_tar_is_skipped(server: Any, tmp_path: Path) -> None:
    server.files = tars(tmp_path / "made") | {"pets/train-0002.tar": b"no tar at all" * 99}
    server.files["pets/train-0003.tar"] = b""
    data = open_data(f"{server.url}/pets/train-{{0000..0003}}.tar")
    assert reds(data) == [10, 20, 30, 40]
    assert set(skipped(data)) == {"train-0002.tar", "train-0003.tar"}


# Addresses


def test_memory_is_read_through_fsspec_with_braces_and_wildcards(tmp_path: Path) -> None:
    files = fsspec.filesystem("memory")
    plain = open_data(lay(tmp_path / "plain" / "pets", PETS))
    for name, content in tars(tmp_path / "made").items():
        files.pipe(f"/{name}", content)
    try:
        for name in ("train-{0000..0001}.tar", "*.tar", "train-00*"):
            data = open_data(f"memory://pets/{name}")
            same(data, plain)
            same(open_data(data.manifest["source"]), plain)
        with pytest.raises(DataError, match="no file matches"):
            open_data("memory://pets/none-*.tar")
        files.pipe("/pets/more.zip", b"")
        with pytest.raises(DataError, match=r"more\.zip is no tar by its name"):
            open_data("memory://pets/*")
        files.pipe("/pets.tar", files.cat("/pets/train-0000.tar"))
        assert open_data("memory://pets.tar").name == "pets"
        assert open_data("memory://pet?.tar").manifest["count"] == 2
        listed = open_data("memory://pets/train-{0000..0002}.tar")
        assert set(skipped(listed)) == {"train-0002.tar"}
    finally:
        files.rm("/pets", recursive=True)
        files.rm("/pets.tar")


def test_what_is_asked_of_a_slow_file_system_has_an_end(monkeypatch: Any) -> None:
    import asyncio

    from fsspec.asyn import AsyncFileSystem

    class Slow(AsyncFileSystem):  # type: ignore[misc]
        async def _info(self, path: str, **words: Any) -> Any:
            await asyncio.sleep(60)

    monkeypatch.setattr(ranges, "STALL", 0.05)
    monkeypatch.setattr(ranges, "PAUSE", 0.0)
    started = time.monotonic()
    with pytest.raises(ranges.Unreachable, match="no progress"):
        ranges.Other(Slow(), "x")
    assert time.monotonic() - started < 10


@pytest.mark.parametrize(
    ("address", "message"),
    [
        ("https://example.org/*.tar", "http cannot list files"),
        ("https://example.org/x.zip", "no tar by its name"),
        ("nothing://x.tar", "no address that fsspec knows"),
        ("memory://x-{0..100000}.tar", "more than 100,000 names"),
    ],
)
def test_addresses_that_cannot_be_read_are_refused_unasked(address: str, message: str) -> None:
    with pytest.raises(DataError, match=message):
        open_data(address)


def test_without_the_package_the_extra_is_named(monkeypatch: Any) -> None:
    monkeypatch.setitem(sys.modules, "fsspec.core", None)
    with pytest.raises(DataError) as caught:
        open_data("s3://bucket/x.tar")
    assert "pip install 'mulligan[remote]'" in caught.value.suggestion


def test_which_words_are_addresses() -> None:
    for name in ("https://h/x.tar", "S3://b/x.tar", "memory://x", "hf:mnist", "hf:a/b:train"):
        assert is_address(name)
    for name in ("2d:ring", "1d:gauss", "C:\\x", "a/b://c", "mnist", "", "./hf:x", "x.tar"):
        assert not is_address(name)


def test_the_source_of_a_named_set_is_no_address_to_open() -> None:
    for source in ("https://h/train-images.gz and labels, train split", "drawn from a formula"):
        assert not is_found_anywhere(source)
    for source in ("https://h/x.tar", "s3://b/my pets/*.tar", "hf:a/b:test", str(Path.cwd())):
        assert is_found_anywhere(source)


def test_samples_at_an_address_have_their_classes(server: Any, tmp_path: Path) -> None:
    files = {"a.png": png(1), "a.cls": b"dog", "b.png": png(2), "b.json": b'{"label": "cat"}'}
    server.files = {"x.tar": Path(tar(tmp_path / "x.tar", files)).read_bytes()}
    assert classes(open_data(f"{server.url}/x.tar")) == {"a.png": "dog", "b.png": "cat"}

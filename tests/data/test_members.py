"""Headers of a tar that say more than there is: sparse files, sizes that lead back, long words."""

from __future__ import annotations

import gzip
import tarfile
import time
from pathlib import Path
from typing import Any

import pytest

from data.test_bounds import needs_proc, peak
from data.test_folder import png, reds, skipped
from data.test_urls import server  # noqa: F401 - a fixture
from mulligan.data.open import open_data
from mulligan.errors import DataError

BLOCK, TERA = tarfile.BLOCKSIZE, 1 << 42
GOOD = png(7)


def header(name: str, size: int, kind: bytes = b"0") -> bytes:
    member = tarfile.TarInfo(name)
    member.size, member.type = size, kind
    return member.tobuf(tarfile.GNU_FORMAT)


def member(name: str, content: bytes, kind: bytes = b"0") -> bytes:
    return header(name, len(content), kind) + content + bytes(-len(content) % BLOCK)


def record(word: bytes, value: bytes) -> bytes:
    """A record of an extended header, whose length counts itself."""
    length = rest = len(word) + len(value) + 3
    while length != rest + len(str(length)):
        length = rest + len(str(length))
    return b"%d %s=%s\n" % (length, word, value)


def extended(kind: bytes = b"x", **words: str | int) -> bytes:
    records = [record(k.replace("_", ".").encode(), str(v).encode()) for k, v in words.items()]
    return member("header", b"".join(records), kind)


def old_sparse(name: str, blocks: int = 0) -> bytes:
    """A sparse file of four terabytes, with so many more blocks of its map."""
    made = bytearray(header(name, BLOCK, b"S"))
    made[386:410] = b"%011o\0%011o\0" % (0, BLOCK)
    made[482] = blocks > 0
    made[483:495] = tarfile.itn(TERA, 12, tarfile.GNU_FORMAT)  # type: ignore[attr-defined]
    made[148:156] = b" " * 8
    made[148:156] = b"%06o\0 " % sum(made)
    piece = b"%011o\0%011o\0" % (BLOCK, 1) * 21
    more = [piece + bytes([number < blocks]) + bytes(7) for number in range(1, blocks + 1)]
    return bytes(made) + b"".join(more) + bytes(BLOCK)


SPARSE = {
    "old": old_sparse("a.png"),
    "old, a long map": old_sparse("a.png", 30_000),
    "0.1": extended(GNU_sparse_map="0,1", GNU_sparse_size=TERA) + member("a.png", GOOD),
    "1.0": extended(GNU_sparse_major=1, GNU_sparse_minor=0, GNU_sparse_realsize=TERA)
    + member("a.png", b"1\n0\n1\n" + bytes(BLOCK - 6) + b"x"),
    "1.0, a long map": extended(GNU_sparse_major=1, GNU_sparse_minor=0, GNU_sparse_realsize=9)
    + member("a.png", b"3000000\n" + b"0\n" * 6_000_000),
    "a size alone": extended(GNU_sparse_size=200 << 20) + member("a.png", GOOD),
}


@pytest.mark.parametrize("way", SPARSE)
@pytest.mark.parametrize("place", ["tar", "tar.gz", "shards", "http", "fsspec"])
@needs_proc
def test_sparse_files_are_skipped_and_cost_what_they_take(
    way: str,
    place: str,
    tmp_path: Path,
    server: Any,  # noqa: F811
) -> None:
    content = SPARSE[way] + member("b.png", GOOD) + bytes(2 * BLOCK)
    path = tmp_path / ("a.tar.gz" if place == "tar.gz" else "a.tar")
    path.write_bytes(gzip.compress(content, 0) if place == "tar.gz" else content)
    name, told = str(path), "a.png"
    if place == "shards":
        name, told = str(tmp_path), "a.tar/a.png"
    elif place == "http":
        server.files["a.tar"] = content
        name, told = f"{server.url}/a.tar", "a.tar/a.png"
    elif place == "fsspec":
        name, told = f"local://{path}", "a.tar/a.png"
    open_data(name)  # libraries take memory once
    held: list[Any] = []
    taken = peak(lambda: held.append(open_data(name)))
    assert reds(held[0]) == [7]
    assert skipped(held[0]) == {told: "a sparse file"}
    assert taken < 40 << 20


def test_a_global_header_that_gives_every_file_a_size_is_not_believed(tmp_path: Path) -> None:
    path = tmp_path / "a.tar"
    path.write_bytes(member("a.png", GOOD) + extended(b"g", GNU_sparse_size=100 << 20)
                     + member("b.png", GOOD) + bytes(2 * BLOCK))  # fmt: skip
    data = open_data(str(path))
    assert data.manifest["files"] == [{"file": "a.png", "bytes": len(GOOD)}]
    assert skipped(data) == {"b.png": "a sparse file"}


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (header("a.png", TERA) + GOOD, "unexpected end of data"),
        (header("a.png", -BLOCK), "a member of -512 bytes"),
        (extended(size=-3 * BLOCK) + member("a.png", GOOD), "a member of -1536 bytes"),
        (extended(comment="1" * 500_000), "more than 1000 digits"),
        (member("x", b"2 " * 20_000 + b"=", b"x"), "does not end where it says"),
        (member("x", b"9 path=a.png\n", b"g"), "does not end where it says"),
    ],
)
def test_headers_that_lie_are_refused_at_once(content: bytes, words: str, tmp_path: Path) -> None:
    path, began = tmp_path / "a.tar", time.process_time()
    path.write_bytes(member("b.png", GOOD) + content + member("c.png", GOOD) + bytes(2 * BLOCK))
    with pytest.raises(DataError, match=words):
        open_data(str(path))
    assert time.process_time() - began < 3


def test_headers_that_tar_writes_are_read(tmp_path: Path) -> None:
    long = f"{'é' * 120}/{'b' * 200}.png"
    for shape in (tarfile.PAX_FORMAT, tarfile.GNU_FORMAT):
        path = tmp_path / f"{shape}.tar"
        extra = {"comment": "x" * 5000, "SCHILY.xattr.user.a": "1=2\n3"}
        with tarfile.open(path, "w", format=shape, pax_headers=extra) as archive:
            made = tarfile.TarInfo(long)
            (tmp_path / "a.png").write_bytes(GOOD)
            made.size, made.mtime = len(GOOD), 1.5
            with (tmp_path / "a.png").open("rb") as file:
                archive.addfile(made, file)
        data = open_data(str(path))
        assert [file["file"] for file in data.manifest["files"]] == [long]

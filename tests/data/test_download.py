"""Downloads from a real server on this machine: it stalls, truncates, corrupts, ignores Range."""

import contextlib
import hashlib
import socket
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from mulligan.data import download, remote
from mulligan.data.download import UnreachableError, fetch, obtain
from mulligan.data.remote import REMOTE, RemoteFile
from mulligan.errors import DataError, StorageError

CONTENT = bytes(range(256)) * 1200  # 307,200 bytes: several blocks
SHA256 = hashlib.sha256(CONTENT).hexdigest()
STALL = 0.3


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        server = self.server
        server.requests.append(self.headers.get("Range"))
        way = server.ways.pop(0) if server.ways else "good"
        start = 0
        if (asked := self.headers.get("Range")) and way != "no range":
            start = int(asked.removeprefix("bytes=").rstrip("-"))
        if way.isdigit():
            self.answer(int(way), b"", 0)
            return
        body = CONTENT[start:]
        if way == "corrupt":
            body = body[:-1] + b"?"
        length = len(body) + (5 if way == "longer" else 0)
        self.answer(206 if start else 200, body, length, start)
        if way == "drop":
            self.wfile.write(body[: len(body) // 2])
            self.close_connection = True
        elif way == "stall":
            self.wfile.write(body[: len(body) // 2])
            self.wfile.flush()
            server.over.wait(20)
        elif way == "drip":
            while not server.over.wait(0.05):
                self.wfile.write(b"\0")
        else:
            self.wfile.write(body)

    def answer(self, status, body, length, start=0):
        self.send_response(status)
        self.send_header("Content-Length", str(length))
        if status == 206:
            last = len(CONTENT) - 1
            self.send_header("Content-Range", f"bytes {start}-{last}/{len(CONTENT)}")
        self.end_headers()

    def handle(self):
        with contextlib.suppress(ConnectionError):
            super().handle()

    def log_message(self, *args):
        pass


@pytest.fixture
def server():
    made = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    made.requests, made.ways, made.over = [], [], threading.Event()
    made.url = f"http://127.0.0.1:{made.server_port}/file"
    thread = threading.Thread(target=made.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield made
    made.over.set()
    made.shutdown()
    made.server_close()
    thread.join(timeout=10)


def get(server, target, sha256=SHA256, said=None):
    say = said.append if said is not None else lambda sentence: None
    return fetch(server.url, sha256, len(CONTENT), target, say, stall=STALL)


def test_address_size_and_hash_are_said_before_the_first_request(server, tmp_path):
    said = []

    def say(sentence):
        assert server.requests == []
        said.append(sentence)

    target = tmp_path / "new" / "file"
    assert fetch(server.url, SHA256, len(CONTENT), target, say, STALL) == target
    assert target.read_bytes() == CONTENT
    assert len(said) == 1
    for part in (server.url, str(len(CONTENT)), SHA256):
        assert part in said[0]


def test_a_verified_file_costs_no_request_and_an_altered_one_is_fetched_again(server, tmp_path):
    target = tmp_path / "file"
    target.write_bytes(CONTENT)
    get(server, target)
    assert server.requests == []
    target.write_bytes(CONTENT[:-1] + b"?")
    get(server, target)
    assert target.read_bytes() == CONTENT


@pytest.mark.parametrize("way", ["drop", "stall"])
def test_a_broken_transfer_goes_on_where_it_stopped(server, tmp_path, way):
    server.ways = [way]
    get(server, tmp_path / "file")
    assert (tmp_path / "file").read_bytes() == CONTENT
    assert server.requests == [None, f"bytes={len(CONTENT) // 2}-"]


def test_a_second_call_goes_on_with_the_part_of_the_first(server, tmp_path):
    server.ways = ["drop", "503", "503"]
    with pytest.raises(UnreachableError, match="503"):
        get(server, tmp_path / "file")
    assert not (tmp_path / "file").exists()
    assert (tmp_path / "file.part").read_bytes() == CONTENT[: len(CONTENT) // 2]
    get(server, tmp_path / "file")
    assert server.requests[-1] == f"bytes={len(CONTENT) // 2}-"
    assert (tmp_path / "file").read_bytes() == CONTENT
    assert not (tmp_path / "file.part").exists()


def test_a_server_that_ignores_range_starts_from_the_beginning(server, tmp_path):
    (tmp_path / "file.part").write_bytes(b"x" * 1000)
    server.ways = ["no range"]
    get(server, tmp_path / "file")
    assert server.requests == ["bytes=1000-"]
    assert (tmp_path / "file").read_bytes() == CONTENT


def test_a_wrong_hash_deletes_the_part_and_names_both_hashes(server, tmp_path):
    server.ways = ["corrupt"]
    with pytest.raises(DataError) as caught:
        get(server, tmp_path / "file")
    bad = hashlib.sha256(CONTENT[:-1] + b"?").hexdigest()
    assert SHA256 in str(caught.value)
    assert bad in str(caught.value)
    left = {path.name for path in tmp_path.iterdir()}
    assert left <= {"file.lock"}


def test_a_part_of_other_content_ends_in_the_wrong_hash_then_all_is_well(server, tmp_path):
    (tmp_path / "file.part").write_bytes(b"x" * 1000)
    with pytest.raises(DataError, match="sha256"):
        get(server, tmp_path / "file")
    get(server, tmp_path / "file")
    assert (tmp_path / "file").read_bytes() == CONTENT


def test_a_part_that_is_too_long_is_dropped_and_a_whole_one_needs_no_request(server, tmp_path):
    (tmp_path / "file.part").write_bytes(CONTENT + b"x")
    get(server, tmp_path / "file")
    assert server.requests == [None]
    (tmp_path / "file").rename(tmp_path / "other.part")
    get(server, tmp_path / "other")
    assert server.requests == [None]


@pytest.mark.parametrize(
    ("ways", "message", "requests"),
    [
        (["404"], "404", 1),
        (["500", "500", "500"], "500", 3),
        (["longer"], "offers 307205 bytes", 1),
        (["stall", "stall", "stall"], "no progress", 3),
        (["drip", "drip", "drip"], "no progress", 3),
    ],
)
def test_a_server_that_never_gives_the_file_is_given_up(server, tmp_path, ways, message, requests):
    server.ways = ways
    with pytest.raises(UnreachableError, match=message):
        get(server, tmp_path / "file")
    assert len(server.requests) == requests
    assert not (tmp_path / "file").exists()


def test_a_closed_port_is_unreachable(tmp_path):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}/file"
    with pytest.raises(UnreachableError, match="refused"):
        fetch(url, SHA256, len(CONTENT), tmp_path / "file", lambda sentence: None, STALL)


def test_only_http_is_fetched(tmp_path):
    (tmp_path / "secret").write_bytes(CONTENT)
    with pytest.raises(DataError, match="not an http address"):
        fetch((tmp_path / "secret").as_uri(), SHA256, len(CONTENT), tmp_path / "file")


def test_a_folder_that_cannot_be_made_is_a_storage_error(server, tmp_path):
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(StorageError, match="cannot write"):
        get(server, tmp_path / "file" / "below")
    assert server.requests == []


def test_two_at_once_share_one_download(server, tmp_path):
    threads = [threading.Thread(target=get, args=(server, tmp_path / "file")) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=20)
    assert (tmp_path / "file").read_bytes() == CONTENT
    assert len(server.requests) == 1


def test_the_next_address_is_tried_and_the_file_lands_in_the_cache(server, tmp_path, monkeypatch):
    monkeypatch.delenv("MULLIGAN_DATA", raising=False)
    monkeypatch.setenv("MULLIGAN_CACHE", str(tmp_path))
    entry = RemoteFile((server.url + "1", server.url + "2"), len(CONTENT), SHA256)
    monkeypatch.setitem(REMOTE["mnist"], "x.gz", entry)
    server.ways = ["404"]
    assert obtain("mnist", "x.gz") == tmp_path / "mnist" / "x.gz"
    assert len(server.requests) == 2
    (tmp_path / "mnist" / "x.gz").unlink()
    server.ways = ["404", "404"]
    with pytest.raises(DataError, match=r"1: the server says 404; .*2: the server says 404"):
        obtain("mnist", "x.gz")


def test_the_table_is_complete_and_well_formed():
    assert {name: len(files) for name, files in remote.REMOTE.items()} == {
        "mnist": 4, "fashion-mnist": 4, "kmnist": 4, "cifar10": 1, "cifar100": 1,
    }  # fmt: skip
    files = [file for files in remote.REMOTE.values() for file in files.values()]
    assert len({file.sha256 for file in files}) == len({file.size for file in files}) == 14
    for file in files:
        assert len(bytes.fromhex(file.sha256)) == 32
        assert file.urls
    assert download.ATTEMPTS == 3

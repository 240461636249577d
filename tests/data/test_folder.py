"""Folders and zips of real pictures, well-behaved and hostile."""

import io
import json
import os
import socket
import stat
import struct
import tempfile
import warnings
import zipfile
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mulligan.data.headers import default_size
from mulligan.data.open import open_data
from mulligan.errors import DataError

needs_data = pytest.mark.skipif("MULLIGAN_DATA" not in os.environ, reason="needs the real sets")


def png(value=100, size=(16, 16), mode="RGB"):
    held = io.BytesIO()
    colour = value if mode == "L" else (value, 0, 255 - value)
    Image.new(mode, (size[1], size[0]), colour).save(held, "PNG")
    return held.getvalue()


def lay(root, files):
    for name, content in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return str(root)


def pack(path, files, compression=zipfile.ZIP_DEFLATED):
    with zipfile.ZipFile(path, "w", compression) as archive:
        for name, content in files.items():
            archive.writestr(zipfile.ZipInfo(name) if isinstance(name, str) else name, content)
    return str(path)


def reds(data):
    return data.arrays["real"][:, 0, 0, 0].tolist()


def skipped(data):
    return {skip["file"]: skip["reason"] for skip in data.manifest["skipped"]}


PETS = {"dog/b.png": png(30), "cat/z.png": png(20), "cat/a.png": png(10), "emu/x/y.png": png(40)}


@pytest.mark.parametrize("form", ["folder", "zip"])
def test_pictures_come_in_order_of_name_and_folders_are_classes(tmp_path, form):
    path = lay(tmp_path / "pets", PETS) if form == "folder" else pack(tmp_path / "pets.zip", PETS)
    data = open_data(path)
    assert reds(data) == [10, 20, 30, 40]
    assert data.fields["label"].names == ("cat", "dog", "emu")
    assert data.arrays["label"].tolist() == [0, 0, 1, 2]
    assert data.name == "pets"
    assert [file["file"] for file in data.manifest["files"]] == sorted(PETS)
    assert data.notes == ()
    assert reds(open_data(path, only_label="dog")) == [30]


def test_a_folder_that_all_share_is_no_class(tmp_path):
    data = open_data(pack(tmp_path / "a.zip", {f"top/in/{name}": c for name, c in PETS.items()}))
    assert data.fields["label"].names == ("cat", "dog", "emu")
    assert "label" not in open_data(lay(tmp_path / "one", {"cat/a.png": png()})).fields


def test_labels_only_if_every_picture_has_one(tmp_path):
    data = open_data(lay(tmp_path, PETS | {"stray.png": png(50)}))
    assert set(data.fields) == {"real"}
    assert len(data) == 5
    assert any("no labels" in note for note in data.notes)


@pytest.mark.parametrize("table", [False, True])
@pytest.mark.parametrize("form", ["folder", "zip"])
def test_dataset_json_comes_before_folders(tmp_path, form, table):
    pairs = [["dog/b.png", 1], ["cat/z.png", 0], ["cat/a.png", 1], ["emu/x/y.png", 2]]
    index = {"labels": dict(pairs) if table else pairs, "classes": ["red", "green", "blue"]}
    files = PETS | {"dataset.json": json.dumps(index).encode()}
    path = lay(tmp_path / "pets", files) if form == "folder" else pack(tmp_path / "p.zip", files)
    data = open_data(path)
    assert data.fields["label"].names == ("red", "green", "blue")
    assert data.arrays["label"].tolist() == [1, 0, 1, 2]
    assert reds(open_data(path, only_label="green")) == [10, 30]
    assert skipped(data) == {}


def test_dataset_json_without_labels_or_with_some_missing_gives_none(tmp_path):
    files = {"a.png": png(), "b.png": png()}
    none = lay(tmp_path / "1", files | {"dataset.json": b'{"labels": null}'})
    assert "label" not in open_data(none).fields
    some = lay(tmp_path / "2", files | {"dataset.json": b'{"labels": [["a.png", 0]]}'})
    data = open_data(some)
    assert "label" not in data.fields
    assert any("b.png" in note for note in data.notes)
    plain = lay(tmp_path / "3", files | {"dataset.json": b'{"labels": {"a.png": 0, "b.png": 2}}'})
    assert open_data(plain).fields["label"].names == ("0", "1", "2")


WRONG_LABELS = [
    b"not json",
    b"[" * 100_000,
    b'{"labels": 5}',
    b'{"labels": [["a.png", -1]]}',
    b'{"labels": [["a.png", true]]}',
    b'{"labels": [["a.png", [0.1, 0.9]]]}',
    b'{"labels": [["a.png"]]}',
    b'{"labels": [["a.png", 2]], "classes": ["x", "y"]}',
    b'{"labels": [["a.png", 0]], "classes": ["x", "x"]}',
    b'{"labels": [["a.png", 0]], "classes": "xy"}',
    b'{"labels": [["a.png", 99999999999]]}',
    b"\xff\xfe",
]


@pytest.mark.parametrize("content", WRONG_LABELS)
def test_wrong_label_files_are_refused(tmp_path, content):
    with pytest.raises(DataError, match=r"dataset\.json"):
        open_data(lay(tmp_path, {"a.png": png(), "dataset.json": content}))


def test_grey_stays_grey_only_when_all_are_grey(tmp_path):
    grey = lay(tmp_path / "grey", {"a.png": png(9, mode="L"), "b.png": png(8, mode="L")})
    assert open_data(grey).fields["real"].channels == 1
    assert open_data(grey, channels=3).arrays["real"][0, :, 0, 0].tolist() == [9, 9, 9]
    assert open_data(grey, channels=4).arrays["real"][1, :, 0, 0].tolist() == [8, 8, 8, 255]
    mixed = lay(tmp_path / "mixed", {"a.png": png(9, mode="L"), "b.png": png(8)})
    assert open_data(mixed).arrays["real"][0, :, 0, 0].tolist() == [9, 9, 9]


@pytest.mark.parametrize(
    ("sides", "expected"),
    [([100], 64), ([64], 64), ([63], 32), ([8, 9, 500], 8), ([20, 40], 16), ([4000] * 3, 64)],
)
def test_the_default_size_is_a_power_of_two_below_the_median_side(sides, expected):
    assert default_size(sides) == (expected, expected)


def test_sizes_are_height_then_width(tmp_path):
    path = lay(tmp_path, {"a.png": png(size=(40, 20))})
    assert open_data(path, size=(12, 10)).arrays["real"].shape == (1, 3, 12, 10)
    assert open_data(path).fields["real"].size == (16, 16)


def tiny_header(width, height):
    body = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    data = struct.pack(">I", 13) + body + struct.pack(">I", zlib.crc32(body))
    idat = b"IDAT" + zlib.compress(b"")
    rest = struct.pack(">I", len(idat) - 4) + idat + struct.pack(">I", zlib.crc32(idat))
    return b"\x89PNG\r\n\x1a\n" + data + rest


def test_unusable_files_are_listed_with_reasons_and_junk_is_silent(tmp_path):
    good = png(10)
    path = lay(
        tmp_path,
        {
            "good.png": good,
            "empty.png": b"",
            "text.jpg": b"hello",
            "cut.png": good[:-30],
            "small.png": png(size=(1, 1)),
            "huge.png": tiny_header(12_000, 12_000),
            "notes.txt": b"hello",
            "more.zip": b"PK",
            ".DS_Store": b"x",
            "Thumbs.db": b"x",
            "__MACOSX/._good.png": b"x",
            ".hidden/a.png": good,
        },
    )
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        data = open_data(path)
    reasons = skipped(data)
    assert reds(data) == [10]
    assert sorted(reasons) == [
        "cut.png", "empty.png", "huge.png", "more.zip", "notes.txt", "small.png", "text.jpg",
    ]  # fmt: skip
    assert "megapixels" in reasons["huge.png"]
    assert "too small" in reasons["small.png"]
    assert "archive" in reasons["more.zip"]
    assert all(reasons.values())
    assert "7 files skipped" in data.notes[0]
    json.dumps(data.manifest)


def test_pipes_devices_links_and_odd_names_never_block(tmp_path):
    root = tmp_path / "root"
    path = lay(root, {"good.png": png(10), "new\nline.png": png(12)})
    (tmp_path / "real.png").write_bytes(png(20))
    os.mkfifo(root / "pipe.png")
    (root / "a.png").mkdir()
    (root / "dangling.png").symlink_to(tmp_path / "nothing")
    (root / "self.png").symlink_to(root / "self.png")
    (root / "loop").symlink_to(root)
    (root / "link.png").symlink_to(tmp_path / "real.png")
    (root / "null.png").symlink_to("/dev/null")
    (root / os.fsdecode(b"odd\xff.png")).write_bytes(png(30))
    os.mkfifo(root / "dataset.json")
    data = open_data(path)
    assert sorted(reds(data)) == [10, 12, 20, 30]
    assert sorted(skipped(data)) == [
        "dangling.png", "dataset.json", "loop", "null.png", "pipe.png", "self.png",
    ]  # fmt: skip
    json.dumps(data.manifest).encode()
    assert "".join(file["file"] for file in data.manifest["files"]).encode()


@pytest.fixture
def nobody():
    """The rights of nobody in particular: root may read everything."""
    if os.geteuid() == 0:
        os.seteuid(65534)
        yield
        os.seteuid(0)
    else:
        yield


@pytest.fixture
def public_folder():
    """A folder that nobody in particular may enter."""
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o755)
        yield Path(name)
        (Path(name) / "closed").chmod(0o755)


def test_files_and_folders_without_permission_are_skipped(public_folder, request):
    files = {"a.png": png(), "b.png": png(), "closed/c.png": png()}
    path = lay(public_folder, files)
    (public_folder / "b.png").chmod(0)
    (public_folder / "closed").chmod(0)
    request.getfixturevalue("nobody")
    data = open_data(path)
    assert [file["file"] for file in data.manifest["files"]] == ["a.png"]
    assert skipped(data) == {
        "b.png": "Permission denied", "closed": "cannot be listed: Permission denied",
    }  # fmt: skip


def test_loops_sockets_thin_pictures_and_copies(tmp_path):
    root = tmp_path / "root"
    path = lay(
        root,
        {"in/a.png": png(10), "in/copy.png": png(10), "thin.png": png(size=(1, 10_000)),
         "flat.png": png(size=(10_000, 1)), "a.png/inner.png": png(30)},
    )  # fmt: skip
    (root / "one.png").symlink_to(root / "two.png")
    (root / "two.png").symlink_to(root / "one.png")
    (root / "in" / "up").symlink_to(root)
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(os.path.relpath(root / "s.png"))
        data = open_data(path)
    assert [file["file"] for file in data.manifest["files"]] == [
        "a.png/inner.png", "in/a.png", "in/copy.png",
    ]  # fmt: skip
    assert reds(data) == [30, 10, 10]
    reasons = skipped(data)
    assert sorted(reasons) == ["flat.png", "in/up", "one.png", "s.png", "thin.png", "two.png"]
    assert reasons["s.png"] == "not a plain file"
    assert reasons["in/up"] == "a link to a folder that is read already"
    assert all("too small" in reasons[name] for name in ("flat.png", "thin.png"))


def test_a_list_or_a_pattern_of_odd_files_never_blocks(tmp_path):
    lay(tmp_path, {"good.png": png(10), "below/x.png": png(11)})
    os.mkfifo(tmp_path / "pipe.png")
    (tmp_path / "null.png").symlink_to("/dev/null")
    (tmp_path / "zero.png").symlink_to("/dev/zero")
    (tmp_path / "gone.png").symlink_to(tmp_path / "nothing")
    (tmp_path / "folder.png").mkdir()
    names = ["good.png", "pipe.png", "null.png", "zero.png", "gone.png", "folder.png"]
    (tmp_path / "list.txt").write_text("\n".join(names))
    data = open_data(str(tmp_path / "list.txt"))
    assert reds(data) == [10]
    reasons = skipped(data)
    assert sorted(reasons) == sorted(names[1:])
    odd = {name: reason for name, reason in reasons.items() if name != "gone.png"}
    assert set(odd.values()) == {"not a plain file"}
    assert reds(open_data(str(tmp_path / "*.png"))) == [10]


@pytest.mark.parametrize("files", [{}, {"a.png": b"x"}, {"a.txt": b"x"}, {".a.png": png()}])
def test_no_usable_picture_is_a_data_error(tmp_path, files):
    with pytest.raises(DataError, match="no picture that can be used"):
        open_data(lay(tmp_path / "f", files) if files else str(tmp_path))
    with pytest.raises(DataError, match="no picture that can be used"):
        open_data(pack(tmp_path / "f.zip", files))


def linked(name):
    info = zipfile.ZipInfo(name)
    info.external_attr = (stat.S_IFLNK | 0o777) << 16
    return info


def test_hostile_members_of_a_zip_are_refused_and_nothing_is_written(tmp_path):
    (tmp_path / "in").mkdir()
    files = {
        "good.png": png(10),
        "../up.png": png(20),
        "/abs.png": png(20),
        "a/../../b.png": png(20),
        "C:/x.png": png(20),
        "a\\b.png": png(20),
        linked("link.png"): b"/etc/hostname",
        "inner.zip": b"PK",
        "bomb.png": b"\0" * (1 << 22),
        "__MACOSX/._good.png": b"x",
    }
    path = pack(tmp_path / "in" / "h.zip", {})
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    data = open_data(path)
    reasons = skipped(data)
    assert reds(data) == [10]
    assert len(reasons) == 8
    assert "grows" in reasons["bomb.png"]
    assert reasons["link.png"] == "a link"
    assert "archive" in reasons["inner.zip"]
    assert [item.name for item in tmp_path.rglob("*")] == ["in", "h.zip"]


def test_the_second_member_of_a_name_is_skipped(tmp_path):
    path = tmp_path / "d.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a.png", png(10))
        with pytest.warns(UserWarning, match="Duplicate"):
            archive.writestr("a.png", png(20))
    data = open_data(str(path))
    assert reds(data) == [10]
    assert "second member" in skipped(data)["a.png"]


def test_a_damaged_member_is_skipped_and_a_damaged_zip_is_refused(tmp_path):
    noise = np.random.default_rng(0).integers(0, 256, (16, 16, 3), dtype=np.uint8)
    held = io.BytesIO()
    Image.fromarray(noise).save(held, "PNG")
    path = tmp_path / "a.zip"
    pack(path, {"a.png": held.getvalue(), "b.png": png(20)}, zipfile.ZIP_STORED)
    content = bytearray(path.read_bytes())
    content[200] ^= 1
    path.write_bytes(content)
    assert list(skipped(open_data(str(path)))) == ["a.png"]
    path.write_bytes(content[:300])
    with pytest.raises(DataError, match="not a zip"):
        open_data(str(path))


def test_the_result_does_not_depend_on_how_files_were_made_or_packed(tmp_path):
    rng = np.random.default_rng(3)
    files = {}
    for number in rng.permutation(150):
        held = io.BytesIO()
        pixels = rng.integers(0, 256, (20, 17, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(held, "JPEG")
        files[f"{number:03}.jpg"] = held.getvalue()
    folder = open_data(lay(tmp_path / "same", files))
    packed = open_data(pack(tmp_path / "same.zip", dict(sorted(files.items()))))
    assert len(folder) == 150  # more than two tasks of the pool
    assert folder.manifest["sha256"] == packed.manifest["sha256"]


@needs_data
def test_real_zip_and_folder_open_at_64_pixels():
    root = os.environ["MULLIGAN_DATA"]
    heroes = open_data(f"{root}/tinyhero/tinyhero-64x64.zip", size=(64, 64))
    assert heroes.arrays["real"].shape == (3200, 3, 64, 64)
    assert heroes.fields["label"].names == ("back", "left", "front", "right")
    with zipfile.ZipFile(f"{root}/tinyhero/tinyhero-64x64.zip") as archive:
        stored = np.asarray(Image.open(archive.open("front/0007.png")))
    front = heroes.arrays["real"][heroes.arrays["label"] == 2]
    assert (front[7].permute(1, 2, 0).numpy() == stored).all()
    cats = open_data(f"{root}/cats-dogs/trainA", size=(64, 64))
    assert cats.arrays["real"].shape == (500, 3, 64, 64)
    assert heroes.notes == cats.notes == ()

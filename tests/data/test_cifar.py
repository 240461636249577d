import io
import tarfile
from dataclasses import replace

import numpy as np
import pytest

from mulligan.data.cifar import LAYOUTS, PIXELS, read_cifar
from mulligan.errors import DataError

ROWS = 3
LAYOUT = {
    name: replace(layout, records={"train": ROWS, "test": ROWS}) for name, layout in LAYOUTS.items()
}


def contents(layout, seed=0):
    rng = np.random.default_rng(seed)
    files = {
        layout.names: "\n".join(f"class_{k}" for k in range(layout.classes)).encode() + b"\n\n"
    }
    for member in sum(layout.splits.values(), ()):
        rows = rng.integers(0, 256, (ROWS, layout.label_bytes + PIXELS), dtype=np.uint8)
        rows[:, : layout.label_bytes] %= 10
        files[member] = rows.tobytes()
    return files


def write(path, files, kinds=None):
    with tarfile.open(path, "w:gz") as archive:
        for name, content in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            info.type = (kinds or {}).get(name, tarfile.REGTYPE)
            archive.addfile(info, io.BytesIO(content))
    return path


@pytest.mark.parametrize("name", LAYOUTS)
@pytest.mark.parametrize("split", ["train", "test"])
def test_pictures_and_labels_are_those_of_the_records(tmp_path, name, split):
    layout = LAYOUT[name]
    files = contents(layout)
    images, label, names = read_cifar(write(tmp_path / "a.tar.gz", files), layout, split)
    raw = b"".join(files[member] for member in layout.splits[split])
    rows = np.frombuffer(raw, np.uint8).reshape(-1, layout.label_bytes + PIXELS)
    assert images.shape == (ROWS * len(layout.splits[split]), 3, 32, 32)
    # a record is the label bytes, then 1,024 red, 1,024 green, 1,024 blue, each row by row
    assert images[1, 2, 31, 30].item() == rows[1, layout.label_bytes + 2 * 1024 + 31 * 32 + 30]
    assert label.tolist() == rows[:, layout.label_bytes - 1].tolist()
    assert names[7] == "class_7"


def refused(tmp_path, files, message, kinds=None):
    with pytest.raises(DataError, match=message):
        read_cifar(write(tmp_path / "a.tar.gz", files, kinds), LAYOUT["cifar10"], "train")


def test_other_archives_are_refused(tmp_path):
    files = contents(LAYOUT["cifar10"])
    third = "cifar-10-batches-bin/data_batch_3.bin"
    refused(tmp_path, {k: v for k, v in files.items() if k != third}, "lacks .*data_batch_3")
    refused(tmp_path, files | {third: files[third] + b"\0"}, "data_batch_3.bin has 9220 bytes")
    refused(tmp_path, files | {third: b""}, "data_batch_3", kinds={third: tarfile.SYMTYPE})
    refused(tmp_path, files | {third: b"\x0a" + files[third][1:]}, "label 10")
    refused(tmp_path, files | {LAYOUT["cifar10"].names: b"a b"}, "names 2 classes")


def test_a_truncated_archive_is_refused(tmp_path):
    path = write(tmp_path / "a.tar.gz", contents(LAYOUT["cifar10"]))
    path.write_bytes(path.read_bytes()[:5000])
    with pytest.raises(DataError):
        read_cifar(path, LAYOUT["cifar10"], "train")


def test_nothing_is_extracted_and_paths_outside_are_never_written(tmp_path):
    files = {"../outside": b"x", **contents(LAYOUT["cifar10"])}
    (tmp_path / "deep").mkdir()
    path = write(tmp_path / "deep" / "a.tar.gz", files)
    read_cifar(path, LAYOUT["cifar10"], "test")
    assert sorted(item.name for item in tmp_path.rglob("*")) == ["a.tar.gz", "deep"]

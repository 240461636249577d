"""Damaged and forged pictures: small real files of every format, and what can be done to them."""

from __future__ import annotations

import io
import random
import struct
import zlib
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path

import numpy as np
from PIL import Image

SIDES = (0, 1, 7, 64, 255, 4000, 7999, 8000, 8001, 12_000, 50_000, 65_535, 2**31 - 1, 2**32 - 1)
"""Widths, heights and depths that a forged header claims."""

SIGNS = {
    "jpeg": (b"\xff\xc0", b"\xff\xc2", b"\xff\xc4", b"\xff\xda", b"\xff\xdb", b"\xff\xe1", b"Exif"),
    "png": (b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"acTL", b"fcTL", b"fdAT", b"IEND"),
    "gif": (b"GIF89a", b"\x21\xf9", b"\x21\xff", b"\x2c"),
    "bmp": (b"BM", b"\x28\x00\x00\x00"),
    "webp": (b"RIFF", b"VP8 ", b"VP8L", b"VP8X", b"ALPH", b"ANIM", b"ANMF", b"\x9d\x01\x2a"),
    "tiff": (b"II*\0", b"\x00\x01\x04\x00", b"\x01\x01\x04\x00", b"\x02\x01\x03\x00",
             b"\x11\x01\x04\x00", b"\x16\x01\x04\x00", b"\x17\x01\x04\x00", b"\x42\x01\x03\x00"),
}  # fmt: skip
"""What stands before the fields of a header: segments, chunks and tags, by format."""

SUFFIX = {"jpeg": "jpg", "png": "png", "gif": "gif", "bmp": "bmp", "webp": "webp", "tiff": "tif"}


def encoded(image: Image.Image, kind: str, **options: object) -> bytes:
    held = io.BytesIO()
    image.save(held, kind, **options)
    return held.getvalue()


def originals() -> dict[str, list[bytes]]:
    """Whole files by format: every way of coding that the format has, 24 to 40 pixels wide."""
    steps = np.mgrid[0:32, 0:40].sum(axis=0)
    waves = np.stack([127 + 120 * np.sin(steps / k) for k in (3, 5, 7)], axis=2).astype(np.uint8)
    noise = np.random.default_rng(0).integers(0, 256, (24, 24, 3), dtype=np.uint8)
    smooth, grainy = Image.fromarray(waves), Image.fromarray(noise)
    clear = smooth.copy()
    clear.putalpha(smooth.convert("L"))
    few, exif = smooth.quantize(8), Image.Exif()
    exif[0x0112] = 6
    exif[0x010E] = "a picture of waves"
    film = {"save_all": True, "append_images": [smooth.rotate(90), smooth.rotate(180)]}
    wide = Image.fromarray((waves[..., 0].astype(np.uint16) << 8) | waves[..., 1])
    deep = Image.fromarray(waves[..., 0].astype(np.float32) / 255)
    tiles = {"compression": "tiff_adobe_deflate", "tiffinfo": {322: 16, 323: 16}}
    return {
        "jpeg": [
            encoded(smooth, "JPEG", exif=exif),
            encoded(grainy, "JPEG", progressive=True),
            encoded(smooth.convert("CMYK"), "JPEG"),
            encoded(smooth.convert("L"), "JPEG", restart_marker_blocks=2),
        ],
        "png": [
            encoded(smooth, "PNG", exif=exif),
            encoded(smooth.convert("1"), "PNG"),
            encoded(wide, "PNG"),
            encoded(few, "PNG", transparency=3),
            encoded(clear, "PNG", **film),
            interlaced(waves),
        ],
        "gif": [encoded(few, "GIF", **film), encoded(grainy, "GIF", interlace=1)],
        "bmp": [encoded(smooth, "BMP"), encoded(few, "BMP"), encoded(smooth.convert("1"), "BMP")],
        "webp": [
            encoded(smooth, "WEBP", exif=exif),
            encoded(clear, "WEBP", lossless=True),
            encoded(clear, "WEBP", quality=40),
            encoded(smooth, "WEBP", **film),
        ],
        "tiff": [
            encoded(smooth, "TIFF", compression="tiff_lzw"),
            encoded(wide, "TIFF"),
            encoded(deep, "TIFF"),
            encoded(smooth, "TIFF", **film),
            encoded(grainy, "TIFF", **tiles),
            encoded(smooth.convert("1"), "TIFF", compression="group4"),
        ],
    }


def chunk(kind: bytes, body: bytes) -> bytes:
    """A chunk of a PNG."""
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def interlaced(pixels: np.ndarray) -> bytes:
    """An RGB PNG in Adam7's seven passes, which Pillow reads and does not write."""
    height, width = pixels.shape[:2]
    rows = b""
    passes = [(0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2),
              (0, 1, 1, 2)]  # fmt: skip
    for left, top, across, down in passes:
        rows += b"".join(b"\0" + row.tobytes() for row in pixels[top::down, left::across])
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 1)
    parts = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + parts


# Each takes a file, its format and a file to take parts from, and returns what has become of it.


def flip_bits(content: bytearray, kind: str, other: bytes, chance: random.Random) -> bytes:
    for _ in range(chance.randint(1, 12)):
        content[chance.randrange(len(content))] ^= 1 << chance.randrange(8)
    return bytes(content)


def replace_run(content: bytearray, kind: str, other: bytes, chance: random.Random) -> bytes:
    start = chance.randrange(len(content))
    length = min(chance.choice([1, 4, 16, 64, 512]), len(content) - start)
    fill = chance.choice([b"\0", b"\xff", chance.randbytes(1)])
    content[start : start + length] = (
        chance.randbytes(length) if chance.random() < 0.5 else fill * length
    )
    return bytes(content)


def cut(content: bytearray, kind: str, other: bytes, chance: random.Random) -> bytes:
    return bytes(content[: chance.randrange(len(content))])


def insert(content: bytearray, kind: str, other: bytes, chance: random.Random) -> bytes:
    at = chance.randrange(len(content) + 1)
    content[at:at] = chance.randbytes(chance.choice([1, 2, 8, 100, 5000]))
    return bytes(content)


def swap_parts(content: bytearray, kind: str, other: bytes, chance: random.Random) -> bytes:
    """Two segments or chunks change places, one is doubled, or one is lost."""
    places = sorted({0, len(content), *starts(content, kind)})
    parts = [bytes(content[a:b]) for a, b in pairwise(places)]
    one, two = chance.randrange(len(parts)), chance.randrange(len(parts))
    match chance.randrange(3):
        case 0:
            parts[one], parts[two] = parts[two], parts[one]
        case 1:
            parts.insert(one, parts[two] * chance.choice([1, 2, 50]))
        case 2:
            del parts[one]
    return b"".join(parts)


def forge_header(content: bytearray, kind: str, other: bytes, chance: random.Random) -> bytes:
    """The fields behind a sign say something else: sides, depths, counts, offsets."""
    found = starts(content, kind)
    for _ in range(chance.randint(1, 2)):
        sign_end = (chance.choice(found) if found else 0) + chance.choice([2, 3, 4, 5, 6, 8, 10])
        width = chance.choice([1, 2, 4])
        value = chance.choice(SIDES) & (256**width - 1)
        order = "little" if kind in ("gif", "bmp", "webp", "tiff") else "big"
        content[sign_end : sign_end + width] = value.to_bytes(width, order)
    return with_sums(bytes(content)) if kind == "png" else bytes(content)


def splice(content: bytearray, kind: str, other: bytes, chance: random.Random) -> bytes:
    """The beginning of one file and the end of another, of the same format or not."""
    head = content[: chance.randrange(len(content) + 1)]
    return bytes(head) + other[chance.randrange(len(other)) :]


def starts(content: bytes | bytearray, kind: str) -> list[int]:
    """Where signs of the format stand."""
    found = []
    for sign in SIGNS[kind]:
        at = content.find(sign)
        while at >= 0:
            found.append(at)
            at = content.find(sign, at + 1)
    return found


def with_sums(content: bytes) -> bytes:
    """A PNG whose checksums are right again: else a forged header would not be looked at."""
    done, at = content[:8], 8
    while at + 12 <= len(content):
        length = int.from_bytes(content[at : at + 4], "big")
        if at + 12 + length > len(content):
            break
        done += chunk(content[at + 4 : at + 8], content[at + 8 : at + 8 + length])
        at += 12 + length
    return done + content[at:]


Mutation = Callable[[bytearray, str, bytes, random.Random], bytes]
MUTATIONS: tuple[Mutation, ...] = (
    flip_bits, replace_run, cut, insert, swap_parts, forge_header, splice,
)  # fmt: skip


def mutants(count: int, seed: int) -> Iterator[tuple[str, bytes]]:
    """So many (format, content), the formats in turn; the same for the same seed.

    One file in five has been changed twice.
    """
    whole, chance = originals(), random.Random(seed)
    every = [content for contents in whole.values() for content in contents]
    for turn in range(count):
        kind = list(whole)[turn % len(whole)]
        content = chance.choice(whole[kind])
        for _ in range(1 + (chance.random() < 0.2)):
            other = chance.choice(whole[kind] if chance.random() < 0.7 else every)
            change = chance.choice(MUTATIONS)
            content = change(bytearray(content or b"\0"), kind, other, chance)
        yield kind, content


def lay_mutants(root: Path, count: int, seed: int) -> None:
    """Write them into a folder for each format."""
    for kind in SUFFIX:
        (root / kind).mkdir(parents=True)
    for number, (kind, content) in enumerate(mutants(count, seed)):
        (root / kind / f"{number:06d}.{SUFFIX[kind]}").write_bytes(content)

"""The pictures of a report: which frames are shown, and each as a data address of bounded size."""

from __future__ import annotations

import base64
import io
import math
import re
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from PIL import Image, UnidentifiedImageError

from mulligan.pictures import evenly

MAX_FRAMES = 60
FRAMES_BYTES = 3_000_000  # all thumbnails together; base64 makes a third more of it
LATEST_BYTES = 700_000  # the newest frames of all films together
PNG_START, PNG_END = b"\x89PNG\r\n\x1a\n", b"IEND\xaeB`\x82"
SAMPLE = re.compile(r"^(\d+)(?:-(.+))?\.png$")


@dataclass(frozen=True)
class Frame:
    """One picture of a family: its place in the run, its width on the disk, its data address."""

    seen: int
    width: int
    address: str


def families(samples: Path) -> dict[str, list[Path]]:
    """The sample files by family in the order of images seen; "" is the generated grid itself.

    `000012800.png` belongs to "", `000012800-codes.png` to "codes". Other files are left out.
    """
    found: dict[str, list[tuple[int, Path]]] = {}
    for path in samples.iterdir() if samples.is_dir() else ():
        if match := SAMPLE.match(path.name):
            found.setdefault(match[2] or "", []).append((int(match[1]), path))
    return {name: [path for _, path in sorted(found[name])] for name in sorted(found)}


def film(paths: list[Path], share: float) -> list[Frame]:
    """At most 60 evenly chosen frames, the first and the last among them; the last is the largest.

    share: this film's part of the space for thumbnails, 0 to 1. Files that are no whole PNG (one
    may be half written) are left out.
    """
    chosen = [paths[place] for place in evenly(len(paths), MAX_FRAMES)]
    space, latest = int(FRAMES_BYTES * share), int(LATEST_BYTES * share)
    # shrinking takes time, so nothing is shrunk while all fit as they are
    limit = space if _bytes(chosen) <= space else space // MAX_FRAMES
    frames = []
    for path in chosen:
        address = picture(path, latest if path == chosen[-1] else limit)
        shape = size(path)
        if address and shape:
            frames.append(Frame(int(re.split("[-.]", path.name)[0]), shape[0], address))
    return frames


def picture(path: Path, limit: int) -> str:
    """The picture as a data address of about `limit` bytes at most; "" if there is none.

    A small PNG is taken as it is. A larger one becomes a JPEG, shrunk where that is not enough. A
    larger GIF is left out.
    """
    try:
        state = path.stat()
        return _picture(path, limit, state.st_mtime_ns, state.st_size)
    except FileNotFoundError:
        return ""


def size(path: Path) -> tuple[int, int] | None:
    """(width, height) in pixels, or None if the file is no picture."""
    try:
        with Image.open(path) as image:
            return image.size
    except (FileNotFoundError, UnidentifiedImageError):
        return None


def _bytes(paths: list[Path]) -> int:
    total = 0
    for path in paths:
        with suppress(FileNotFoundError):
            total += path.stat().st_size
    return total


@lru_cache(maxsize=512)  # a report is written with every checkpoint, and old frames do not change
def _picture(path: Path, limit: int, changed: int, length: int) -> str:
    content = path.read_bytes()
    kind = "gif" if content.startswith(b"GIF8") else "png"
    if kind == "gif" and length > limit:
        return ""
    if kind == "png" and not (content.startswith(PNG_START) and content.endswith(PNG_END)):
        return ""
    if kind == "png" and length > limit:
        try:
            kind, content = "jpeg", _shrunk(content, limit)
        except (OSError, SyntaxError):  # what Pillow raises for a damaged PNG
            return ""
    return f"data:image/{kind};base64,{base64.b64encode(content).decode('ascii')}"


def _shrunk(content: bytes, limit: int) -> bytes:
    with Image.open(io.BytesIO(content)) as opened:
        image = opened.convert("L" if opened.mode == "L" else "RGB")
    for _ in range(6):
        out = io.BytesIO()
        image.save(out, "JPEG", quality=82)
        if out.tell() <= limit or min(image.size) < 64:
            break
        factor = 0.95 * math.sqrt(limit / out.tell())
        image = image.resize(
            (max(1, int(image.width * factor)), max(1, int(image.height * factor))),
            Image.Resampling.LANCZOS,
            reducing_gap=2.0,
        )
    return out.getvalue()

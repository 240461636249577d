"""Some bytes of something longer as a file of their own, such as a member of a tar."""

from __future__ import annotations

import io
import os
from pathlib import Path
from typing import Any

from mulligan.data.sources import open_regular


class Window(io.RawIOBase):
    """Some bytes of something longer, as a file; `fill` gets them."""

    def __init__(self, start: int, size: int) -> None:
        super().__init__()
        self.start, self.size, self.at = start, size, 0

    def fill(self, buffer: memoryview, start: int) -> int:
        """Put bytes from `start` on into the buffer, and say how many."""
        raise NotImplementedError

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        base = {os.SEEK_SET: 0, os.SEEK_CUR: self.at, os.SEEK_END: self.size}[whence]
        self.at = max(0, base + offset)
        return self.at

    def readinto(self, buffer: Any) -> int:
        wanted = max(0, min(len(buffer), self.size - self.at))
        count = self.fill(memoryview(buffer)[:wanted], self.start + self.at) if wanted else 0
        self.at += count
        return count


class Part(Window):
    """Some bytes of a file on the disk, opened for itself."""

    def __init__(self, path: Path, start: int, size: int) -> None:
        super().__init__(start, size)
        self.file = open_regular(path)

    def fill(self, buffer: memoryview, start: int) -> int:
        self.file.seek(start)
        return int(self.file.readinto(buffer))  # type: ignore[attr-defined]

    def close(self) -> None:
        self.file.close()
        super().close()

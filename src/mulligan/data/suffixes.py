"""What a file is by the end of its name: a picture, an archive, or a format that is not read."""

from __future__ import annotations

SUFFIXES = {".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".apng", ".gif", ".bmp", ".dib", ".webp"}
SUFFIXES |= {".tif", ".tiff", ".mpo"}
UNREAD = {".heic", ".heif", ".avif", ".jxl", ".jp2", ".dng", ".cr2", ".cr3", ".nef", ".arw", ".psd"}
ARCHIVES = {".zip", ".tar", ".gz", ".tgz", ".bz2", ".xz", ".7z", ".rar"}


def other(suffix: str) -> str:
    """Why a file that is no picture by its suffix is not used."""
    if suffix in UNREAD:
        return f"{suffix[1:].upper()} is not read; convert it to JPEG or PNG"
    return "an archive inside the data" if suffix in ARCHIVES else "no picture by its name"

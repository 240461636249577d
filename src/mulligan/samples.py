"""Samples in data units, and the three forms in which they are saved."""

from __future__ import annotations

import io
import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image as Picture

from mulligan import pictures, plots
from mulligan.errors import StorageError, UsageError
from mulligan.fields import Field, Image


@dataclass(frozen=True)
class Samples:
    """Generated samples.

    values: uint8 (N, H, W, C) images or float32 (N, dims) points in data units.
    labels: (N,) int64 where the generator takes labels, else None. names: of the classes.
    """

    values: np.ndarray
    field: Field
    labels: np.ndarray | None = None
    names: tuple[str, ...] = ()

    @property
    def images(self) -> np.ndarray:
        """uint8 (N, H, W, C). Raises ValueError for points."""
        if not isinstance(self.field, Image):
            raise ValueError(f"these samples are {self.field}, not images: use .points")
        return self.values

    @property
    def points(self) -> np.ndarray:
        """float32 (N, dims) in data units. Raises ValueError for images."""
        if isinstance(self.field, Image):
            raise ValueError(f"these samples are {self.field}, not points: use .images")
        return self.values

    def save(self, out: str | Path, force: bool = False) -> Path:
        """Write a picture (.png), arrays (.npz) or a folder of pictures, and return its path.

        npz: `images` or `points`, and `labels` where there are any. A folder is a name without an
        ending, or one that ends in a slash; points have no folder form.
        Raises UsageError if `out` exists without `force`, or for another ending; StorageError if
        it cannot be written, and then leaves no file behind.
        """
        path = Path(out)
        self._check(path, str(out), force)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            if path.suffix == ".png":
                _publish(path, self._picture())
            elif path.suffix == ".npz":
                _publish(path, self._arrays())
            else:
                self._folder(path)
        except OSError as error:
            raise StorageError(
                f"cannot write {path}: {error.strerror or error}", "choose another place with --out"
            ) from error
        return path

    def _check(self, path: Path, typed: str, force: bool) -> None:
        folder = path.suffix == "" or typed.endswith(("/", os.sep))
        if not folder and path.suffix not in (".png", ".npz"):
            raise UsageError(
                f"--out {typed} ends in {path.suffix}: it must be a .png, a .npz or a folder",
                f"--out {path.with_suffix('.png')}",
            )
        if folder and not isinstance(self.field, Image):
            raise UsageError("points have no pictures to fill a folder with", "--out points.npz")
        if path.exists() and not force:
            raise UsageError(f"{path} exists", "choose another name, or add --force")

    def _picture(self) -> bytes:
        if isinstance(self.field, Image):
            picture = self._grid()
        else:
            drawn = plots.draw_points(self.values, self.values, labels=self.labels)
            if drawn is None:
                dims = self.values.shape[1]
                raise UsageError(f"points with {dims} coordinates cannot be drawn", "--out x.npz")
            picture = drawn
        buffer = io.BytesIO()
        picture.save(buffer, format="PNG")
        return buffer.getvalue()

    def _grid(self) -> Picture.Image:
        """All images; of several classes, a row a class, as long as the smallest class."""
        images = self.values.transpose(0, 3, 1, 2)
        if self.labels is None or len(classes := np.unique(self.labels)) < 2:
            return pictures.grid(images)
        places = [np.flatnonzero(self.labels == label) for label in classes]
        columns = min(map(len, places))
        rows = np.concatenate([own[:columns] for own in places])
        return pictures.grid(images[rows], columns, names=[self.names[at] for at in classes])

    def _arrays(self) -> bytes:
        kind = "images" if isinstance(self.field, Image) else "points"
        arrays = {kind: self.values}
        if self.labels is not None:
            arrays["labels"] = self.labels
        buffer = io.BytesIO()
        np.savez_compressed(buffer, allow_pickle=False, **arrays)
        return buffer.getvalue()

    def _folder(self, path: Path) -> None:
        path.mkdir(parents=True, exist_ok=True)
        digits = max(4, len(str(len(self.values))))
        for index, image in enumerate(self.values):
            buffer = io.BytesIO()
            pixels = image[..., 0] if image.shape[-1] == 1 else image
            Picture.fromarray(pixels).save(buffer, format="PNG")
            label = "" if self.labels is None else f"-class{self.labels[index]}"
            _publish(path / f"{index:0{digits}d}{label}.png", buffer.getvalue())


def _publish(path: Path, content: bytes) -> None:
    """Write beside the target and rename, so that no half-written file bears its name."""
    part = path.with_name(f".{path.name}.part")
    try:
        part.write_bytes(content)
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)

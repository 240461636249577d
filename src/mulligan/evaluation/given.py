"""Samples that somebody else made, from a folder, a zip or a .npz, in the form of the real rows."""

from __future__ import annotations

import zlib
from pathlib import Path
from zipfile import BadZipFile

import numpy as np
import torch
from torch import Tensor

from mulligan.data.open import open_data
from mulligan.errors import DataError
from mulligan.fields import Fields, Image, Points

Given = tuple[Tensor, Tensor | None]
"""uint8 (N, C, H, W) or points in data units; the labels asked for, int64 (N,), or None."""


def read_samples(path: Path, fields: Fields) -> Given:
    """The samples of these files. fields: those of the real rows.

    Raises DataError for files of another kind. Images take the size of the real ones.
    """
    field = fields["real"]
    assert isinstance(field, (Image, Points))
    if path.suffix == ".npz":
        return _arrays(path, field)
    if not isinstance(field, Image):
        raise DataError(
            f"{path} holds no {field}: those lie in .npz files",
            "`mulligan sample RUN --out points.npz` writes one",
        )
    # as a path: a bare name would be that of a data set
    made = open_data(str(path.absolute()), size=field.size, channels=field.channels)
    label = made.fields.get("label")
    same = label is not None and label == fields.get("label")
    return made.arrays["real"], made.arrays["label"] if same else None


def _arrays(path: Path, field: Image | Points) -> Given:
    word = "images" if isinstance(field, Image) else "points"
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
            values = arrays[word]
            labels = arrays["labels"] if "labels" in arrays.files else None
    except (OSError, ValueError, KeyError, TypeError, EOFError, BadZipFile, zlib.error) as problem:
        raise DataError(
            f"{path} holds no samples of {field}: {problem}", "`mulligan sample` writes such files"
        ) from problem
    wanted = (*field.size, field.channels) if isinstance(field, Image) else field.shape
    kind = np.dtype(np.uint8 if isinstance(field, Image) else np.float32)
    if values.ndim != len(wanted) + 1 or values.shape[1:] != wanted or values.dtype != kind:
        shape = ", ".join(map(str, wanted))
        raise DataError(
            f"{path} holds {word} of {values.dtype} {values.shape}; the real ones are {field}",
            f"{kind} of the shape (N, {shape}) is right",
        )
    if labels is not None and (labels.shape != values.shape[:1] or labels.dtype.kind not in "iu"):
        raise DataError(
            f"{path} holds labels of {labels.dtype} {labels.shape} for {len(values)} {word}",
            "a whole number for each is right; they may be left out",
        )
    tensor = torch.from_numpy(values)
    tensor = tensor.permute(0, 3, 1, 2) if isinstance(field, Image) else tensor
    return tensor, None if labels is None else torch.from_numpy(labels.astype(np.int64))

"""`open_data`: from a word or a path to a data set."""

from __future__ import annotations

import difflib
import math
import zlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from PIL import Image as Picture
from torch import Tensor

from mulligan.data.cifar import LAYOUTS, open_cifar
from mulligan.data.dataset import DataSet, build, select_label
from mulligan.data.decode import CENTRE, MODES, SMALLEST, plain, to_array
from mulligan.data.digits import open_digits
from mulligan.data.folder import Plan, open_pictures
from mulligan.data.framing import Framing, framed
from mulligan.data.idx import CLASSES, open_idx
from mulligan.data.lists import is_pattern
from mulligan.data.names import NAMES, WITH_TEST
from mulligan.data.points import open_points
from mulligan.data.ranges import Unreachable
from mulligan.data.room import too_large
from mulligan.data.stacked import open_stacked
from mulligan.errors import DataError
from mulligan.fields import Image
from mulligan.places import is_address

LARGEST = 4096  # pixels of a side
SPLITS = ("train", "test")


def open_data(
    name: str,
    *,
    size: tuple[int, int] | None = None,
    channels: int | None = None,
    only_label: str | int | None = None,
    split: str = "train",
    framing: Framing = CENTRE,
) -> DataSet:
    """The data set with this name, or of pictures in this place: a folder, zip, tar, list, pattern,
    table or address.

    size: (height, width) in pixels; None is the set's own, for pictures of a folder the largest
    power of two up to 64 that the median short side holds. channels: 1, 3, 4, or None for the
    set's own. framing: how pictures get that shape. only_label: a class name or its position; only
    its rows are kept, the label field stays whole. split: "train" or "test". A name comes before a
    folder of the same name: write ./mnist for the folder.
    Raises DataError for an unknown name (with the nearest one), and for data that cannot be had.
    """
    _check(size, channels, split)
    data = (
        _named(name, split) if name in NAMES else _pictures(name, split, (size, channels, framing))
    )
    if size is not None or channels is not None:
        data = _reshaped(data, size, channels, framing)
    if name in NAMES and not framing.usual:
        data = replace(data, manifest={**data.manifest, "framing": framing.values()})
    return data if only_label is None else select_label(data, only_label)


def _check(size: tuple[int, int] | None, channels: int | None, split: str) -> None:
    if size is not None and not all(SMALLEST <= side <= LARGEST for side in size):
        raise DataError(
            f"size {size[0]}x{size[1]} is out of range; sides of {SMALLEST} to {LARGEST} pixels "
            "are possible"
        )
    if channels is not None and channels not in MODES:
        raise DataError(f"{channels} channels are not possible; 1 (grey), 3 (colour) and 4 are")
    if split not in SPLITS:
        raise DataError(f"there is no split {split!r}; the splits are train and test")


def _named(name: str, split: str) -> DataSet:
    if name in CLASSES:
        return open_idx(name, split)
    if name in LAYOUTS:
        return open_cifar(name, split)
    if name not in WITH_TEST:
        _refuse_test(name, split)
    if name == "digits":
        return open_digits()
    if name.startswith("stacked-"):
        return open_stacked(name, split)
    return open_points(name, split)


def _pictures(name: str, split: str, plan: Plan) -> DataSet:
    if is_address(str(name)):  # a Path is welcome too
        _refuse_test(name, split)
        return _remote(name, plan)
    path = Path(name)
    try:
        path = path.expanduser()
        found = bool(name) and path.exists()  # "" would be the current folder
        usable = (path.is_dir() or path.is_file()) if found else is_pattern(name)
    except (OSError, ValueError, RuntimeError):  # too long, a zero byte, an unknown ~user
        found = usable = False
    if usable:
        _refuse_test(name, split)
        return open_pictures(path, *plan)
    if found:
        raise DataError(f"{name} is neither a folder nor a file of pictures")
    near = difflib.get_close_matches(name.lower(), NAMES, n=1)
    raise DataError(
        f"there is no data set, folder or archive {name!r}",
        f"did you mean {near[0]}?" if near else f"the named data sets are {', '.join(NAMES)}",
    )


def _remote(name: str, plan: Plan) -> DataSet:
    try:
        return open_pictures(name, *plan)
    except Unreachable as error:  # which is no error of one picture, so it passed them by
        raise DataError(error.message, error.suggestion) from error


def _refuse_test(name: str, split: str) -> None:
    if split == "test":
        raise DataError(
            f"{name} has no test split",
            "for pictures of your own, keep them in another folder and give its name",
        )


def _reshaped(
    data: DataSet, size: tuple[int, int] | None, channels: int | None, framing: Framing
) -> DataSet:
    """The same images with this size and these channels; what has them already is returned."""
    field = data.fields["real"]
    if not isinstance(field, Image):
        raise DataError(
            f"{data.name} holds {field}, which have neither size nor channels",
            "leave out --size and --channels",
        )
    target = Image(channels or field.channels, *(size or field.size))
    if target == field:
        return data
    if reason := too_large(len(data) * math.prod(target.shape)):
        raise DataError(
            f"{len(data)} rows of {data.name} as {target} do not fit in memory: {reason}",
            "choose a smaller --size",
        )
    arrays = {**data.arrays, "real": _convert(data.arrays["real"], target, framing)}
    made = build(
        data.name,
        {**data.fields, "real": target},
        arrays,
        source=data.manifest["source"],
        files=data.manifest["files"],
        skipped=data.manifest["skipped"],
    )
    return replace(made, notes=data.notes)


def _convert(images: Tensor, target: Image, framing: Framing) -> Tensor:
    source = MODES[images.shape[1]]
    made = np.empty((len(images), *target.shape), dtype=np.uint8)
    for position, pixels in enumerate(images.permute(0, 2, 3, 1).numpy()):
        flat = np.ascontiguousarray(pixels[..., 0] if source == "L" else pixels)
        shape = plain(Picture.fromarray(flat), target.channels, framing)
        draw = zlib.crc32(flat.data) / 2**32
        picture = framed(shape, target.size, framing, draw)
        made[position] = to_array(picture)
    return torch.from_numpy(made)

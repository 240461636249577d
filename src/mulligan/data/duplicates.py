"""Pictures that are the same, and pictures that look the same, in groups."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

CELLS = 8
"""Cells of a side that a picture is averaged to before neighbours are compared."""

BAND = 14
"""Bits of a signature that must agree exactly for two pictures to be compared."""

NEAR = 8.0
"""Root of the mean squared difference of two small copies, of 255, below which they may look the
same."""

UNLIKE = 0.005
"""Their mean squared difference, as a share of both variances, above which they do not. Two ones
of MNIST differ in few pixels, and by a large share of what there is to see."""

MOST_TOGETHER = 500
"""Pictures of one band that are all compared; of more (blank pages) each with its neighbours."""

Groups = list[list[int]]


def same(digests: Sequence[str]) -> Groups:
    """The positions of equal contents, groups of two and more, in order."""
    found: dict[str, list[int]] = defaultdict(list)
    for place, digest in enumerate(digests):
        found[digest].append(place)
    return [group for group in found.values() if len(group) > 1]


def alike(small: NDArray[np.uint8]) -> Groups:
    """The positions of pictures that differ by less than compression or a small edit does.

    small: (N, S, S, C) copies. Candidates share a part of a signature (which of two neighbouring
    cells is brighter, across and down); each pair is then compared. Chains form one group.
    """
    signs = _signatures(small)
    flat = _halved(small).reshape(len(small), -1)
    parent = list(range(len(small)))
    for start in range(0, signs.shape[1], BAND):
        bands: dict[bytes, list[int]] = defaultdict(list)
        for place, bits in enumerate(np.packbits(signs[:, start : start + BAND], axis=1)):
            bands[bits.tobytes()].append(place)
        for group in bands.values():
            _join(group, flat, parent)
    found: dict[int, list[int]] = defaultdict(list)
    for place in range(len(parent)):
        found[_root(place, parent)].append(place)
    return [group for group in found.values() if len(group) > 1]


def _signatures(small: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """(N, bits): of neighbouring cells, whether the second is brighter."""
    count, side = small.shape[:2]
    grey = small.mean(axis=3, dtype=np.float32)
    cells = grey.reshape(count, CELLS, side // CELLS, CELLS, side // CELLS).mean(axis=(2, 4))
    across, down = np.diff(cells, axis=2) > 0, np.diff(cells, axis=1) > 0
    return np.concatenate([across.reshape(count, -1), down.reshape(count, -1)], axis=1)


def _halved(small: NDArray[np.uint8]) -> NDArray[np.float32]:
    """(N, S / 2, S / 2, C): half the side is enough to compare by."""
    count, side, _, channels = small.shape
    cells = small.reshape(count, side // 2, 2, side // 2, 2, channels)
    found: NDArray[np.float32] = cells.mean(axis=(2, 4), dtype=np.float32)
    return found


def _join(group: list[int], flat: NDArray[np.float32], parent: list[int]) -> None:
    """Put those of these pictures that look the same into one group."""
    step = MOST_TOGETHER
    for start in range(0, len(group), step // 2 if len(group) > step else step):
        part = group[start : start + step]
        for one, other in np.argwhere(_close(flat[part])).tolist():
            parent[_root(part[other], parent)] = _root(part[one], parent)


def _close(rows: NDArray[np.float32]) -> NDArray[np.bool_]:
    """(N, N): which later row looks like which earlier one."""
    centred = rows - rows.mean()  # smaller numbers, smaller rounding errors
    length = np.square(centred).mean(axis=1)
    apart = length[:, None] + length - 2 * centred @ centred.T / rows.shape[1]
    spread = rows.var(axis=1)
    near = (apart < NEAR**2) & (apart <= UNLIKE * (spread[:, None] + spread))
    upper: NDArray[np.bool_] = np.triu(near, 1)
    return upper


def _root(place: int, parent: list[int]) -> int:
    while parent[place] != place:
        parent[place] = parent[parent[place]]
        place = parent[place]
    return place

"""The latent space as a picture: codes in the plane, coloured by class."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from mulligan.plot_frame import BLUE, INK, frame, title, to_image

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Floats = NDArray[np.float64]

CLASSES = (
    "#332288", "#88ccee", "#44aa99", "#117733", "#999933",
    "#ddcc77", "#cc6677", "#882255", "#aa4499", "#5f5f5f",
)  # fmt: skip


def latent_space(
    codes: Any,
    labels: Any = None,
    names: Sequence[str] | None = None,
    *,
    seen: int | None = None,
    limit: float | None = None,
) -> Image.Image:
    """Codes in the plane, coloured by class, each class named at its middle.

    codes: (N, d), d >= 1; drawn as they are for d = 2, else along their two main directions.
    labels: (N,) whole numbers; names: the word for each. limit: half the side of the picture,
    about zero; None takes it from the codes, so that it moves from frame to frame.
    """
    plane = _main_directions(np.asarray(codes, dtype=np.float64))
    reach = limit or 1.1 * float(np.percentile(np.abs(plane), 99.5)) or 1.0
    figure, axes = frame((5.2, 5.3), (0.11, 0.07, 0.86, 0.865))
    axes.axhline(0, color="#dddddd", linewidth=0.8, zorder=0)
    axes.axvline(0, color="#dddddd", linewidth=0.8, zorder=0)
    kinds = np.zeros(len(plane), dtype=int) if labels is None else np.asarray(labels).astype(int)
    colours = np.array(CLASSES)[kinds % len(CLASSES)] if labels is not None else BLUE
    axes.scatter(plane[:, 0], plane[:, 1], s=9, c=colours, alpha=0.75, linewidths=0)
    axes.set(xlim=(-reach, reach), ylim=(-reach, reach), aspect="equal")
    if labels is not None:
        _name_classes(axes, plane, kinds, names)
    dims = np.asarray(codes).shape[1]
    title(axes, seen, "" if dims == 2 else f"two main directions of {dims}")
    return to_image(figure)


def _main_directions(codes: Floats) -> Floats:
    if codes.shape[1] == 2:
        return codes
    centred = codes - codes.mean(axis=0)
    directions = np.linalg.svd(centred, full_matrices=False)[2][:2]
    largest = np.abs(directions).argmax(axis=1)
    # a direction has no sign of its own; fixing one keeps the film from flipping
    directions = directions * np.sign(directions[np.arange(len(directions)), largest])[:, None]
    plane = centred @ directions.T
    return np.pad(plane, ((0, 0), (0, 2 - plane.shape[1])))


def _name_classes(
    axes: Axes, plane: Floats, kinds: NDArray[Any], names: Sequence[str] | None
) -> None:
    from matplotlib.patheffects import withStroke

    for kind in np.unique(kinds)[:20]:
        x, y = np.median(plane[kinds == kind], axis=0)
        word = names[kind] if names is not None and kind < len(names) else str(kind)
        text = axes.text(x, y, word, ha="center", va="center", fontsize=10, fontweight="bold")
        text.set(parse_math=False, color=INK, clip_on=True)
        text.set_path_effects([withStroke(linewidth=2.5, foreground="white")])

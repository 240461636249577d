"""The frame that all plots share: colours, fonts, title, and the way to a PIL image."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

INK = "#333333"
BLUE = "#0072b2"
DPI = 120


def frame(size: tuple[float, float], box: tuple[float, ...]) -> tuple[Figure, Axes]:
    """An empty figure of this size in inches, and axes in its (left, bottom, width, height)."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=size, dpi=DPI, facecolor="white")
    axes = figure.add_axes((box[0], box[1], box[2], box[3]))
    axes.tick_params(labelsize=8, colors="#666666", length=3, width=0.6)
    axes.spines[:].set_color("#bbbbbb")
    axes.spines[:].set_linewidth(0.8)
    axes.xaxis.label.set(size=9, color=INK)
    axes.yaxis.label.set(size=9, color=INK)
    return figure, axes


def title(axes: Axes, seen: int | None, note: str) -> None:
    """Write the images seen on the left above the axes and a small note on the right."""
    if seen is not None:
        axes.set_title(f"{seen:,} images seen", loc="left", fontsize=10, color=INK)
    if note:
        axes.set_title(note, loc="right", fontsize=8, color="#777777")


def to_image(figure: Figure) -> Image.Image:
    """The figure in RGB, `DPI` pixels an inch."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    return Image.fromarray(np.asarray(canvas.buffer_rgba())[..., :3].copy())


def colours(labels: Any) -> NDArray[np.float64]:
    """(N, 4) colours, evenly spread over the classes that occur."""
    from matplotlib import colormaps

    _, places = np.unique(np.asarray(labels), return_inverse=True)
    return np.asarray(colormaps["turbo"](places / max(1, places.max())), dtype=np.float64)

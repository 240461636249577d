"""Plots of points: the game between generator and discriminator in one and two dimensions.

Limits come from the real points alone, so that the frames of a film do not jump. Colours can be
told apart by colour-blind eyes. matplotlib is loaded by the first plot, without its global state.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from mulligan.plot_frame import BLUE, INK, colours, frame, title, to_image

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Floats = NDArray[np.float64]
Limits = tuple[float, float]

REAL = "#7a7a7a"
GENERATED = "#d55e00"
FAKE_SIDE, UNDECIDED, REAL_SIDE = "#cdb7dc", "#fbfbfb", "#a9d8c8"
MAX_POINTS = 2000


def draw_points(
    real: Any,
    generated: Any,
    field: tuple[Any, ...] | None = None,
    *,
    seen: int | None = None,
    undecided: float | None = 0.0,
    labels: Any = None,
) -> Image.Image | None:
    """`densities` for 1-D points, `scatter` for 2-D points, None for more: they cannot be drawn.

    field: D's scores as these two functions take them. labels: as `scatter` takes them.
    """
    dims = np.asarray(real).shape[1]
    if dims == 1:
        return densities(real, generated, field, seen=seen, undecided=undecided)
    if dims == 2:
        return scatter(real, generated, field, seen=seen, undecided=undecided, labels=labels)
    return None


def view(real: Any) -> list[Limits]:
    """(low, high) of the picture along each coordinate, from the real points (N, dims) alone.

    The judge is best asked for its scores on points spread over these limits. All coordinates
    get the same length, so that a circle is drawn as a circle.
    """
    points = np.asarray(real, dtype=np.float64)
    low, high = np.percentile(points, 0.5, axis=0), np.percentile(points, 99.5, axis=0)
    length = float((high - low).max()) or 1.0
    middle = (low + high) / 2
    return [(float(at - 0.7 * length), float(at + 0.7 * length)) for at in middle]


def scatter(
    real: Any,
    generated: Any,
    field: tuple[Any, ...] | None = None,
    *,
    seen: int | None = None,
    undecided: float | None = 0.0,
    labels: Any = None,
) -> Image.Image:
    """Generated 2-D points over the real ones, D's opinion of the plane behind them.

    real, generated: (N, 2) in data units; generated may be empty. field: (xs, ys, scores), scores
    (len(ys), len(xs)), high means real. seen: for the title. undecided: the score at which D cannot
    tell: 0 for scores whose sigmoid is a probability, u > 0 where fakes aim at 0 and reals at 2u;
    None for critics, whose zero means nothing: then the middle between real and generated points.
    labels: (N,) whole numbers, the class asked for of each generated point, which colours it.
    """
    real, generated = _points(real, 2), _points(generated, 2)
    across, up = view(real)
    figure, axes = frame((5.0, 5.3), (0.11, 0.135, 0.85, 0.80))
    if field is not None:
        _draw_field(axes, field, (real, generated), undecided)
    drawn_real, drawn = _thin(real), _thin(generated)
    axes.scatter(
        drawn_real[:, 0], drawn_real[:, 1], s=7, color=REAL, alpha=0.55, linewidths=0, label="real"
    )
    axes.scatter(
        drawn[:, 0],
        drawn[:, 1],
        s=11,
        c=GENERATED if labels is None else _thin(colours(labels)),
        edgecolors="white",
        linewidths=0.3,
        label="generated",
    )
    axes.set(xlim=across, ylim=up, aspect="equal")
    inside = ((generated >= (across[0], up[0])) & (generated <= (across[1], up[1]))).all(axis=1)
    title(axes, seen, _outside(inside))
    _key(figure, field is not None)
    return to_image(figure)


def densities(
    real: Any,
    generated: Any,
    curve: tuple[Any, ...] | None = None,
    *,
    seen: int | None = None,
    undecided: float | None = 0.0,
) -> Image.Image:
    """The classic picture in one dimension: both densities, and D's curve on the right axis.

    real, generated: (N, 1) or (N,) in data units. curve: (x, scores), drawn as sigmoid(score),
    where 0.5 is "cannot tell". undecided: as for `scatter`, for scores of other kinds. seen: for
    the title.
    """
    real, generated = _points(real, 1)[:, 0], _points(generated, 1)[:, 0]
    (limits,) = view(real[:, None])
    bandwidth = _bandwidth(real)
    xs, real_density = _density(real, limits, bandwidth)
    _, density = _density(generated, limits, bandwidth)
    figure, axes = frame((6.4, 4.3), (0.1, 0.17, 0.81, 0.75))
    axes.fill_between(xs, real_density, color=REAL, alpha=0.35, linewidth=0, label="real")
    axes.plot(xs, real_density, color=REAL, linewidth=1)
    axes.plot(xs, density, color=GENERATED, linewidth=2, label="generated")
    top = 1.5 * float(real_density.max())
    axes.set(xlim=limits, ylim=(0, top), ylabel="density")
    note = _outside((generated >= limits[0]) & (generated <= limits[1]))
    if density.max() > top:
        note = f"peak cut at {density.max() / real_density.max():.0f}× the real one" + (
            f", {note}" if note else ""
        )
    title(axes, seen, note)
    if curve is not None:
        _draw_curve(axes, curve, (real, generated), undecided)
    figure.legend(loc="lower center", ncols=3, frameon=False, fontsize=9, labelcolor=INK)
    return to_image(figure)


def _points(points: Any, dims: int) -> Floats:
    array = np.asarray(points, dtype=np.float64)
    array = array[:, None] if array.ndim == 1 else array
    assert array.ndim == 2, f"points are drawn from (N, {dims}), not {array.shape}"
    assert array.shape[1] == dims, f"points are drawn from (N, {dims}), not {array.shape}"
    return array


def _thin(points: Floats) -> Floats:
    return points[:: max(1, -(-len(points) // MAX_POINTS))]


def _outside(inside: NDArray[np.bool_]) -> str:
    share = 1 - float(inside.mean()) if len(inside) else 0.0
    return f"{max(1, round(100 * share))} % of samples outside" if share > 0 else ""


def _judged(scores: Floats, undecided: float | None, anchors: Sequence[float]) -> Floats:
    """Scores as numbers from 0 (fake) to 1 (real), 0.5 where D cannot tell."""
    if undecided:
        return np.clip(scores / (2 * undecided), 0, 1)
    if undecided is None:
        middle = float(np.mean(anchors))
        # a critic's unit means nothing either: its own spread sets the scale
        scale = float(np.median(np.abs(scores - middle))) / 1.5 or 1.0
        scores = (scores - middle) / scale
    return np.asarray(1 / (1 + np.exp(-np.clip(scores, -40, 40))), dtype=np.float64)


def _draw_field(
    axes: Axes, field: tuple[Any, ...], points: tuple[Floats, Floats], undecided: float | None
) -> None:
    from matplotlib.colors import LinearSegmentedColormap

    xs, ys, scores = (np.asarray(part, dtype=np.float64) for part in field)
    assert scores.shape == (len(ys), len(xs)), f"scores {scores.shape} for {len(ys)} x {len(xs)}"

    def mean_at(where: Floats) -> float:
        column = np.clip(np.searchsorted(xs, where[:, 0]), 0, len(xs) - 1)
        row = np.clip(np.searchsorted(ys, where[:, 1]), 0, len(ys) - 1)
        return float(scores[row, column].mean())

    judged = _judged(scores, undecided, [mean_at(part) for part in points if len(part)])
    shades = LinearSegmentedColormap.from_list("judge", [FAKE_SIDE, UNDECIDED, REAL_SIDE])
    axes.contourf(xs, ys, judged, levels=np.linspace(0, 1, 21), cmap=shades, zorder=0)
    if judged.min() < 0.5 < judged.max():
        axes.contour(xs, ys, judged, levels=[0.5], colors=[INK], linewidths=0.9, zorder=1)


def _draw_curve(
    axes: Axes, curve: tuple[Any, ...], points: tuple[Floats, Floats], undecided: float | None
) -> None:
    xs, scores = (np.asarray(part, dtype=np.float64).ravel() for part in curve)
    anchors = [float(np.interp(part, xs, scores).mean()) for part in points if len(part)]
    right = axes.twinx()
    right.spines[:].set_visible(False)
    right.axhline(0.5, color=BLUE, linewidth=0.9, linestyle=(0, (4, 3)), alpha=0.7)
    right.plot(xs, _judged(scores, undecided, anchors), color=BLUE, linewidth=1.6, label="D")
    right.set(ylim=(0, 1.04), yticks=[0, 0.25, 0.5, 0.75, 1])
    meaning = "D: from fake to real" if undecided is None else "D: probability of real"
    right.set_ylabel(meaning, fontsize=9, color=BLUE)
    right.tick_params(labelsize=8, colors=BLUE, length=3, width=0.6)


def _key(figure: Figure, judged: bool) -> None:
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    dot = {"marker": "o", "linestyle": "none", "markersize": 5, "markeredgewidth": 0}
    entries: list[Any] = [
        Line2D([], [], color=REAL, label="real", **dot),  # type: ignore[arg-type]
        Line2D([], [], color=GENERATED, label="generated", **dot),  # type: ignore[arg-type]
    ]
    if judged:
        entries += [
            Patch(color=REAL_SIDE, label="D says real"),
            Patch(color=FAKE_SIDE, label="D says fake"),
            Line2D([], [], color=INK, linewidth=0.9, label="undecided"),
        ]
    figure.legend(
        handles=entries, loc="lower center", ncols=5, frameon=False, fontsize=8.5, labelcolor=INK,
        handlelength=1.2, handletextpad=0.5, columnspacing=1.2, bbox_to_anchor=(0.535, 0.01),
    )  # fmt: skip


def _bandwidth(values: Floats) -> float:
    quartiles = np.percentile(values, [25, 75])
    spread = min(float(values.std()), float(quartiles[1] - quartiles[0]) / 1.34)
    # half of Silverman's rule: whole, it blurs the gaps between several modes
    return float(0.45 * (spread or 1.0) * len(values) ** -0.2)


def _density(values: Floats, limits: Limits, bandwidth: float) -> tuple[Floats, Floats]:
    counts, edges = np.histogram(values, bins=400, range=limits)
    step = edges[1] - edges[0]
    reach = max(1, min(199, int(4 * bandwidth / step)))
    offsets = np.arange(-reach, reach + 1) * step
    kernel = np.exp(-0.5 * (offsets / max(bandwidth, step / 2)) ** 2)
    total = max(1, len(values)) * step
    smooth = np.convolve(counts, kernel / kernel.sum(), mode="same") / total
    return (edges[:-1] + edges[1:]) / 2, smooth

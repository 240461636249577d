"""Curves of a run as inline SVG for the report: losses, accuracy, gradients, speed.

Words stand in HTML around the drawing, where they wrap, can be copied and follow the page's
colours; matplotlib draws axes and lines. Spikes survive the thinning.
"""

from __future__ import annotations

import io
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from mulligan.words import NOT_SHOWN, short_number

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Floats = NDArray[np.float64]

MAX_POINTS = 1000
GRADIENTS, SPEED = "Gradient norms", "Speed"
INK = "#010203"  # stands for the page's own text colour in the drawing
GRID = "#040506"  # and for its faint line colour
# Okabe and Ito's colours without yellow and black, which vanish on one of the two backgrounds
COLOURS = ("#d55e00", "#0072b2", "#009e73", "#cc79a7", "#56b4e9", "#e69f00", "#8a7fd6", "#888888")


@dataclass(frozen=True)
class Panel:
    """One drawing: its heading, a sentence that says how to read it, and what it shows."""

    heading: str
    sentence: str
    names: tuple[str, ...]


def curves(rows: list[dict[str, Any]], names: Sequence[str] | None = None) -> str:
    """HTML figures with one inline SVG each, over the images seen; "" without a row to draw.

    rows: as `Run.rows` returns them. names: the values to draw; None draws all of them. A value
    that some rows lack is drawn where it is. All names are escaped.
    """
    if not any("images" in row for row in rows):
        return ""
    return "\n".join(_figure(rows, panel) for panel in panels(rows, names))


def panels(rows: list[dict[str, Any]], names: Sequence[str] | None = None) -> list[Panel]:
    """How the values of these rows are shared out over the drawings; none of them is empty."""
    found = dict.fromkeys(name for row in rows for name, value in row.items() if _is_number(value))
    wanted = [name for name in found if name not in NOT_SHOWN and (names is None or name in names)]
    groups: dict[str, list[str]] = {"loss": [], "accuracy": [], "gradient": [], "speed": []}
    for name in wanted:
        groups[_group(name)].append(name)
    texts = {
        "loss": (
            "Losses",
            "The players pull against each other, so these need not fall; judge by the samples.",
        ),
        "accuracy": (
            "Accuracy of the discriminator",
            "0.5 on both means it cannot tell; 1 on both for long means it has won.",
        ),
        "gradient": (
            GRADIENTS,
            "Steady is healthy; a climb over several powers of ten is not.",
        ),
        "speed": (SPEED, "A lasting drop means that something else is using the machine."),
    }
    return [Panel(*texts[group], tuple(members)) for group, members in groups.items() if members]


def thin(x: Floats, y: Floats, limit: int = MAX_POINTS) -> tuple[Floats, Floats]:
    """The curve with at most `limit` points; its ends, its highest and its lowest survive.

    x, y: (N,). The lowest and the highest point of each of limit / 2 - 1 stretches are kept.
    """
    if len(x) <= limit:
        return x, y
    kept = {0, len(x) - 1}
    edges = np.linspace(0, len(x), limit // 2, dtype=int)
    for low, high in pairwise(edges):
        kept |= {low + int(y[low:high].argmin()), low + int(y[low:high].argmax())}
    places = sorted(kept)
    return x[places], y[places]


def _group(name: str) -> str:
    player, _, term = name.partition("/")
    if "accuracy" in term:
        return "accuracy"
    if term == "gradient" or term.startswith("gradient_norm"):
        return "gradient"
    return "speed" if player in ("rate", "time") else "loss"


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _series(rows: list[dict[str, Any]], name: str) -> tuple[Floats, Floats]:
    pairs = [
        (row["images"], row[name])
        for row in rows
        if _is_number(row.get("images")) and _is_number(row.get(name))
    ]
    table = np.array(pairs, dtype=np.float64).reshape(-1, 2)
    return thin(table[:, 0], table[:, 1])


def _figure(rows: list[dict[str, Any]], panel: Panel) -> str:
    series = {name: _series(rows, name) for name in panel.names}
    colours = {name: COLOURS[place % len(COLOURS)] for place, name in enumerate(series)}
    key = "".join(
        f'<li><i style="background:{colours[name]}"></i>{escape(name)}'
        f" <b>{float(y[-1]):.4g}</b></li>"
        for name, (_, y) in series.items()
        if len(y)
    )
    return (
        f'<figure class="curve"><figcaption><h3>{panel.heading}</h3><p>{panel.sentence}</p>'
        f'</figcaption>{_drawing(series, colours, panel)}<ul class="key">{key}</ul></figure>'
    )


def _drawing(
    series: dict[str, tuple[Floats, Floats]], colours: dict[str, str], panel: Panel
) -> str:
    from matplotlib import rc_context
    from matplotlib.backends.backend_svg import FigureCanvasSVG
    from matplotlib.figure import Figure

    with rc_context({"svg.fonttype": "none", "svg.hashsalt": "mulligan", "path.simplify": False}):
        figure = Figure(figsize=(6.4, 3.0), dpi=72)
        figure.patch.set_visible(False)
        axes = figure.add_axes((0.095, 0.155, 0.885, 0.80))
        for name, (x, y) in series.items():
            marker = "o" if len(x) == 1 else None
            axes.plot(x, y, color=colours[name], linewidth=1.4, marker=marker, markersize=4)
        _style(axes)
        values = np.concatenate([y for _, y in series.values()])
        if "accuracy" in panel.names[0]:
            axes.axhline(0.5, color=INK, linewidth=0.8, linestyle=(0, (4, 4)), alpha=0.5)
            axes.set(ylim=(-0.03, 1.03))
        elif panel.heading == SPEED:
            axes.set(ylim=(0, 1.1 * max(float(values.max()), 1e-9)))
        else:
            _scale(axes, values, 10 if panel.heading == GRADIENTS else 30)
        text = io.StringIO()
        FigureCanvasSVG(figure).print_svg(text, metadata={"Date": None, "Creator": None})
    return _inline(text.getvalue(), panel.heading)


def _style(axes: Axes) -> None:
    from matplotlib.ticker import FuncFormatter, MaxNLocator

    axes.patch.set_visible(False)
    axes.grid(True, axis="y", color=GRID, linewidth=0.8)
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.spines["bottom"].set_color(GRID)
    axes.tick_params(labelsize=11, colors=INK, length=0, pad=5)
    axes.xaxis.set_major_locator(MaxNLocator(6, integer=True))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: short_number(value)))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: short_number(value)))
    axes.margins(x=0.01)


def _scale(axes: Axes, values: Floats, ratio: float) -> None:
    sizes = np.abs(values[values != 0])
    if not len(sizes):
        return
    typical = float(np.median(sizes))
    # one spike must not flatten a whole curve
    if float(sizes.max()) <= ratio * typical:
        return
    from matplotlib.ticker import FuncFormatter

    if float(values.min()) > 0:
        axes.set_yscale("log")
    else:
        axes.set_yscale("symlog", linthresh=3 * typical)
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:.3g}"))
    axes.minorticks_off()


def _inline(svg: str, heading: str) -> str:
    body = svg[svg.index("<svg") :]
    body = re.sub(r"<(metadata|style)\b.*?</\1>", "", body, flags=re.DOTALL)
    body = re.sub(r' id="(?!p[0-9a-f]{10}"|m[0-9a-f]{10}")[^"]*"', "", body)
    body = body.replace(INK, "currentColor").replace(GRID, "var(--line)")
    body = re.sub(r"'DejaVu Sans'[^;]*sans-serif", "inherit", body)
    box = re.search(r'viewBox="[^"]*"', body)
    assert box, "matplotlib's SVG has a viewBox"
    return re.sub(
        r"^<svg[^>]*>", f'<svg {box[0]} role="img" aria-label="{heading}">', body, count=1
    ).strip()

"""The frame of a curve: axes as inline SVG in the page's own colours, heading and key as HTML.

Words stand around the drawing, where they wrap, can be copied and follow the page; matplotlib draws
axes and lines. Every text is escaped here.
"""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Iterable
from html import escape
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from mulligan.words import short_number

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Floats = NDArray[np.float64]

INK = "#010203"  # stands for the page's own text colour in the drawing
GRID = "#040506"  # and for its faint line colour
# Okabe and Ito's colours without yellow and black, which vanish on one of the two backgrounds
COLOURS = ("#d55e00", "#0072b2", "#009e73", "#cc79a7", "#56b4e9", "#e69f00", "#8a7fd6", "#888888")


def colours(names: Iterable[str]) -> dict[str, str]:
    """A colour for each name, in their order; after eight they come again."""
    return {name: COLOURS[place % len(COLOURS)] for place, name in enumerate(names)}


def curve(heading: str, sentence: str, draw: Callable[[Axes], None], last: dict[str, str]) -> str:
    """A figure: heading, how to read it, the drawing, and a key with the last value of each line.

    draw: draws lines in the `colours` of the names in `last`.
    """
    key = "".join(
        f'<li><i style="background:{colour}"></i>{escape(name)} <b>{escape(last[name])}</b></li>'
        for name, colour in colours(last).items()
    )
    return (
        f'<figure class="curve"><figcaption><h3>{escape(heading)}</h3><p>{escape(sentence)}</p>'
        f'</figcaption>{_svg(draw, heading)}<ul class="key">{key}</ul></figure>'
    )


def _svg(draw: Callable[[Axes], None], heading: str) -> str:
    from matplotlib import rc_context
    from matplotlib.backends.backend_svg import FigureCanvasSVG
    from matplotlib.figure import Figure

    with rc_context({"svg.fonttype": "none", "svg.hashsalt": "mulligan", "path.simplify": False}):
        figure = Figure(figsize=(6.4, 3.0), dpi=72)
        figure.patch.set_visible(False)
        draw(figure.add_axes((0.095, 0.155, 0.885, 0.80)))
        text = io.StringIO()
        FigureCanvasSVG(figure).print_svg(text, metadata={"Date": None, "Creator": None})
    return _inline(text.getvalue(), escape(heading))


def style(axes: Axes) -> None:
    """Faint lines, large numbers, no box."""
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


def scale(axes: Axes, values: Floats, ratio: float) -> None:
    """A logarithmic scale if the largest value is more than `ratio` times the median."""
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

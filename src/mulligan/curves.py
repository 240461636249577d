"""Curves of runs as inline SVG for pages: losses, accuracy, gradients, speed, progress.

Which values share a drawing, and what is drawn of them; the frame around it is in `curve_frame.py`.
Spikes survive the thinning.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from mulligan import curve_frame as frame
from mulligan.curve_frame import Floats
from mulligan.words import NOT_SHOWN, PROGRESS, measured, progress_name

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Rows = list[dict[str, Any]]

MAX_POINTS = 1000
GRADIENTS, SPEED = "Gradient norms", "Speed"


@dataclass(frozen=True)
class Panel:
    """One drawing: its heading, a sentence that says how to read it, and what it shows."""

    heading: str
    sentence: str
    names: tuple[str, ...]


def curves(rows: Rows, names: Sequence[str] | None = None) -> str:
    """HTML figures with one inline SVG each, over the images seen; "" without a row to draw.

    rows: as `Run.rows` returns them. names: the values to draw; None draws all of them, but for
    those of `progress_curves`. A value that some rows lack is drawn where it is. All names are
    escaped.
    """
    if not any("images" in row for row in rows):
        return ""
    return "\n".join(_figure(rows, panel) for panel in panels(rows, names))


def panels(rows: Rows, names: Sequence[str] | None = None) -> list[Panel]:
    """How the values of these rows are shared out over the drawings; none of them is empty."""
    found = dict.fromkeys(name for row in rows for name, value in row.items() if _is_number(value))
    own = [name for name in found if name not in NOT_SHOWN and not name.startswith(PROGRESS)]
    wanted = [name for name in own if names is None or name in names]
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


def progress_curves(
    runs: Mapping[str, Rows], sentence: str, best: Mapping[str, float] | None = None
) -> str:
    """An HTML figure for each figure of progress: a line a run, its interval as a band around it.

    runs: a name for the key -> rows as for `curves`. sentence: how to read it, plain text.
    best: name -> images seen, to be marked on its line. "" without an evaluation.
    """
    names = dict.fromkeys(progress_name(row) for rows in runs.values() for row in rows)
    drawn = []
    for figure in filter(None, names):
        found = {run: _band(rows, figure) for run, rows in runs.items()}
        bands = {run: band for run, band in found.items() if len(band)}
        last = {run: measured(*map(float, band[-1, 1:])) for run, band in bands.items()}
        draw = partial(_draw_bands, bands=bands, best=best or {})
        if bands:
            drawn.append(frame.curve(f"Progress: {figure}", sentence, draw, last))
    return "\n".join(drawn)


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


def _series(rows: Rows, name: str) -> tuple[Floats, Floats]:
    pairs = [
        (row["images"], row[name])
        for row in rows
        if _is_number(row.get("images")) and _is_number(row.get(name))
    ]
    table = np.array(pairs, dtype=np.float64).reshape(-1, 2)
    return thin(table[:, 0], table[:, 1])


def _band(rows: Rows, figure: str) -> Floats:
    """(N, 4): images seen, value, low and high of each evaluation; the last of those too many."""
    words = ("images", PROGRESS + figure, f"{PROGRESS}low", f"{PROGRESS}high")
    found = [[row.get(word) for word in words] for row in rows]
    whole = [entry for entry in found if all(map(_is_number, entry))]
    return np.array(whole[-MAX_POINTS:], dtype=np.float64).reshape(-1, 4)


def _figure(rows: Rows, panel: Panel) -> str:
    series = {name: _series(rows, name) for name in panel.names}
    last = {name: f"{float(y[-1]):.4g}" if len(y) else "" for name, (_, y) in series.items()}
    return frame.curve(
        panel.heading, panel.sentence, lambda axes: _draw_lines(axes, series, panel), last
    )


def _draw_lines(axes: Axes, series: dict[str, tuple[Floats, Floats]], panel: Panel) -> None:
    for (x, y), colour in zip(series.values(), frame.colours(series).values(), strict=True):
        marker = "o" if len(x) == 1 else None
        axes.plot(x, y, color=colour, linewidth=1.4, marker=marker, markersize=4)
    frame.style(axes)
    values = np.concatenate([y for _, y in series.values()])
    if "accuracy" in panel.names[0]:
        axes.axhline(0.5, color=frame.INK, linewidth=0.8, linestyle=(0, (4, 4)), alpha=0.5)
        axes.set(ylim=(-0.03, 1.03))
    elif panel.heading == SPEED:
        axes.set(ylim=(0, 1.1 * max(float(values.max()), 1e-9)))
    else:
        frame.scale(axes, values, 10 if panel.heading == GRADIENTS else 30)


def _draw_bands(axes: Axes, bands: dict[str, Floats], best: Mapping[str, float]) -> None:
    for run, colour in frame.colours(bands).items():
        x, y, low, high = bands[run].T
        axes.fill_between(x, low, high, color=colour, alpha=0.2, linewidth=0)
        axes.plot(x, y, color=colour, linewidth=1.4, marker="o", markersize=3)
        at = x == best.get(run, -1.0)
        axes.plot(x[at], y[at], "o", markersize=9, fillstyle="none", color=colour, clip_on=False)
    frame.style(axes)
    frame.scale(axes, np.concatenate([band[:, 1:3].ravel() for band in bands.values()]), 30)

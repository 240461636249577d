"""A comparison on one page that asks no network for anything: table, samples, curves, settings."""

from __future__ import annotations

import base64
import io
from html import escape

from PIL.Image import Image as Picture
from PIL.Image import Resampling

from mulligan import report_page as page
from mulligan.comparison_result import Comparison
from mulligan.curves import progress_curves
from mulligan.evaluation.result import number
from mulligan.report import document
from mulligan.report_evaluation import cell, figure_table, meanings, number_cell

PICTURE_BYTES = 400_000
SIDES = (1200, 800, 560, 280)
"""Pixels of a picture's longer side, tried in turn until it is small enough."""


def comparison_page(found: Comparison) -> str:
    """The page as HTML. Every text that came from a file or a user is escaped."""
    names = " · ".join(side.name for side in found.sides)
    head = f'<h1>Comparison</h1><p>{escape(names)}</p><p class="soft">{escape(found.protocol)}</p>'
    remarks = "".join(f"<p>{escape(remark)}</p>" for remark in found.remarks())
    body = (
        f"<header>{head}</header>"
        f'<h2>Figures</h2><section class="card">{_figures(found)}</section>'
        f"{meanings(found.figures)}{page.folded('Verdicts and notes', remarks, open=True)}"
        f"{_samples(found)}{_curves(found)}{_settings(found)}"
    )
    return document(names, body, "The figures of each run also lie in its folder evaluations/.")


def _figures(found: Comparison) -> str:
    """A row a figure, a column a side; a value that is the best beyond noise stands out."""
    head = [*(side.name for side in found.sides), "training images", "best"]
    lines = []
    for name in found.figures:
        leaders, zero = found.leaders(name), found.zero.get(name)
        cells = [cell(side.figure(name), leaders == [side.name]) for side in found.sides]
        cells += [
            number_cell(number(zero.value) if zero else None),
            number_cell(found.verdict(name)),
        ]
        lines.append((name, "".join(cells)))
    return figure_table(head, lines)


def _samples(found: Comparison) -> str:
    drawn = [(side.name, side.picture) for side in found.sides if side.picture is not None]
    seed = found.sides[0].evaluation.figures[0].stamp.get("seed")
    cards = "".join(
        page.still(name, f"Seed {seed}.", _address(picture), picture.width)
        for name, picture in drawn
    )
    return f'<h2>Samples</h2><div class="more">{cards}</div>' if cards else ""


def _address(picture: Picture) -> str:
    """The picture as a data address of about `PICTURE_BYTES` at most."""
    buffer, kind = io.BytesIO(), "png"
    picture.save(buffer, "PNG")
    for side in SIDES:
        if buffer.tell() <= PICTURE_BYTES:
            break
        buffer, kind = io.BytesIO(), "jpeg"
        smaller = picture.convert("RGB")
        smaller.thumbnail((side, side), Resampling.LANCZOS)
        smaller.save(buffer, "JPEG", quality=85)
    return f"data:image/{kind};base64,{base64.b64encode(buffer.getvalue()).decode('ascii')}"


def _curves(found: Comparison) -> str:
    runs = {side.name: side.rows for side in found.sides if side.rows}
    best = {side.name: float(side.evaluation.images or 0) for side in found.sides}
    drawn = progress_curves(
        runs,
        "At equal images seen. Lower is better; bands are 95 % intervals. A ring marks the "
        "checkpoint that is compared above.",
        best,
    )
    return f'<h2>Progress</h2><div class="pair">{drawn}</div>' if drawn else ""


def _settings(found: Comparison) -> str:
    runs = [side.name for side in found.sides if side.settings]
    lines = found.differing()
    if len(runs) < 2:
        return ""
    table = page.table(("setting", *runs), [[row[0], *map(_exact, row[1:])] for row in lines])
    inside = table or '<p class="soft">All settings are the same.</p>'
    return f'<h2>Settings that differ</h2><section class="card">{inside}</section>'


def _exact(value: object) -> object:
    return repr(value) if isinstance(value, float) else value  # the full figure, set as text

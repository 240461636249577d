"""What a checkup found: lines for the terminal, and a page that asks no network for anything."""

from __future__ import annotations

import base64
import io
from collections.abc import Mapping, Sequence
from html import escape

from mulligan import report_page as page
from mulligan.checkup import Checkup
from mulligan.report import document
from mulligan.words import counted, duration, one_line

MOST_NAMES = 200
"""Names of one kind that the page lists; the JSON has all."""

ODD = (
    ("turned", "turned upright as their EXIF data ask"),
    ("transparent", "transparent in part"),
    ("animated", "animated"),
)
Rows = list[tuple[str, str]]


def rows(found: Checkup) -> Rows:
    """The facts in words: (what, how it is)."""
    facts = found.facts
    lines = [("data", f"{facts['rows']:,} {found.plan.data.fields['real']}")]
    held = "if they were decoded at once; they are streamed" if facts["streamed"] else "decoded"
    lines.append(("pixels", f"{facts['bytes'] / 1e6:,.1f} MB {held}"))
    for kind in ("formats", "modes", "classes"):
        if facts.get(kind):
            lines.append((kind, listing(facts[kind])))
    if "short_side" in facts:
        low, middle, high = facts["short_side"]
        lines.append(("short side", f"{low} to {high} pixels, {middle:g} in the middle"))
        low, middle, high = facts["aspect"]
        lines.append(("width / height", f"{low:.2f} to {high:.2f}, {middle:.2f} in the middle"))
    lines += [(kind, f"{len(facts[kind])} {words}") for kind, words in ODD if facts.get(kind)]
    if "mean" in facts:
        lines.append(
            (
                "colours",
                f"mean {listed(facts['mean'])}, deviation {listed(facts['deviation'])}, of 255",
            )
        )
        lines.append(("copies", f"{counted(len(facts['copies']), 'group')} of equal pictures"))
        lines.append(
            ("look-alikes", f"{counted(len(facts['near']), 'group')} of nearly equal pictures")
        )
    lines.append(("skipped", counted(facts["skipped_count"], "file")))
    for name, entry in facts["plan"].items():
        lines.append((name, f"{entry['value']} ({entry['reason']})"))
    if "seconds" in facts:
        pace = f"{facts['images_per_second']:,.0f} images/s here, measured"
        lines.append(("time", f"{duration(facts['seconds'])} ({pace})"))
    return lines


def lines(found: Checkup) -> str:
    """The facts as aligned lines, and the remarks."""
    entries = rows(found)
    width = max(len(name) for name, _ in entries)
    table = [f"{name.ljust(width)}  {words}" for name, words in entries]
    return "\n".join(map(one_line, [*table, *(f"! {remark}" for remark in found.remarks)]))


def listing(counts: Mapping[str, int], most: int = 8) -> str:
    """The largest first: "JPEG 120, PNG 3"."""
    shown = [f"{name} {count:,}" for name, count in list(counts.items())[:most]]
    more = [f"and {len(counts) - most} more"] if len(counts) > most else []
    return ", ".join([*shown, *more])


def listed(values: Sequence[float]) -> str:
    return " ".join(f"{value:g}" for value in values)


def html(found: Checkup) -> str:
    """The page. Every text that came from a file or a user is escaped."""
    facts = found.facts
    remarks = "".join(f"<p>{escape(remark)}</p>" for remark in found.remarks)
    body = (
        f"<header><h1>Data</h1><p>{escape(facts['data'])}</p></header>"
        f"{page.folded('To know', remarks, open=True)}"
        f"{_seen(found)}"
        f'<h2>Facts</h2><section class="card">{page.table(("", ""), rows(found))}</section>'
        f"{page.folded('Skipped', _skipped(facts['skipped']))}"
        f"{page.folded('Copies', _groups(facts.get('copies', ())))}"
        f"{page.folded('Look-alikes', _groups(facts.get('near', ())))}"
    )
    return document(f"Data: {facts['data']}", body, "Written by mulligan check.")


def _seen(found: Checkup) -> str:
    if found.picture is None:
        return ""
    buffer = io.BytesIO()
    found.picture.save(buffer, "PNG")
    address = f"data:image/png;base64,{base64.b64encode(buffer.getvalue()).decode('ascii')}"
    sentence = "Evenly many of the whole, cropped and resized."
    return page.still("What training sees", sentence, address, found.picture.width)


def _skipped(entries: Sequence[Mapping[str, str]]) -> str:
    return page.table(("file", "reason"), [(e["file"], e["reason"]) for e in entries[:MOST_NAMES]])


def _groups(groups: Sequence[Sequence[str]]) -> str:
    return page.table(("first", "others"), [(g[0], ", ".join(g[1:])) for g in groups[:MOST_NAMES]])

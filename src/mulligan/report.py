"""report.html: a run on one page that asks no network for anything and opens from the disk.

Every text from a file is escaped, and the page's own policy lets no other script run than ours.
"""

from __future__ import annotations

import base64
import hashlib
import os
from datetime import datetime
from html import escape
from importlib import resources
from pathlib import Path
from string import Template
from typing import Any

from mulligan import report_images as images
from mulligan import report_page as page
from mulligan.curves import curves
from mulligan.errors import MulliganError, StorageError
from mulligan.report_evaluation import section
from mulligan.run import Run

FIRST_BATCH_BYTES = 300_000
STRIP_BYTES = 400_000
FILM_BYTES = 2_000_000  # a film is written no larger, see `pictures.animate`


def write_report(run: Run) -> Path:
    """Write the run's report.html whole, replacing the one before, and return its path.

    Works for a run in any state: what is not there yet is left out. At most about 10 MB.
    Raises StorageError if it cannot be written, or if the folder is no run.
    """
    content = _page(run).encode("utf-8", "backslashreplace")
    temporary = run.report.with_name(f".{run.report.name}.{os.getpid()}.tmp")
    try:
        temporary.write_bytes(content)
        temporary.replace(run.report)
    except OSError as error:
        raise StorageError(
            f"cannot write {run.report}: {error.strerror or error}", "make room on the disk"
        ) from error
    finally:
        temporary.unlink(missing_ok=True)
    return run.report


def _page(run: Run) -> str:
    info, rows = run.info(), run.rows()
    total = info.get("total") or _settings(run).get("images", {}).get("value")
    total = total if isinstance(total, int) else None
    body = page.header(info, run.name, rows[-1] if rows else {}, total) + _sections(run, rows)
    return document(
        run.name,
        body,
        f"Run folder: {run.path}",
        script=_packaged("report.js"),
        status=str(info.get("status", "")),
    )


def document(title: str, body: str, footer: str, *, script: str = "", status: str = "") -> str:
    """A whole page that may load nothing and run no other script than this one.

    body: HTML. title, footer, status: plain text.
    """
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    now = datetime.now().astimezone()
    return Template(_packaged("report.html")).substitute(
        title=escape(title),
        status=escape(status),
        body=body,
        footer=escape(f"Written {now:%Y-%m-%d %H:%M:%S %Z}. {footer}"),
        script=script,
        script_hash=f"sha256-{digest}",
    )


def _sections(run: Run, rows: list[dict[str, Any]]) -> str:
    grids = images.families(run.samples)
    films = {name: images.film(paths, 1 / len(grids)) for name, paths in grids.items()}
    samples, others = page.viewer(films)
    if not samples:
        samples = page.card("Samples", '<p class="soft">None yet; they come with each tick.</p>')
    drawn = curves(rows)
    side = _typed(run) + page.card("Values", page.values(rows))
    return "".join(
        (
            f'<div class="top">{samples}<div class="side">{side}</div></div>',
            others,
            section(run, rows),
            f'<h2>Curves</h2><div class="pair">{drawn}</div>' if drawn else "",
            _stills(run),
            _folded(run),
        )
    )


def _typed(run: Run) -> str:
    try:
        typed = run.command.read_text(encoding="utf-8", errors="replace").strip()
    except FileNotFoundError:
        return ""
    return page.card("What was typed", f"<pre>{escape(typed)}</pre>" if typed else "")


def _stills(run: Run) -> str:
    found = (
        ("First batch", "What training sees.", run.first_batch, FIRST_BATCH_BYTES),
        ("Film", "All previews, one after the other.", run.path / "animation.gif", FILM_BYTES),
        ("Over time", "From the first preview to the last.", run.path / "strip.png", STRIP_BYTES),
    )
    drawn = []
    for heading, sentence, path, limit in found:
        size = images.size(path)
        width = size[0] if size else None
        drawn.append(page.still(heading, sentence, images.picture(path, limit), width))
    together = "".join(drawn)
    return f'<h2>Pictures</h2><div class="pair">{together}</div>' if together else ""


def _folded(run: Run) -> str:
    settings = _settings(run)
    lines = [
        (name, _value(entry["value"]), entry["origin"], entry["reason"])
        for name, entry in settings.items()
    ]
    given = [place for place, line in enumerate(lines) if line[2] not in ("default", "")]
    heading = f"Settings ({len(lines)}, {len(given)} not by default)"
    return "".join(
        (
            page.folded(
                heading, page.table(("name", "value", "origin", "reason"), lines, given), open=True
            ),
            page.folded("Events", page.events(run.events()), open=True),
            page.folded("Data", page.data_notes(_json(run, "data.json"))),
            page.folded("Environment", page.table(("", ""), list(_json(run, "env.json").items()))),
        )
    )


def _value(value: Any) -> Any:
    return repr(value) if isinstance(value, float) else value  # the full figure, set as text


def _settings(run: Run) -> dict[str, dict[str, Any]]:
    try:
        return run.config()
    except MulliganError:  # not written yet, or edited by hand: the rest can still be shown
        return {}


def _json(run: Run, name: str) -> dict[str, Any]:
    try:
        values = run.read_json(name)
    except MulliganError:  # as above
        return {}
    return values if isinstance(values, dict) else {}


def _packaged(name: str) -> str:
    return resources.files("mulligan").joinpath(name).read_text(encoding="utf-8")

"""The evaluation part of a report: the number of progress, and the evaluations that were asked for.

Everything that came from a file is escaped here or by `report_page`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import suppress
from html import escape
from pathlib import Path
from typing import Any

from mulligan import report_images as images
from mulligan import report_page as page
from mulligan.curves import progress_curves
from mulligan.errors import MulliganError
from mulligan.evaluation.explained import explain
from mulligan.evaluation.result import Evaluation, number
from mulligan.metrics.figure import Figure, Stamp
from mulligan.run import Run
from mulligan.words import measured, progress, progress_name

MOST_EVALUATIONS = 6
MOST_FIGURES = 60
PAIRS_BYTES = 200_000

SPLITS = {"test": "test part", "held-out": "held out of training", "train": "trained on"}
"""Which real rows figures compare with, by the name of the split."""


def section(run: Run, rows: list[dict[str, Any]]) -> str:
    """The part as HTML; "" for a run without an evaluation. rows: of its metrics."""
    found = stored(run)
    shown = found[-MOST_EVALUATIONS:][::-1]
    tables = "".join(_evaluation(run, stem, entry) for stem, entry in shown)
    more = len(found) - len(shown)
    note = f'<p class="soft">and {more:,} earlier ones in evaluations/</p>' if more > 0 else ""
    names = [figure.name for _, entry in shown for figure in entry.figures]
    names += [progress_name(row) for row in rows if progress(row)][-1:]
    inside = _progress(run, rows) + tables + note
    if not inside:
        return ""
    return f'<h2>Evaluation</h2><div class="stack">{inside}</div>{meanings(names)}'


def stored(run: Run) -> list[tuple[str, Evaluation]]:
    """(file name without its ending, evaluation) of those in a run's folder, by images seen."""
    found: list[tuple[str, Evaluation]] = []
    for path in sorted(run.evaluations.glob("*.json")) if run.evaluations.is_dir() else []:
        with suppress(MulliganError):  # a damaged one is left out
            entry = Evaluation.from_json(run.read_json(f"evaluations/{path.name}"))
            found += [(path.stem, entry)] if entry.figures else []
    return found


def meanings(names: Iterable[str]) -> str:
    """What figures of these names mean, to be folded out; each sentence stands once."""
    said: dict[str, str] = {}
    for name in names:
        said.setdefault(explain(name), name)
    lines = "".join(
        f"<dt>{page.named(name)}</dt><dd>{escape(sentence)}</dd>"
        for sentence, name in said.items()
        if sentence
    )
    return page.folded("What the figures mean", f"<dl>{lines}</dl>" if lines else "")


def protocol(stamp: Stamp) -> str:
    """How figures were made, in a line of plain text."""
    weights = str(stamp.get("weights", ""))[:12]
    return (
        f"against real rows of {stamp.get('data')} ({_rows(stamp)}), extractor "
        f"{stamp.get('extractor')} ({weights}), resize {stamp.get('resize')}, seed "
        f"{stamp.get('seed')}"
    )


def _rows(stamp: Stamp) -> str:
    split = str(stamp.get("split"))
    return SPLITS.get(split, split)


def _progress(run: Run, rows: list[dict[str, Any]]) -> str:
    """The curve of the figure of progress, and in words where it stands; "" without one."""
    evaluated = [row for row in rows if progress(row)]
    if not evaluated:
        return ""
    newest, best = evaluated[-1], _best(run)
    name = progress_name(newest)
    curve = progress_curves(
        {name: evaluated},
        f"Lower is better. The band is the 95 % interval. {_compared(run)}".strip(),
        {name: best["images"]} if best else None,
    )
    lines = [("newest", progress(newest), f"{newest.get('images', 0):,} images", "")]
    if best:
        phrase = f"{name} {measured(best['value'], best['low'], best['high'])}"
        place = f"step-{int(best['round']):07d} (round {best['round']:,.0f})"
        lines.append(("best so far", phrase, f"{best['images']:,.0f} images", place))
    facts = page.card("Where it stands", page.table(("", "figure", "after", "checkpoint"), lines))
    return f'<div class="pair">{curve}{facts}</div>'


def _best(run: Run) -> dict[str, float] | None:
    """Where the best checkpoint lies and what it scored; None before, or if run.json is damaged."""
    best: Any = run.info().get("best")
    try:
        return {word: float(best[word]) for word in ("round", "images", "value", "low", "high")}
    except (TypeError, KeyError, ValueError):
        return None


def _compared(run: Run) -> str:
    """Of the newest evaluation during training: how many rows it compared, and which."""
    try:
        figure = Figure.from_json(run.figure_rows()[-1]["figures"][-1])
    except (LookupError, TypeError, MulliganError):
        return ""
    return (
        f"Each point compares {figure.generated_count:,} samples with {figure.real_count:,} real "
        f"rows ({_rows(figure.stamp)}), extractor {figure.stamp.get('extractor')}; a ring marks "
        "the best."
    )


def _evaluation(run: Run, stem: str, found: Evaluation) -> str:
    """One evaluation: protocol, table, verdicts and notes; the nearest pairs beside it."""
    zero = {figure.name: figure.value for figure in found.baseline}
    lines = [
        (
            one.name,
            cell(one)
            + number_cell(number(zero[one.name]) if one.name in zero else None)
            + number_cell(one.real_count or None)
            + number_cell(one.generated_count),
        )
        for one in found.figures[:MOST_FIGURES]
    ]
    more = len(found.figures) - len(lines)
    words = [*found.verdicts, *(f"Note: {note}" for note in found.notes)]
    words += [f"{more} more figures in evaluations/{stem}.json"] if more else []
    said = "".join(f"<p>{escape(word)}</p>" for word in words)
    how = escape(f"{protocol(found.figures[0].stamp)}, {found.seconds:.0f} s")
    head = ("value, 95 % interval", "training images", "real", "generated")
    inside = f'<p class="soft">{how}</p>{figure_table(head, lines)}{said}'
    after = "" if found.images is None else f", after {found.images:,} images"
    card = page.card(f"Evaluation by the extractor {found.extractor}{after}", inside)
    return f'<div class="judged">{card}{_pairs(run.evaluations / f"{stem}-nearest.png")}</div>'


def _pairs(path: Path) -> str:
    size = images.size(path)
    return page.still(
        "Nearest training images",
        "Each generated image, then its nearest training image.",
        images.picture(path, PAIRS_BYTES),
        size[0] if size else None,
    )


def figure_table(head: Sequence[str], lines: Iterable[tuple[str, str]]) -> str:
    """A table of figures, each name with its meaning. head: of the columns after the name.
    lines: (name, the other cells as HTML)."""
    titles = "".join(f"<th class=n>{page.named(word)}</th>" for word in head)
    body = "".join(
        f'<tr><td class="name">{page.named(name, explain(name))}</td>{cells}</tr>'
        for name, cells in lines
    )
    return (
        f'<div class="wide"><table class="figures"><thead><tr><th>figure</th>{titles}</tr></thead>'
        f"<tbody>{body}</tbody></table></div>"
    )


def cell(one: Figure | None, best: bool = False) -> str:
    """A cell with a value over its interval. best: to stand out."""
    if one is None:
        return number_cell(None)
    value, _, interval = measured(one.value, one.low, one.high).partition(" ")
    return f'<td class="n{" best" if best else ""}">{value}<small>{interval[1:-1]}</small></td>'


def number_cell(value: str | int | None) -> str:
    """A cell to the right, "-" for None."""
    return f"<td class=n>{page.text(value)}</td>"

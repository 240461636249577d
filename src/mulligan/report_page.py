"""The sections of a report as HTML. Everything that came from a file or a user is escaped here."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from html import escape
from typing import Any

from mulligan.report_images import Frame
from mulligan.words import NOT_SHOWN, PROGRESS, duration, event_line, speed

STATUS = {
    "created": ("Starting", "No tick has passed yet."),
    "running": ("Running", "Training goes on; this page is written anew with every checkpoint."),
    "done": ("Done", "The run saw all the images it was meant to see."),
    "stopped": ("Stopped", "Stopped on request, with a checkpoint."),
    "crashed": ("Crashed", "An error ended the run."),
    "diverged": ("Diverged", "Training failed and could not be brought back."),
}
MAX_EVENTS = 100
MAX_SKIPPED = 100


def text(value: Any) -> str:
    """Any value as escaped text: "-" for nothing, lists and tables as JSON."""
    if value is None or value == "":
        return "–"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int) and abs(value) >= 10_000:
        return f"{value:,}"
    if isinstance(value, list | dict):
        return escape(json.dumps(value, ensure_ascii=False, default=str))
    return escape(str(value))


def named(name: Any, hint: str = "") -> str:
    """A name as escaped text; a line may be broken after "/" and "_", and nowhere else. hint: what
    is shown when the pointer rests on it."""
    word = text(name).replace("/", "/<wbr>").replace("_", "_<wbr>")
    return f'<abbr title="{escape(hint)}">{word}</abbr>' if hint else word


def table(head: Sequence[str], rows: Iterable[Sequence[Any]], marked: Iterable[int] = ()) -> str:
    """A table; its first column is set as names. Columns with floats stand to the right.

    marked: positions of the rows to emphasise.
    """
    entries, bold = list(rows), set(marked)
    if not entries:
        return ""
    numbers = [
        any(isinstance(value, float) for value in column) for column in zip(*entries, strict=True)
    ]
    lines = []
    for place, row in enumerate(entries):
        cells = [f'<td class="name">{named(row[0])}</td>']
        cells += [
            _cell("td", f"{value:.4g}" if isinstance(value, float) else text(value), number)
            for value, number in zip(row[1:], numbers[1:], strict=True)
        ]
        start = '<tr class="given">' if place in bold else "<tr>"
        lines.append(f"{start}{''.join(cells)}</tr>")
    titles = "".join(
        _cell("th", escape(word), number) for word, number in zip(head, numbers, strict=True)
    )
    top = f"<thead><tr>{titles}</tr></thead>" if any(head) else ""
    return f'<div class="wide"><table>{top}<tbody>{"".join(lines)}</tbody></table></div>'


def _cell(tag: str, inside: str, number: bool) -> str:
    return f"<{tag}{' class=n' if number else ''}>{inside}</{tag}>"


def card(heading: str, inside: str) -> str:
    """A box with a heading; "" if there is nothing to put in it."""
    return f'<section class="card"><h3>{escape(heading)}</h3>{inside}</section>' if inside else ""


def folded(heading: str, inside: str, *, open: bool = False) -> str:
    """A section that can be folded away; "" if there is nothing to put in it."""
    if not inside:
        return ""
    state = " open" if open else ""
    return (
        f"<details{state}><summary>{escape(heading)}</summary>"
        f'<div class="card">{inside}</div></details>'
    )


def header(info: dict[str, Any], name: str, row: dict[str, Any], total: int | None) -> str:
    """Name, status in words, recipe, data and progress. row: the newest one, or empty."""
    status = str(info.get("status", "unknown"))
    word, sentence = STATUS.get(status, (status, ""))
    if status == "done" and info.get("images", 0) < info.get("total", 0):
        sentence = f"Ended early: {info.get('reason')}."
    elif status != "done" and (reason := info.get("reason")):
        sentence = f"{sentence} Reason: {reason}.".replace("..", ".").strip()
    if status in ("stopped", "crashed"):
        sentence += f" To go on: mulligan resume {name}"
    kind = status if status in STATUS else "unknown"
    parts = [f"{key} {info[key]}" for key in ("recipe", "data") if info.get(key)]
    return (
        f'<header><div class="line"><h1>{escape(name)}</h1>'
        f'<span class="status {kind}">{escape(word)}</span></div>'
        f"<p>{escape('  ·  '.join(parts))}</p>"
        f'<p class="soft">{escape(sentence)}</p>{_progress(status, row, total)}</header>'
    )


def _progress(status: str, row: dict[str, Any], total: int | None) -> str:
    seen, seconds = int(row.get("images", 0)), row.get("seconds")
    rate = row.get("rate/images_per_second")
    words = [f"{seen:,} of {total:,} images seen" if total else f"{seen:,} images seen"]
    if seconds is not None:
        words.append(f"{duration(seconds)} of training")
    if rate:
        words.append(speed(rate))
    if rate and total and status == "running":
        words.append(f"about {duration((total - seen) / rate)} left at the last tick")
    bar = f'<progress max="{total}" value="{seen}"></progress>' if total else ""
    return f'{bar}<p class="soft">{"  ·  ".join(words)}</p>'


def viewer(films: dict[str, list[Frame]]) -> tuple[str, str]:
    """(the samples with the slider, the other families), either "" if there is none.

    films: family -> its frames; "" is the generated grid.
    One slider moves all families to the same place in the run.
    """
    films = {name: frames for name, frames in films.items() if frames}
    if not films:
        return "", ""
    stops = sorted({frame.seen for frames in films.values() for frame in frames})
    control = (
        '<div class="control"><button id="play" type="button">Play</button>'
        f'<input id="when" type="range" min="0" max="{len(stops) - 1}" value="{len(stops) - 1}"'
        f' data-stops="{",".join(map(str, stops))}" aria-label="place in the run">'
        f'<output id="seen">{stops[-1]:,} images seen</output></div>'
    )
    main = "" if "" in films else next(iter(films))
    first = _film(main or "samples", films[main])
    others = "".join(
        f'<div class="card">{_film(name, frames)}</div>'
        for name, frames in films.items()
        if name != main
    )
    return (
        f'<section class="card">{first}{control}</section>',
        f'<div class="more">{others}</div>' if others else "",
    )


def _film(name: str, frames: list[Frame]) -> str:
    images = "".join(
        f'<img src="{frame.address}" data-seen="{frame.seen}" alt="{escape(name)} after'
        f' {frame.seen:,} images"{"" if frame is frames[-1] else " hidden"}>'
        for frame in frames
    )
    heading = escape(name.replace("-", " ").replace("_", " ").capitalize())
    return (
        f'<figure class="film" style="--wide:{frames[-1].width}px">'
        f"<figcaption><h3>{heading}</h3></figcaption>{images}</figure>"
    )


def still(heading: str, sentence: str, address: str, width: int | None) -> str:
    """A single picture with a heading and a sentence; "" without a picture."""
    if not address:
        return ""
    broad = " broad" if width and width > 1000 else ""
    limit = f' style="max-width:{width}px"' if width else ""
    return (
        f'<figure class="card{broad}"><figcaption><h3>{escape(heading)}</h3>'
        f"<p>{escape(sentence)}</p></figcaption>"
        f'<img class="shown" src="{address}" alt="{escape(heading)}"{limit}></figure>'
    )


def values(rows: list[dict[str, Any]]) -> str:
    """Every logged value but those of evaluations: the newest, the lowest and the highest."""
    columns: dict[str, list[float]] = {}
    for row in rows:
        for name, value in row.items():
            own = name not in NOT_SHOWN and not name.startswith(PROGRESS)
            if own and isinstance(value, int | float):
                columns.setdefault(name, []).append(float(value))
    lines = [(name, found[-1], min(found), max(found)) for name, found in columns.items()]
    return table(("value", "last", "lowest", "highest"), lines)


def events(found: list[dict[str, Any]]) -> str:
    """The newest events, newest first."""
    lines = []
    for event in reversed(found[-MAX_EVENTS:]):
        rest = {word: value for word, value in event.items() if word != "event"}
        when = str(event.get("time", ""))[:19].replace("T", " ")
        details = event_line({"event": "", **rest}).strip()
        lines.append((event.get("event", "?"), when, details))
    more = len(found) - MAX_EVENTS
    note = f'<p class="soft">and {more:,} earlier ones in events.jsonl</p>' if more > 0 else ""
    return table(("event", "time (UTC)", "details"), lines) + note


def data_notes(data: dict[str, Any]) -> str:
    """What is known of the data, and the files that were left out, with the reason for each."""
    skipped = data.get("skipped") or []
    known = [(key, value) for key, value in data.items() if not isinstance(value, list | dict)]
    parts = [table(("", ""), known)]
    if skipped:
        lines = [(entry.get("file"), entry.get("reason")) for entry in skipped[:MAX_SKIPPED]]
        count = data.get("skipped_count")  # where they are too many to be listed
        count = count if isinstance(count, int) else len(skipped)
        more = count - MAX_SKIPPED
        parts.append(f"<p><b>{count:,} files were left out</b></p>")
        parts.append(table(("file", "reason"), lines))
        parts.append(f'<p class="soft">and {more:,} more in data.json</p>' if more > 0 else "")
    return "".join(parts)

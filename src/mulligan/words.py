"""Numbers, times and events of a run in words, for the terminal and the report."""

from __future__ import annotations

import math
import re
from typing import Any

NOT_SHOWN = ("round", "images", "seconds")
PROGRESS = "progress/"
"""What the keys of an evaluation begin with: the figure's name, then "low" and "high"."""

CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")
"""What a terminal obeys, breaks the line at, or turns round, and what no file can hold."""


def one_line(text: str) -> str:
    """The same text on one line; control characters are written out, as in \\x1b[31m.

    Names come from whoever made the data: nothing of them may steer a terminal or forge a line.
    """
    return CONTROL.sub(lambda found: found[0].encode("unicode_escape").decode(), text)


def shown(row: dict[str, Any]) -> dict[str, float]:
    """The losses and accuracies of a row; not its counters, speeds, gradient norms and progress."""
    return {
        name: value
        for name, value in row.items()
        if name not in NOT_SHOWN
        and not name.startswith(("rate/", "time/", PROGRESS))
        and not name.endswith("/gradient")
        and isinstance(value, int | float)
    }


def progress_name(row: dict[str, Any]) -> str:
    """The figure that an evaluation put into this row, such as KD-digits; "" without one."""
    names = [name.removeprefix(PROGRESS) for name in row if name.startswith(PROGRESS)]
    return next((name for name in names if name not in ("low", "high")), "")


def progress(row: dict[str, Any]) -> str:
    """The evaluation of a row as in "KD-digits 0.0123 (0.0110 to 0.0136)"; "" without one."""
    name = progress_name(row)
    found = [row.get(PROGRESS + word) for word in (name, "low", "high")] if name else []
    numbers = [float(value) for value in found if isinstance(value, int | float)]
    return f"{name} {measured(*numbers)}" if len(numbers) == 3 else ""


def measured(value: float, low: float, high: float) -> str:
    """A value with its interval, "0.0123 (0.0110 to 0.0136)": no digits that are only noise.

    Half of the interval has two digits, and all three numbers end where it does.
    """
    half = (high - low) / 2
    if not all(map(math.isfinite, (value, low, high))) or half <= 0:
        return f"{value:.4g} ({low:.4g} to {high:.4g})"
    places = max(0, 1 - math.floor(math.log10(half)))
    kind = f".{places}f" if places <= 6 else ".2e"
    return f"{value:{kind}} ({low:{kind}} to {high:{kind}})"


def percent(seen: int, total: int) -> int:
    """Whole per cent, rounded down, so that 100 means done."""
    return 100 * seen // total if total else 100


def speed(rate: float) -> str:
    """Images a second, with a decimal where it matters."""
    return f"{rate:,.0f} images/s" if rate >= 10 else f"{rate:.2g} images/s"


def duration(seconds: float) -> str:
    """A time in the two largest fitting units: 45 s, 5 min, 2 h 10 min, 3 d 4 h."""
    whole = max(0, math.ceil(seconds))
    if whole < 90:
        return f"{whole} s"
    minutes = math.ceil(whole / 60)
    if minutes < 90:
        return f"{minutes} min"
    hours, minutes = divmod(minutes, 60)
    if hours < 48:
        return f"{hours} h {minutes} min"
    return f"{hours // 24} d {hours % 24} h"


def event_line(event: dict[str, Any]) -> str:
    """An event in one line: its kind, then word=value pairs (several words: value), no time."""
    rest = [
        f"{word}: {value}" if " " in word else f"{word}={value}"
        for word, value in event.items()
        if word not in ("event", "time")
    ]
    return one_line(" ".join([str(event.get("event", "?")), *rest]).replace("\n", " "))


def short_number(value: float) -> str:
    """A number of images in a few characters: 950, 12.8k, 400k, 1.5M."""
    for size, letter in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if abs(value) >= size:
            return f"{value / size:.3g}{letter}"
    return f"{value:.3g}"


def counted(count: int, noun: str) -> str:
    """A number of things: 1 picture, 2,000 pictures."""
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"


def amount(count: int) -> str:
    """Bytes as kB, MB or GB."""
    for unit, size in (("GB", 1e9), ("MB", 1e6)):
        if count >= size:
            return f"{count / size:.1f} {unit}"
    return f"{count / 1e3:.1f} kB"

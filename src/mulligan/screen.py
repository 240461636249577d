"""What the terminal shows of a run. The clock is only shown here; it steers nothing.

`Screen` is silent and is what the others are built on. A terminal that goes away (a closed pipe)
silences its screen and never stops training.
"""

from __future__ import annotations

import json
import math
import os
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from types import TracebackType
from typing import TYPE_CHECKING, Any, Literal, Self, TextIO, cast

from mulligan.errors import UsageError
from mulligan.words import duration, event_line, one_line, percent, progress, shown, speed

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

Kind = Literal["auto", "rich", "plain", "json", "none"]
KINDS: tuple[Kind, ...] = ("auto", "rich", "plain", "json", "none")
REDRAW_SECONDS = 0.25


class Screen:
    """A screen that shows nothing. Use it with `with`, so that the terminal is always given back.

    Calls come in this order: start, then any number of progress, row and event, then finish.
    """

    def start(self, facts: dict[str, str], total: int) -> None:
        """Show what is about to run. facts: word -> value. total: images to see by the end."""

    def progress(self, seen: int, rate: float | None) -> None:
        """Called every round. rate: images a second, None while it is not known yet."""

    def row(self, row: dict[str, Any]) -> None:
        """Called every tick with the row that went into the log."""

    def event(self, event: dict[str, Any]) -> None:
        """Something happened: a save, an alert. event["event"] says what."""

    def finish(self, status: str, lines: list[str]) -> None:
        """Give the terminal back and print the closing lines, which stay there."""

    def close(self) -> None:
        """Give the terminal back; harmless after finish and when called twice."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


class Writer(Screen):
    """A screen that writes to a stream, and goes silent for good once that stream is closed."""

    def __init__(self, stream: TextIO | None = None) -> None:
        self.stream: TextIO = stream or sys.stdout
        self.total = 0
        self.gone = False

    def attempt(self, write: Callable[[], object]) -> None:
        """Run `write`, unless the stream is gone; find out here if it is."""
        if self.gone:
            return
        try:
            write()
        except OSError:
            self._give_up()
        except ValueError as error:  # what Python raises for a stream that it closed itself
            if not self.stream.closed:
                raise error
            self._give_up()

    def say(self, line: str) -> None:
        """One line, out at once."""
        self.attempt(lambda: print(one_line(line), file=self.stream, flush=True))

    def _give_up(self) -> None:
        self.gone = True
        if self.stream in (sys.stdout, sys.__stdout__) and not self.stream.closed:
            # else the interpreter's own flush at exit fails and turns the exit code into 120
            with suppress(OSError):
                nowhere = os.open(os.devnull, os.O_WRONLY)
                os.dup2(nowhere, self.stream.fileno())
                os.close(nowhere)


class Lines(Writer):
    """One plain line a tick, for logs and pipes."""

    def start(self, facts: dict[str, str], total: int) -> None:
        self.total = total
        for word, value in facts.items():
            self.say(f"{word:<12}{value}")

    def row(self, row: dict[str, Any]) -> None:
        seen, rate = int(row.get("images", 0)), row.get("rate/images_per_second")
        parts = [f"images {seen:,}/{self.total:,}", f"{percent(seen, self.total):3d} %"]
        if rate:
            parts += [speed(rate), f"eta {duration((self.total - seen) / rate)}"]
        parts += [f"{name} {value:.4g}" for name, value in shown(row).items()]
        self.say("  ".join([*parts, *filter(None, [progress(row)])]))

    def event(self, event: dict[str, Any]) -> None:
        self.say(f"event {event_line(event)}")

    def finish(self, status: str, lines: list[str]) -> None:
        self.say(f"status {status}")
        for line in lines:
            self.say(line)


class JsonLines(Writer):
    """One JSON object a line, with "type": start, row, event or finish. For programs."""

    def start(self, facts: dict[str, str], total: int) -> None:
        self._object("start", {"facts": facts, "total": total})

    def row(self, row: dict[str, Any]) -> None:
        phrase = progress(row)
        self._object("row", {**row, "progress": phrase} if phrase else row)

    def event(self, event: dict[str, Any]) -> None:
        self._object("event", event)

    def finish(self, status: str, lines: list[str]) -> None:
        self._object("finish", {"status": status, "lines": lines})

    def _object(self, kind: str, values: dict[str, Any]) -> None:
        tagged = {"type": kind, **{word: values[word] for word in values if word != "type"}}
        self.say(json.dumps(_plain(tagged), allow_nan=False, default=str))


class Panel(Writer):
    """A live panel: a bar, images, speed, time left, losses by player, last evaluation and event.

    console: a rich console; made for standard output where none is given. It is redrawn at most
    four times a second, from `progress`, without a thread.
    """

    def __init__(self, console: Console | None = None) -> None:
        from rich.live import Live

        from mulligan.screen_panel import SteadyConsole

        self.console = console or SteadyConsole()
        super().__init__(cast(TextIO, self.console.file))
        self.live = Live(console=self.console, auto_refresh=False, transient=False)
        self.facts: dict[str, str] = {}
        self.seen = 0
        self.rate: float | None = None
        self.values: dict[str, float] = {}
        self.lines = {"progress": "", "last event": ""}
        self.next_draw = 0.0

    def start(self, facts: dict[str, str], total: int) -> None:
        self.facts, self.total = {word: one_line(facts[word]) for word in facts}, total
        self.attempt(self.live.start)
        self._draw()

    def progress(self, seen: int, rate: float | None) -> None:
        if time.monotonic() < self.next_draw:
            return
        self.seen, self.rate = seen, rate
        self._draw()

    def row(self, row: dict[str, Any]) -> None:
        self.seen = int(row.get("images", self.seen))
        self.rate = row.get("rate/images_per_second", self.rate)
        self.values = shown(row)
        self.lines["progress"] = progress(row) or self.lines["progress"]

    def event(self, event: dict[str, Any]) -> None:
        self.lines["last event"] = event_line(event)

    def finish(self, status: str, lines: list[str]) -> None:
        self._draw()
        self.close()
        for line in [f"status {status}", *lines]:
            self.say(line)

    def close(self) -> None:
        self.attempt(self.live.stop)

    def _give_up(self) -> None:
        super()._give_up()
        self.console.quiet = True
        self.live.stop()  # writes nothing now, but hands standard output back

    def _draw(self) -> None:
        self.next_draw = time.monotonic() + REDRAW_SECONDS
        if self.live.is_started:
            self.attempt(lambda: self.live.update(self.picture(), refresh=True))

    def picture(self) -> RenderableType:
        """What the panel shows now."""
        from mulligan.screen_panel import panel

        left = (self.total - self.seen) / self.rate if self.rate else None
        status = [
            f"{self.seen:,} of {self.total:,} images",
            f"{percent(self.seen, self.total)} %",
            speed(self.rate) if self.rate else "measuring the speed",
        ]
        if left is not None:
            status.append(f"{duration(left)} left")
        share = self.seen / self.total if self.total else 1.0
        return panel(self.facts, share, "  ·  ".join(status), self.values, self.lines)


def make_screen(kind: str = "auto") -> Screen:
    """The screen of that name; auto is rich on a terminal that can, else plain.

    Raises UsageError for a word that is none of auto, rich, plain, json, none.
    """
    if kind not in KINDS:
        raise UsageError(f"log {kind!r} is not one of {', '.join(KINDS)}", "use --log plain")
    if kind == "none":
        return Screen()
    if kind == "json":
        return JsonLines()
    if kind == "rich":
        return Panel()
    if kind == "auto" and sys.stdout.isatty():
        panel = Panel()
        return Lines() if panel.console.is_dumb_terminal else panel
    return Lines()


def _plain(value: Any) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)  # JSON has no word for these: "nan", "inf"
    if isinstance(value, dict):
        return {str(word): _plain(entry) for word, entry in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(entry) for entry in value]
    return value

"""The live panel's drawing, with rich. Imported only when a panel is drawn."""

from __future__ import annotations

from rich.console import Console, Group, RenderableType
from rich.panel import Panel
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text


class SteadyConsole(Console):
    """A console that reports a closed pipe; rich's own would end the process, training and all."""

    def on_broken_pipe(self) -> None:
        self.quiet = True
        raise BrokenPipeError("the terminal is gone")


def panel(
    facts: dict[str, str],
    share: float,
    status: str,
    values: dict[str, float],
    lines: dict[str, str],
) -> RenderableType:
    """The whole panel. share: of the run that is done, 0 to 1. lines: label -> text, the last
    lines; empty ones are left out. Text is shown as it is, never read as markup. The fact "run"
    becomes the title, "folder" the line under the panel.
    """
    parts: list[RenderableType] = [_facts(facts), _bar(share), Text(status)]
    if values:
        parts.append(_values(values))
    for label, line in lines.items():
        if line:
            parts.append(Text.assemble((f"{label:<10}  ", "dim"), line, overflow="ellipsis"))
    return Panel(
        Group(*parts),
        title=Text(facts.get("run", "mulligan"), style="bold"),
        title_align="left",
        subtitle=Text(facts.get("folder", ""), style="dim"),
        subtitle_align="right",
        border_style="cyan",
        padding=(0, 1),
    )


def _bar(share: float) -> Table:
    table = Table.grid(expand=True)  # a bar alone ends without a line break
    table.add_row(ProgressBar(total=1.0, completed=min(share, 1.0), complete_style="cyan"))
    return table


def _facts(facts: dict[str, str]) -> Table:
    table = Table.grid(padding=(0, 2))
    table.add_column(style="dim", no_wrap=True)
    table.add_column()
    for word, value in facts.items():
        if word not in ("run", "folder"):
            table.add_row(Text(word), Text(value))
    return table


def _values(values: dict[str, float]) -> Table:
    """A line for each player: its terms, with the accuracies as "real 0.71  fake 0.80"."""
    players: dict[str, list[str]] = {}
    for name, value in values.items():
        player, _, term = name.partition("/")
        words = term.replace("accuracy_", "accuracy on ").replace("_", " ") or "value"
        players.setdefault(player, []).append(f"{words} {value:.3f}")
    table = Table.grid(padding=(0, 2))
    table.add_column(style="dim", no_wrap=True)
    table.add_column()
    for player, terms in players.items():
        table.add_row(Text(player), Text("   ".join(terms)))
    return table

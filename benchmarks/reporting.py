"""What every benchmark page shares: the machine, and a page with the command that made it."""

from __future__ import annotations

import platform
import shlex
import sys
from collections.abc import Sequence
from datetime import date
from pathlib import Path

import torch

from mulligan.engine.environment import processor
from mulligan.run import Run


def hardware() -> str:
    """One line: processor, threads, versions, date."""
    device = f", {torch.cuda.get_device_name()}" if torch.cuda.is_available() else ""
    return (
        f"{processor()}{device}; {torch.get_num_threads()} threads; torch {torch.__version__}, "
        f"Python {platform.python_version()}; {date.today().isoformat()}."
    )


def trained_on(runs: Sequence[Run]) -> str:
    """The machines of these runs, by what each run noted when it began."""
    machines: dict[str, int] = {}
    for run in runs:
        noted = run.read_json("env.json")
        where = noted.get("processor", "an unknown processor")
        device = "" if noted["device"] == "cpu" else f", {noted['device']}"
        line = f"{where}{device}; {noted['threads']} threads; torch {noted['torch']}"
        machines[line] = machines.get(line, 0) + 1
    return "; ".join(f"{count} runs on {line}" for line, count in machines.items()) + "."


PLACES = ("--out", "--runs-dir", "--keras", "--pytorch-gan", "--mimicry")
"""Options that say where, not what: they are left out of the command on a page."""


def command() -> str:
    """The command of this very call, without places."""
    words = sys.argv[1:]
    kept = [
        word
        for word, before in zip(words, ["", *words], strict=False)
        if word not in PLACES and before not in PLACES
    ]
    return shlex.join(["python", f"benchmarks/{Path(sys.argv[0]).name}", *kept])


def write_page(path: Path, title: str, explanation: str, lines: Sequence[str]) -> None:
    """Write a results page: title, what was measured, the command of this very call, the lines."""
    text = explanation.split("    python benchmarks/")[0].strip()
    body = "\n".join(lines)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"# {title}\n\n{text}\n\n    {command()}\n\n{body}\n")

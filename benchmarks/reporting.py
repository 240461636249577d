"""What every benchmark page shares: the machine, and a page with the command that made it."""

from __future__ import annotations

import platform
import shlex
import sys
from collections.abc import Sequence
from datetime import date
from pathlib import Path

import torch


def processor() -> str:
    """The processor's name as the system gives it."""
    info = Path("/proc/cpuinfo")
    names = [
        line.partition(":")[2].strip()
        for line in (info.read_text().splitlines() if info.exists() else [])
        if line.startswith("model name")
    ]
    return f"{names[0]}, {len(names)} cores" if names else platform.processor() or "unknown"


def hardware() -> str:
    """One line: processor, threads, versions, date."""
    device = f", {torch.cuda.get_device_name()}" if torch.cuda.is_available() else ""
    return (
        f"{processor()}{device}; {torch.get_num_threads()} threads; torch {torch.__version__}, "
        f"Python {platform.python_version()}; {date.today().isoformat()}."
    )


def write_page(path: Path, title: str, explanation: str, lines: Sequence[str]) -> None:
    """Write a results page: title, what was measured, the command of this very call, the lines."""
    command = shlex.join(["python", *sys.argv])
    text = explanation.split("    python benchmarks/")[0].strip()
    body = "\n".join(lines)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"# {title}\n\n{text}\n\n    {command}\n\n{body}\n")

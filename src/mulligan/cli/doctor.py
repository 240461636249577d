"""mulligan doctor."""

from __future__ import annotations

from typing import Annotated

from cyclopts import Parameter

from mulligan.cli.train import table


def doctor(
    *, runs_dir: Annotated[str, Parameter(help="folder that holds the runs")] = "runs"
) -> None:
    """Show what this machine offers: versions, device, memory, data at hand."""
    from mulligan.doctor import findings

    print(table(findings(runs_dir)))

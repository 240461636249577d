"""mulligan check: the data doctor."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from mulligan.cli.evaluate import check_out, write


def check(
    data: Annotated[str, Parameter(help="as train takes it")],
    /,
    *,
    size: Annotated[str | None, Parameter(help="as train takes it")] = None,
    channels: Annotated[str | None, Parameter(help="as train takes it")] = None,
    only_label: Annotated[str | None, Parameter(help="as train takes it")] = None,
    recipe: Annotated[str | None, Parameter(help="as train takes it")] = None,
    out: Annotated[str, Parameter(help="also write a page (.html) or all facts (.json)")] = "",
    force: Annotated[bool, Parameter(help="replace what is there", negative=())] = False,
) -> None:
    """Look at data before training on them: sizes, classes, copies, broken files, plan and cost."""
    check_out(out, (".html", ".json"), force)

    from mulligan import checkup, checkup_page

    given = {"size": size, "channels": channels, "only_label": only_label, "recipe": recipe}
    found = checkup.check(data, {name: value for name, value in given.items() if value is not None})
    print(checkup_page.lines(found))
    if out:
        whole = {**found.facts, "remarks": found.remarks}
        text = (
            json.dumps(whole, indent=2) if Path(out).suffix == ".json" else checkup_page.html(found)
        )
        write(out, text)
        print(f"\nwritten to {out}")

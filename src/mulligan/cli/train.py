"""mulligan train: the options become flags, the recipe's knobs are taken as they come."""

from __future__ import annotations

import inspect
import json
import shlex
import sys
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from mulligan.engine.options import OPTIONS
from mulligan.places import launched_ranks
from mulligan.words import one_line

if TYPE_CHECKING:
    from mulligan.engine.plan import Plan

ABOUT = """Train a generator.

Every knob of the recipe is a flag as well, such as --rate 1e-4.
`mulligan train --recipe NAME --help` lists the knobs of a recipe."""


def verb() -> Callable[..., None]:
    """The verb with one flag for each option, so that --help shows each with its sentence."""

    def train(data: str, **given: str | bool) -> None:
        run_training(data, given)

    kinds = inspect.Parameter
    parameters = [
        kinds(
            "data",
            kinds.POSITIONAL_ONLY,
            annotation=Annotated[
                str,
                Parameter(help="a folder of images, a zip, or a name such as digits or 2d:ring"),
            ],
        )
    ]
    for option in OPTIONS:
        silent = option.is_switch or option.default == ""
        sentence = option.sentence if silent else f"{option.sentence} [{option.default}]"
        shape = Parameter(name=option.flag, help=sentence, show_default=False, negative=())
        kind: Any = bool if option.is_switch else str
        annotation: Any = Annotated[kind | None, shape]
        parameters.append(
            kinds(option.name, kinds.KEYWORD_ONLY, default=None, annotation=annotation)
        )
    knobs = Annotated[str, Parameter(show=False)]
    parameters.append(kinds("knobs", kinds.VAR_KEYWORD, annotation=knobs))
    train.__doc__ = ABOUT
    train.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    train.__annotations__ = {entry.name: entry.annotation for entry in parameters}
    return train


def run_training(data: str, given: dict[str, str | bool]) -> None:
    """Plan, then train or, with --dry-run, print the plan."""
    from mulligan.engine.plan import make_plan

    plan = make_plan(data, given)
    leads = launched_ranks()[0] == 0
    for note in plan.data.notes if leads else ():
        print(f"note: {one_line(note)}", file=sys.stderr)
    if plan["dry_run"]:
        if leads:
            print(_as_json(plan) if plan["log"] == "json" else _as_table(plan))
        return

    from mulligan.engine import train as engine
    from mulligan.screen import make_screen

    words = [
        f"--{name.replace('_', '-')} {shlex.quote(shown(value))}" for name, value in given.items()
    ]
    command = " ".join(["mulligan train", shlex.quote(data), *words])
    with make_screen(plan["log"] if leads else "none") as screen:
        engine.train(plan, screen, command)


def shown(value: Any) -> str:
    """A value as one would type it; - for none."""
    if isinstance(value, bool):
        return str(value).lower()
    return "-" if value in (None, "") else str(value)


def table(rows: Sequence[tuple[str, ...]]) -> str:
    """Rows of words in aligned columns, the last one as long as it likes."""
    rows = [tuple(map(one_line, row)) for row in rows]
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]) - 1)]
    return "\n".join(
        "  ".join([*(row[at].ljust(width) for at, width in enumerate(widths)), row[-1]]).rstrip()
        for row in rows
    )


def _as_table(plan: Plan) -> str:
    rows = [("name", "value", "origin", "reason")]
    for name, entry in plan.values.items():
        rows.append((name, shown(entry.value), entry.origin, entry.reason))
    real = plan.data.fields["real"]
    facts = f"{plan.data.name}: {len(plan.data):,} {real}"
    return f"{facts}\nNothing was written. Without --dry-run this would train with:\n\n" + table(
        rows
    )


def _as_json(plan: Plan) -> str:
    values = {
        name: {"value": entry.value, "origin": entry.origin, "reason": entry.reason}
        for name, entry in plan.values.items()
    }
    return json.dumps({"data": plan.data.name, "count": len(plan.data), "values": values})

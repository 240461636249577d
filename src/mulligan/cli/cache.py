"""mulligan cache."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from cyclopts import Parameter

from mulligan.cli.train import table

SHORT = 8  # characters of a key that are shown


def cache(
    *,
    clear: Annotated[str, Parameter(help="remove stores: all, or one by its key")] = "",
) -> None:
    """List the decoded pictures that are kept, the ones used longest ago first, or remove them.

    A run that is using removed pictures goes on; the next one decodes them again.
    """
    from mulligan.data import shelf
    from mulligan.errors import UsageError
    from mulligan.places import shown
    from mulligan.words import amount, counted

    every = shelf.stores()
    if clear:
        gone = [one for one in every if clear == "all" or one.key.startswith(clear)]
        if clear != "all" and len(gone) != 1:
            raise UsageError(
                f"--clear {clear} names {counted(len(gone), 'store')} of {len(every)}",
                "`mulligan cache` lists them; --clear all removes every one",
            )
        gone = [one for one in gone if shelf.remove(one.key)]
        if clear == "all":
            shelf.sweep()
        print(f"removed {counted(len(gone), 'store')}, {amount(sum(one.bytes for one in gone))}")
        return
    rows = [("key", "pictures", "size", "of", "bytes", "last used")]
    rows += [
        (one.key[: SHORT], f"{one.shape[0]:,}",
         "x".join(map(str, one.shape[2:])) + " streamed" * one.streamed, shown(one.source),
         amount(one.bytes), datetime.fromtimestamp(one.used).strftime("%Y-%m-%d %H:%M"))
        for one in every
    ]  # fmt: skip
    print(table(rows) if every else "nothing is kept")
    total = amount(sum(one.bytes for one in every))
    print(f"\n{total} of at most {amount(shelf.MOST_BYTES)} in {shelf.folder()}")

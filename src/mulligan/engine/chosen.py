"""Which checkpoint of a run is meant: the best, the newest, or that of a round."""

from __future__ import annotations

from collections.abc import Callable

from mulligan.engine import checkpoint
from mulligan.engine.checkpoint import Checkpoint
from mulligan.errors import CorruptCheckpoint, UsageError
from mulligan.run import Run


def checkpoint_of(run: Run, which: str | int, warn: Callable[[str], None]) -> Checkpoint:
    """The best, the last or the numbered checkpoint of a run.

    which: "best" by the figure of progress, where there is one, else the newest; "last"; or a
    round. warn: told where a damaged one was passed over.
    Raises UsageError for a round without one, CorruptCheckpoint if none verifies.
    """
    best = run.info().get("best")
    word = str(which)
    if word == "best" and best:
        try:
            return checkpoint.load(run.checkpoints / f"step-{best['round']:07d}", warn)
        except CorruptCheckpoint as problem:
            warn(f"the best checkpoint cannot be used, the newest is: {problem.message}")
    if word in ("best", "last"):
        return checkpoint.load_newest(run.checkpoints, warn)
    rounds = checkpoint.published(run.checkpoints)
    if not word.isdecimal() or int(word) not in rounds:
        raise UsageError(
            f"--checkpoint {word}: run {run.name} has those of the rounds "
            f"{', '.join(map(str, rounds)) or 'none'}",
            "--checkpoint best or last",
        )
    return checkpoint.load(run.checkpoints / f"step-{int(word):07d}", warn)

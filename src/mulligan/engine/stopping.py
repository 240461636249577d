"""Stopping: Ctrl-C and SIGTERM ask for a checkpoint at the current round; a second Ctrl-C exits."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from mulligan.errors import MulliganError
from mulligan.run import Run

SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Stopped(MulliganError):
    """Training was asked to stop and left a checkpoint; exit code 130 or 143."""

    def __init__(self, signal_number: int, run: Run) -> None:
        name = signal.Signals(signal_number).name
        super().__init__(f"stopped by {name}, checkpoint written", f"mulligan resume {run.path}")
        self.exit_code = 128 + signal_number
        self.run = run


class Asked:
    """The signal that asked for a stop, or 0."""

    def __init__(self) -> None:
        self.signal = 0

    def handle(self, number: int, frame: FrameType | None) -> None:
        if self.signal:  # the user means it: leave at once, the last checkpoint is valid
            os._exit(128 + number)
        self.signal = number


@contextmanager
def listening() -> Iterator[Asked]:
    """Turn the first signal into a wish; the former handlers come back afterwards.

    Outside the main thread, where Python allows no handlers, nothing is listened to.
    """
    asked = Asked()
    if threading.current_thread() is not threading.main_thread():
        yield asked
        return
    before = {number: signal.signal(number, asked.handle) for number in SIGNALS}
    try:
        yield asked
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)

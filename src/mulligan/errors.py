"""Errors for users: one line that says what is wrong, one that says what to do, one exit code."""

from __future__ import annotations


class MulliganError(Exception):
    """An error with a message of one line, a suggestion of one line and an exit code.

    message: what is wrong, with the value and what would be right.
    suggestion: what to do, a command where there is one; may be empty.
    """

    exit_code = 1

    def __init__(self, message: str, suggestion: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.suggestion = suggestion

    def __str__(self) -> str:
        return f"{self.message}\n  {self.suggestion}" if self.suggestion else self.message


class UsageError(MulliganError, ValueError):
    """Wrong words on the command line or wrong arguments in Python."""

    exit_code = 2


class Diverged(MulliganError):
    """Training produced a value that is not finite, or failed after all retries."""

    exit_code = 3


class DataError(MulliganError, ValueError):
    """The data are missing, unreadable, or do not fit the recipe."""

    exit_code = 4


class CorruptCheckpoint(MulliganError):
    """No checkpoint could be verified."""

    exit_code = 5


class StorageError(MulliganError, OSError):
    """The disk is full, a folder cannot be written, a file cannot be read."""

    exit_code = 74

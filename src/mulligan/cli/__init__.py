"""The command line: verbs, and what is said when something goes wrong. No work is done here.

`--help` must answer at once, so nothing heavy is imported before a verb has its arguments.
"""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

from cyclopts import App, CycloptsError

from mulligan import __version__
from mulligan.catalogue import USERS
from mulligan.cli import cache, check, doctor, evaluate, recipes, runs, train
from mulligan.cli.tokens import VERBS, explain, take_debug, tidy
from mulligan.disk import storage_error
from mulligan.errors import MulliganError
from mulligan.words import one_line

ABOUT = """A GAN toolkit: from images to a trained, portable generator in one command.

Start with `mulligan train digits`, `mulligan train 2d:ring` or `mulligan train FOLDER`."""


def build_app() -> App:
    """The verbs as a cyclopts application."""
    app = App(
        name="mulligan",
        help=ABOUT,
        help_formatter="plain",
        help_format="plaintext",  # markdown would cost a tenth of the time that help may take
        version=__version__,
        suppress_keyboard_interrupt=False,
    )
    verbs: dict[str, Callable[..., None]] = {
        "train": train.verb(),
        "resume": runs.resume,
        "sample": runs.sample,
        "evaluate": evaluate.evaluate,
        "compare": evaluate.compare,
        "check": check.check,
        "runs": runs.list_runs,
        "recipes": recipes.recipes,
        "doctor": doctor.doctor,
        "cache": cache.cache,
    }
    assert tuple(verbs) == VERBS
    for name, verb in verbs.items():
        app.command(verb, name=name)
    return app


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code.

    arguments: what was typed after `mulligan`; None takes it from the process.
    0 done, 2 usage, 3 diverged, 4 data, 5 corrupt checkpoint, 74 input or output, 130 and 143
    stopped by a signal, 1 an error of mulligan itself.
    """
    words, debug = take_debug(list(sys.argv[1:] if arguments is None else arguments))
    try:
        return _run(tidy(words))
    except BaseException as error:
        if debug and not isinstance(error, SystemExit):
            traceback.print_exc()
        return _report(error, words)


def _run(words: list[str]) -> int:
    app = build_app()
    app(words, exit_on_error=False, print_error=False, result_action="return_value")
    if words[:1] == ["train"] and {"--help", "-h"} & set(words):
        recipes.print_knobs_asked_for(words)
    sys.stdout.flush()
    return 0


def _report(error: BaseException, words: list[str]) -> int:
    """Say what is wrong in one line and what to do in another; returns the exit code."""
    if isinstance(error, SystemExit):
        return error.code if isinstance(error.code, int) else 1
    if isinstance(error, BrokenPipeError):
        return _reader_left()
    if isinstance(error, KeyboardInterrupt):
        return _say("stopped", "", 130)
    if isinstance(error, CycloptsError):
        return _say(*explain(error, words), 2)
    if isinstance(error, MulliganError):
        return _say(error.message, error.suggestion or _usual(error), error.exit_code)
    if isinstance(error, OSError) and error.strerror:
        place = error.filename or "input or output failed"
        hint = storage_error(error, Path()).suggestion
        return _say(f"{place}: {error.strerror}", hint, 74)
    if type(error).__name__ == "OutOfMemoryError":
        return _say("the device has not enough memory", "add --pieces 2, or lower --batch", 1)
    line = " ".join(f"{type(error).__name__}: {error}".split())
    if place := _in_users_recipe(error):
        return _say(f"{place}: {line}", "mend the file; --debug shows the traceback", 2)
    return _say(f"internal error: {line}", "run again with --debug for the traceback", 1)


def _in_users_recipe(error: BaseException) -> str:
    """The last line of a user's own recipe that an error passed through; empty if it did not."""
    modules = [module for name, module in sys.modules.items() if name.startswith(USERS)]
    files = {module.__file__ for module in modules}
    frames = [f for f in traceback.extract_tb(error.__traceback__) if f.filename in files]
    return f"{frames[-1].filename}, line {frames[-1].lineno}" if frames else ""


def _usual(error: MulliganError) -> str:
    """What helps with most errors of this kind, for one that brings no suggestion of its own."""
    if "\n" in error.message:  # several problems, each with its own
        return ""
    return {
        2: "`mulligan --help` lists the verbs, `mulligan VERB --help` their flags",
        4: "`mulligan doctor` lists the data sets by name; anything else is a folder or a file",
        5: "restore the folder from a copy, or use another checkpoint",
        74: "check that the path is right and the disk is well",
    }.get(error.exit_code, "")


def _say(message: str, suggestion: str, code: int) -> int:
    with suppress(OSError):  # nobody may be listening any more
        lines = "\n".join(map(one_line, message.split("\n")))
        print(f"mulligan: {lines}", file=sys.stderr)
        if suggestion:
            print(f"  {one_line(suggestion)}", file=sys.stderr)
    return code


def _reader_left() -> int:
    """End quietly when the reader of a pipe has gone, as in `mulligan runs | head -1`."""
    with suppress(OSError):  # else the interpreter's own flush at exit fails
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
        os.close(nowhere)
    return 128 + 13

"""The words on the command line: before cyclopts reads them, and when it cannot."""

from __future__ import annotations

from typing import Any

from cyclopts import CycloptsError, MissingArgumentError, UnknownCommandError, UnknownOptionError
from cyclopts.exceptions import RepeatArgumentError, UnusedCliTokensError

from mulligan.catalogue import nearest
from mulligan.engine.options import OPTIONS

VERBS = (
    "train", "resume", "sample", "evaluate", "compare", "check", "runs", "recipes", "doctor",
    "cache",
)  # fmt: skip
SWITCHES = {option.flag for option in OPTIONS if option.is_switch}
USAGE = {
    "train": "mulligan train DATA [--flag value]",
    "resume": "mulligan resume RUN [--images +100k]",
    "sample": "mulligan sample RUN --out grid.png",
    "evaluate": "mulligan evaluate RUN|FOLDER [DATA]",
    "compare": "mulligan compare RUN RUN ...",
    "check": "mulligan check DATA [--out page.html]",
    "runs": "mulligan runs [--runs-dir runs]",
    "recipes": "mulligan recipes [NAME]",
    "doctor": "mulligan doctor",
    "cache": "mulligan cache [--clear all|KEY]",
}
NEEDS = {
    "train": "DATA: a folder of images, a zip, or a name such as digits or 2d:ring",
    "check": "DATA: a folder of images, a zip, or a name such as digits",
    "resume": "RUN: a path, a name, the beginning of a name, or @last",
    "sample": "RUN: a path, a name, the beginning of a name, or @last",
    "evaluate": "RUN or FOLDER: a run, or a folder, zip or .npz of images",
}


def take_debug(words: list[str]) -> tuple[list[str], bool]:
    """The words without --debug, and whether it was there. It is understood with every verb."""
    joined = tidy(words)
    rest = [word for word in joined if not word.startswith("--debug=")]
    return rest, "--debug=true" in joined


def tidy(words: list[str]) -> list[str]:
    """The words with switches spelled out: --compile, --compile true and --no-compile.

    Options with underscores are accepted. What follows a bare -- is left as it is.
    """
    found: list[str] = []
    index = 0
    while index < len(words):
        word = words[index]
        if word == "--":
            return found + words[index:]
        name, equals, value = word.partition("=")
        flag = name.replace("_", "-") if name.startswith("--") else name
        if flag == "--from":  # a word that Python keeps for itself
            word = word.replace("--from", "--from-run", 1)
        positive = "--" + flag.removeprefix("--no-")
        if flag in SWITCHES and not equals:
            value = "true"
            if words[index + 1 : index + 2] and words[index + 1].lower() in ("true", "false"):
                index += 1
                value = words[index].lower()
            word = f"{flag}={value}"
        elif flag.startswith("--no-") and positive in SWITCHES and not equals:
            word = f"{positive}=false"
        found.append(word)
        index += 1
    return found


def explain(error: CycloptsError, words: list[str]) -> tuple[str, str]:
    """(what is wrong, what to do) for words that cyclopts could not place."""
    verb = words[0] if words and words[0] in VERBS else ""
    usage = USAGE.get(verb, "mulligan --help")
    more = f"{usage}; `mulligan {verb} --help` lists all flags"
    if isinstance(error, UnknownCommandError):
        return _unknown_verb(words[0])
    if isinstance(error, MissingArgumentError):
        name = _name(error)
        if name.startswith("-"):
            return f"{name} needs a value", more
        return f"{verb} needs {NEEDS.get(verb, name)}", more
    if isinstance(error, UnknownOptionError):
        typed = (error.token.keyword or error.token.value).partition("=")[0]
        known = [name for argument in error.argument_collection for name in argument.names]
        close = nearest(typed, [name for name in known if name.startswith("--")])
        return f"unknown option {typed}", f"did you mean {close}?" if close else more
    if isinstance(error, UnusedCliTokensError):
        extra = " ".join(error.unused_tokens or [])
        return f"too many words for {verb}: {extra!r} cannot be placed", more
    if isinstance(error, RepeatArgumentError):
        return f"{_name(error)} is given twice", "leave one of the two"
    error.verbose = False
    return " ".join(str(error).split()), more


def _unknown_verb(word: str) -> tuple[str, str]:
    if word.startswith("-"):
        return f"unknown option {word}", f"verbs come first: mulligan {'|'.join(VERBS)}"
    close = nearest(word, VERBS)
    hint = f"did you mean `mulligan {close}`? " if close else ""
    return f"unknown verb {word!r}", f"{hint}The verbs are {', '.join(VERBS)}"


def _name(error: Any) -> str:
    """The flag or the argument that an error of cyclopts is about, as it was typed if it was."""
    token = getattr(error, "token", None)
    if token is not None and token.keyword:
        return str(token.keyword)
    if getattr(error, "keyword", None):
        return str(error.keyword)
    return str(error.argument.name) if error.argument is not None else "an argument"

"""Where the values of a run come from: defaults < preset < config file < flags.

A layer is one of these sources. All problems with them are collected and raised together.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from mulligan.catalogue import nearest
from mulligan.engine.options import BY_NAME, ONCE
from mulligan.errors import DataError, MulliganError, UsageError

Origin = Literal["default", "preset", "config", "flag"]


@dataclass(frozen=True)
class Value:
    """A resolved value, the layer it comes from, and why it is this one, in one sentence."""

    value: Any
    origin: Origin
    reason: str


@dataclass
class Problems:
    """What is wrong with a request, found one by one and raised at once."""

    found: list[MulliganError] = field(default_factory=list)

    def add(self, message: str, suggestion: str = "") -> None:
        self.take(UsageError(message, suggestion))

    def take(self, error: MulliganError) -> None:
        """Note an error, unless the same one was noted before."""
        if all(error.message != other.message for other in self.found):
            self.found.append(error)

    def raise_any(self) -> None:
        """Raise the one problem, or all as one error with a line each.

        Several are a UsageError, unless all are about the data.
        """
        if not self.found:
            return
        if len(self.found) == 1:
            raise self.found[0]
        lines = [
            f"{error.message} ({error.suggestion})" if error.suggestion else error.message
            for error in self.found
        ]
        kind = DataError if all(isinstance(e, DataError) for e in self.found) else UsageError
        raise kind(f"{len(lines)} problems:\n" + "\n".join(f"- {line}" for line in lines))


@dataclass(frozen=True)
class Layer:
    """One source of values. where: what it is called in messages."""

    origin: Origin
    where: str
    values: Mapping[str, Any]
    reason: str
    from_run: bool = False

    def say(self, name: str, value: Any) -> str:
        """The value as the user wrote it: "--penalty -3", or "penalty = -3 in my.toml"."""
        if self.origin == "flag":
            return f"--{name.replace('_', '-')} {value}"
        return f"{name} = {value} in {self.where}"


@dataclass
class Layers:
    """All layers, the weakest first."""

    stack: list[Layer]
    problems: Problems

    def find(self, name: str) -> Layer | None:
        """The strongest layer that has this name."""
        return next((layer for layer in reversed(self.stack) if name in layer.values), None)

    def option(self, name: str) -> Value:
        """An option's value as given, or its default; a value that cannot be read is a problem."""
        option, layer = BY_NAME[name], self.find(name)
        if layer is not None:
            given = layer.values[name]
            try:
                return Value(option.parse(given), layer.origin, layer.reason)
            except ValueError as error:
                self.problems.add(f"{layer.say(name, given)} {error}", f"{name}: {option.sentence}")
        return Value(option.default, "default", "the default")

    def check_names(self, knobs: Iterable[str], recipe: str) -> None:
        """Report every given name that is neither an option nor one of the knobs.

        recipe: whose knobs they are; empty if the recipe is not known.
        """
        known = [*BY_NAME, *knobs]
        for layer in self.stack:
            for name in layer.values:
                if name in known or layer.origin not in ("config", "flag"):
                    continue
                close = nearest(name, known)
                shown = f"--{name.replace('_', '-')}" if layer.origin == "flag" else name
                place = "" if layer.origin == "flag" else f" in {layer.where}"
                flag = f"--{close.replace('_', '-')}" if close and not place else close
                hint = f"did you mean {flag}? " if flag else ""
                whose = (
                    f"recipe {recipe} has no such knob" if recipe else "no recipe has such a knob"
                )
                self.problems.add(
                    f"unknown option {shown}{place}: {whose}",
                    f"{hint}`mulligan recipes {recipe or 'NAME'}` lists the knobs",
                )


def flags_layer(given: Mapping[str, Any]) -> Layer:
    """The strongest layer. Names may be written with dashes; None means not given."""
    tidy = {name.replace("-", "_"): value for name, value in given.items() if value is not None}
    return Layer("flag", "the flags", tidy, "given")


def config_layer(path: Path, problems: Problems) -> Layer:
    """The layer of a TOML file: values at top level or in [values], as a run's config.toml has.

    A file that cannot be read, the key `data` and options that ask for one thing once are problems.
    """
    values: dict[str, Any] = {}
    try:
        plain = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        problems.add(f"cannot read {path}: {error.strerror}", "give --config a TOML file")
        plain = {}
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        problems.add(f"{path} is not TOML: {error}", "mend the file")
        plain = {}
    inner = plain.pop("values", {})
    for table in ("origin", "reason"):
        plain.pop(table, None)
    for name, value in [*plain.items(), *(inner.items() if isinstance(inner, dict) else ())]:
        tidy = name.replace("-", "_")
        if tidy == "data":
            problems.add(f"`data` cannot stand in {path}", "the data set is train's first argument")
        elif tidy in ONCE and value != BY_NAME[tidy].default:
            problems.add(f"`{name}` cannot stand in {path}", f"give {BY_NAME[tidy].flag} as a flag")
        elif tidy in values:
            problems.add(f"`{name}` stands twice in {path}", "leave one of the two")
        elif tidy not in ONCE:
            values[tidy] = value
    return Layer("config", str(path), values, "from the config file", bool(inner))

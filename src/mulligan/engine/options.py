"""The options of a run: one list for the command line's help, its checks and the documentation.

Nothing heavy is imported here, so that `--help` answers at once. Each option reads a string (from
the command line or a file) or a Python value, and says what is wrong as the end of a sentence.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

AUTO = "auto"
SUFFIXES = {"": 1, "k": 1_000, "m": 1_000_000, "g": 1_000_000_000}
SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}
TRUE, FALSE = ("true", "yes", "on", "1"), ("false", "no", "off", "0")


@dataclass(frozen=True)
class Option:
    """One option of a run.

    default: its value, or "auto" where it is computed. sentence: what it means, with its unit.
    read: from what was given to a value; raises ValueError with the end of a sentence.
    stored: it is part of what the run computes and belongs in config.toml.
    """

    name: str
    default: Any
    sentence: str
    read: Callable[[Any], Any]
    stored: bool = True

    @property
    def flag(self) -> str:
        """As typed on the command line: runs_dir is --runs-dir."""
        return "--" + self.name.replace("_", "-")

    @property
    def is_switch(self) -> bool:
        """Whether it is true or false, so that the bare flag means true."""
        return isinstance(self.default, bool)

    def parse(self, given: Any) -> Any:
        """The value, or "auto". Raises ValueError: "is too low: it must be at least 1"."""
        if given is None:
            return self.default
        if self.default == AUTO and str(given).strip().lower() == AUTO:
            return AUTO
        return self.read(given)


def number(given: Any) -> float:
    """A finite number; "1e-3", 0.001."""
    try:
        value = float(given)
    except (TypeError, ValueError):
        raise ValueError("is not a number") from None
    if isinstance(given, bool) or not math.isfinite(value):
        raise ValueError("is not a finite number")
    return value


def within(value: float, low: float, high: float) -> None:
    """Refuse a value outside of [low, high]. Raises ValueError."""
    if value < low:
        raise ValueError(f"is too low: it must be at least {low:g}")
    if value > high:
        raise ValueError(f"is too high: it must be at most {high:,.12g}")


def whole(low: int, high: float) -> Callable[[Any], int]:
    """A reader of whole numbers in [low, high]; digits may be grouped: 1_000."""

    def read(given: Any) -> int:
        try:
            exact = type(given) in (int, str)  # a float cannot hold every seed
            value = int(given) if exact else number(given)
        except ValueError:
            raise ValueError("is not a whole number") from None
        if value != int(value):
            raise ValueError("is not a whole number")
        within(value, low, high)
        return int(value)

    return read


def share(given: Any) -> float:
    """A share between 0 and a half; 0.05 or 5%."""
    text = str(given).strip()
    value = number(text[:-1]) / 100 if text.endswith("%") else number(given)
    within(value, 0, 0.5)
    return value


def text(given: Any) -> str:
    """Any words."""
    return str(given)


def folder_name(given: Any) -> str:
    """One folder's name: no separators, no leading dot, at most 100 characters."""
    value = str(given)
    if value and not re.fullmatch(r"[\w@+-][\w@+. -]{0,99}", value):
        raise ValueError("is no folder name: use letters, digits, - and _")
    if value.startswith("@"):
        raise ValueError("is no folder name: names with @ stand for runs, such as @last")
    return value


def one_of(*choices: str) -> Callable[[Any], str]:
    """A reader of one of these words."""

    def read(given: Any) -> str:
        value = str(given).strip().lower()
        if value not in choices:
            raise ValueError(f"is none of {', '.join(choices)}")
        return value

    return read


def switch(given: Any) -> bool:
    """True or false."""
    value = str(given).strip().lower()
    if value not in TRUE + FALSE:
        raise ValueError("is neither true nor false")
    return value in TRUE


def size(given: Any) -> tuple[int, int]:
    """(height, width) in pixels; 64, "48x64" or a pair."""
    if isinstance(given, (tuple, list)):
        parts = [str(part) for part in given]
    else:
        parts = str(given).strip().lower().split("x")
    if len(parts) not in (1, 2) or not all(part.isascii() and part.isdigit() for part in parts):
        raise ValueError("is no size: give 64, or 48x64 for height x width")
    height, width = int(parts[0]), int(parts[-1])
    within(min(height, width), 4, 4096)
    within(max(height, width), 4, 4096)
    return height, width


def images(given: Any) -> int:
    """A count of images; 400000, "400k" or "2.5m"."""
    match = re.fullmatch(r"([-+]?[\d_.,]+(?:e\d+)?)([kmg]?)", str(given).strip().lower())
    if not match:
        raise ValueError("is no number of images: give 400000, 400k or 2.5m")
    try:
        value = float(match[1].replace(",", "")) * SUFFIXES[match[2]]
    except ValueError:
        raise ValueError("is no number of images: give 400000, 400k or 2.5m") from None
    within(value, 1, 1e12)
    return round(value)


def seconds(given: Any) -> float:
    """A length of time in seconds; 90, "60s", "3m30s" or "1.5h"; 0 for none."""
    if given == "":
        return 0.0
    text = str(given).strip().lower()
    part = r"(\d+\.?\d*|\.\d+)([smhd])"
    if re.fullmatch(r"\d+\.?\d*|\.\d+", text):
        value = float(text)
    elif re.fullmatch(f"({part})+", text):
        value = sum(float(count) * SECONDS[unit] for count, unit in re.findall(part, text))
    else:
        raise ValueError("is no length of time: give 90 (seconds), 60s, 3m30s or 1.5h")
    within(value, 1, 30 * 86_400)
    return value


def channels(given: Any) -> int:
    """1, 3 or 4."""
    return int(one_of("1", "3", "4")(given))


def device(given: Any) -> str:
    """cpu, cuda, cuda:N or mps."""
    value = str(given).strip().lower()
    if not re.fullmatch(r"cpu|mps|cuda(:\d+)?", value):
        raise ValueError("is none of cpu, cuda, cuda:0, mps")
    return value


def _time(given: Any) -> str:
    seconds(given)  # checked here, kept as it was written
    return str(given)


OPTIONS: tuple[Option, ...] = (
    Option("recipe", AUTO, "the system to train: a name, or the path of your own .py file", text),
    Option("preset", "", "a named configuration of the recipe", text),
    Option("size", AUTO, "size of the images in pixels: 64, or 48x64 for height x width", size),
    Option("channels", AUTO, "1 (grey), 3 (colour) or 4 (colour with alpha)", channels),
    Option("images", AUTO, "how many images to train on, repeats counted: 400k, 2.5m", images),
    Option("time", "", "train for about this long instead: 90, 60s, 3m30s, 1.5h", _time),
    Option("batch", AUTO, "images in one update", whole(1, 65_536)),
    Option("pieces", 1, "work a batch through in so many pieces, to save memory", whole(1, 65_536)),
    Option("seed", 0, "number that all chance is drawn from", whole(0, 2**63 - 1)),
    Option("device", AUTO, "where to compute: cpu, cuda, cuda:1 or mps", device),
    Option(
        "precision",
        AUTO,
        "numbers to compute with: float32, bfloat16 (mixed) or float64",
        one_of("float32", "bfloat16", "float64"),
    ),
    Option("name", "", "name of the run; data, recipe and a number if empty", folder_name, False),
    Option("runs_dir", "runs", "folder that holds the runs", text, False),
    Option("only_label", "", "train on the images of this class alone", text),
    Option("held_out", AUTO, "share of images that no discriminator ever sees", share),
    Option("tick", AUTO, "rounds between two log lines and previews", whole(1, 1e9)),
    Option("save_every", AUTO, "ticks between two checkpoints", whole(1, 1e6)),
    Option("compile", False, "compile the networks: a slow start, then faster", switch),
    Option("trace", False, "write each update's losses and samples to trace.jsonl", switch),
    Option(
        "log",
        AUTO,
        "what to show: rich, plain, json or none",
        one_of("rich", "plain", "json", "none"),
        False,
    ),
    Option("force", False, "replace a run of the same name", switch, False),
    Option("dry_run", False, "show what would be done with the reasons, and stop", switch, False),
    Option("config", "", "a TOML file of values, such as a run's config.toml", text, False),
    Option("debug", False, "show the traceback of an error", switch, False),
)
BY_NAME = {option.name: option for option in OPTIONS}
ONCE = ("force", "dry_run", "config", "debug")
"""Options that ask for one thing once, so that no file may hold them."""

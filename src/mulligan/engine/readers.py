"""From what was typed, or a Python value, to a value of an option.

Each reader says what is wrong as the end of a sentence: "is too low: it must be at least 1".
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from typing import Any

SUFFIXES = {"": 1, "k": 1_000, "m": 1_000_000, "g": 1_000_000_000}
SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}
TRUE, FALSE = ("true", "yes", "on", "1"), ("false", "no", "off", "0")


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


def colour(given: Any) -> str:
    """white, black, grey, or red, green and blue as #rrggbb."""
    value = str(given).strip().lower()
    if value not in ("white", "black", "grey") and not re.fullmatch(r"#[0-9a-f]{6}", value):
        raise ValueError("is no colour: give white, black, grey, or #rrggbb such as #88aaff")
    return value


def device(given: Any) -> str:
    """cpu, cuda, cuda:N or mps."""
    value = str(given).strip().lower()
    if not re.fullmatch(r"cpu|mps|cuda(:\d+)?", value):
        raise ValueError("is none of cpu, cuda, cuda:0, mps")
    return value


def length(given: Any) -> str:
    seconds(given)  # checked here, kept as it was written
    return str(given)

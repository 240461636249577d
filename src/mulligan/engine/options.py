"""The options of a run: one list for the command line's help, its checks and the documentation.

Nothing heavy is imported here, so that `--help` answers at once. Each option reads a string (from
the command line or a file) or a Python value, and says what is wrong as the end of a sentence.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from mulligan.engine.readers import (
    channels,
    colour,
    device,
    folder_name,
    images,
    length,
    one_of,
    share,
    size,
    switch,
    text,
    whole,
)

AUTO = "auto"


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


OPTIONS: tuple[Option, ...] = (
    Option("recipe", AUTO, "the system to train: a name, or the path of your own .py file", text),
    Option("preset", "", "a named configuration of the recipe", text),
    Option("size", AUTO, "size of the images in pixels: 64, or 48x64 for height x width", size),
    Option(
        "fit",
        "crop",
        "how pictures get that shape: crop (the centre), random (a part) or pad (the whole)",
        one_of("crop", "random", "pad"),
    ),
    Option(
        "background",
        AUTO,
        "colour behind what is transparent and beside padded pictures: white, black, #88aaff",
        colour,
    ),
    Option("channels", AUTO, "1 (grey), 3 (colour) or 4 (colour with alpha)", channels),
    Option("images", AUTO, "how many images to train on, repeats counted: 400k, 2.5m", images),
    Option("time", "", "train for about this long instead: 90, 60s, 3m30s, 1.5h", length),
    Option("batch", AUTO, "images in one update", whole(1, 65_536)),
    Option(
        "pieces", AUTO, "work a batch through in so many pieces, to save memory", whole(1, 65_536)
    ),
    Option("seed", 0, "number that all chance is drawn from", whole(0, 2**63 - 1)),
    Option("device", AUTO, "where to compute: cpu, cuda, cuda:1 or mps", device),
    Option(
        "precision",
        AUTO,
        "numbers to compute with: float32, bfloat16 (mixed) or float64",
        one_of("float32", "bfloat16", "float64"),
    ),
    Option("threads", AUTO, "threads of the processor to compute on", whole(1, 1024)),
    Option("from_run", "", "a trained run of the same shape to start from (--from RUN)", text),
    Option("name", "", "name of the run; data, recipe and a number if empty", folder_name, False),
    Option("runs_dir", "runs", "folder that holds the runs", text, False),
    Option("only_label", "", "train on the images of this class alone", text),
    Option("held_out", AUTO, "share of images that no discriminator ever sees", share),
    Option("tick", AUTO, "rounds between two log lines and previews", whole(1, 1e9)),
    Option("save_every", AUTO, "ticks between two checkpoints", whole(1, 1e6)),
    Option(
        "keep_every",
        10,
        "checkpoints from one that stays for good to the next; 0 lets none stay",
        whole(0, 1e6),
    ),
    Option(
        "evaluate_every",
        AUTO,
        "ticks between two evaluations of the twin; 0 for none",
        whole(0, 1e6),
    ),
    Option(
        "patience",
        AUTO,
        "stop after so many evaluations without a gain; 0 never stops",
        whole(0, 1e6),
    ),
    Option(
        "extractor",
        AUTO,
        "network that evaluations look through, such as inception",
        text,
    ),
    Option("weights", "", "file with the extractor's weights, where it ships none", text),
    Option("compile", False, "compile the networks: a slow start, then faster", switch),
    Option(
        "tensorboard",
        False,
        "also write event files for TensorBoard into the run's folder",
        switch,
    ),
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

"""mulligan evaluate and compare: figures of runs and folders as tables, pages and JSON."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter

from mulligan.engine import readers
from mulligan.engine.options import Option
from mulligan.errors import UsageError
from mulligan.features.names import EXTRACTORS, RESIZES
from mulligan.words import one_line

RUNS_DIR = Parameter(help="folder that holds the runs")
TARGET = Parameter(help="a run (path, name, @last), or a folder, zip or .npz of images")
LENSES = Parameter(help=f"what figures look through: auto, {', '.join(EXTRACTORS)}")
SEED = Parameter(help="number that all chance is drawn from")


def evaluate(
    target: Annotated[str, TARGET],
    data: Annotated[str | None, Parameter(help="real data; a run knows its own")] = None,
    /,
    *,
    extractor: Annotated[str, LENSES] = "auto",
    weights: Annotated[str, Parameter(help="file with the extractor's weights")] = "",
    download: Annotated[
        bool, Parameter(help="fetch the weights of inception", negative=())
    ] = False,
    resize: Annotated[str, Parameter(help=f"one of {', '.join(RESIZES)}")] = "antialiased",
    split: Annotated[
        str, Parameter(help="real rows: auto, test, held-out (of training) or train")
    ] = "auto",
    count: Annotated[str, Parameter(help="rows of each side at most")] = "10000",
    seed: Annotated[str, SEED] = "0",
    probe: Annotated[
        bool, Parameter(help="train a fresh critic on real against generated", negative=())
    ] = False,
    checkpoint: Annotated[str, Parameter(help="best, last, or the round of one")] = "best",
    device: Annotated[str, Parameter(help="cpu, cuda, cuda:1 or mps")] = "cpu",
    out: Annotated[str, Parameter(help="also write the figures to this .json")] = "",
    runs_dir: Annotated[str, RUNS_DIR] = "runs",
    force: Annotated[bool, Parameter(help="replace what is there", negative=())] = False,
) -> None:
    """Figures of a run, or of a folder of images, against real data, each with its interval.

    The column "training images" is what real images would get: what zero means.
    """
    number = read("count", count, readers.whole(1, 1_000_000))
    chance = read("seed", seed, readers.whole(0, 2**63 - 1))
    device = read("device", device, readers.device)
    check_out(out, (".json",), force)

    from mulligan.appraisal import evaluate as evaluated

    _check_device(device)
    found = evaluated(
        target, data, runs_dir=runs_dir, warn=_warn, extractor=extractor, weights=weights,
        download=download, resize=resize, split=split, count=number, seed=chance, probe=probe,
        device=device, checkpoint=checkpoint,
    )  # fmt: skip
    print(found)
    if out:
        write(out, json.dumps(found.to_json(), indent=2))


def compare(
    *targets: Annotated[str, Parameter(help="two runs or more")],
    data: Annotated[str | None, Parameter(help="real data; else those of the first run")] = None,
    extractor: Annotated[str, LENSES] = "auto",
    weights: Annotated[str, Parameter(help="file with the extractor's weights")] = "",
    count: Annotated[str, Parameter(help="rows of each side at most")] = "10000",
    seed: Annotated[str, SEED] = "0",
    out: Annotated[str, Parameter(help="the page with table, grids and curves")] = "compare.html",
    runs_dir: Annotated[str, RUNS_DIR] = "runs",
    force: Annotated[bool, Parameter(help="replace what is there", negative=())] = False,
) -> None:
    """Runs beside each other under one protocol: a table, grids of the same seed, curves."""
    number = read("count", count, readers.whole(1, 1_000_000))
    chance = read("seed", seed, readers.whole(0, 2**63 - 1))
    if len(targets) < 2:
        raise UsageError("there is nothing to compare", "name two runs: mulligan compare A B")
    check_out(out, (".html",), force)

    from mulligan.comparison import compare as compared

    found = compared(
        targets, data, runs_dir=runs_dir, extractor=extractor, weights=weights, count=number,
        seed=chance,
    )  # fmt: skip
    print(found)
    print(f"\npage {found.save(out, force=force)}")


def read(name: str, given: str, reader: Any) -> Any:
    """The value of a flag. Raises UsageError with what it must be."""
    try:
        return Option(name, None, name, reader).parse(given)
    except ValueError as problem:
        raise UsageError(f"--{name} {given} {problem}") from None


def check_out(out: str, endings: tuple[str, ...], force: bool) -> None:
    """Refuse before the work what could not be written after it."""
    if not out:
        return
    path = Path(out)
    if path.suffix not in endings:
        raise UsageError(
            f"--out {out} must end in {endings[0]}", f"--out {path.with_suffix(endings[0])}"
        )
    if path.exists() and not force:
        raise UsageError(f"{out} exists", "choose another name with --out, or add --force")


def _check_device(device: str) -> None:
    """Refuse a device that this machine does not have."""
    from mulligan.engine.choose import check_device
    from mulligan.engine.layers import Problems

    problems = Problems()
    check_device(device, problems)
    problems.raise_any()


def _warn(text: str) -> None:
    print(f"warning: {one_line(text)}", file=sys.stderr)


def write(out: str, text: str) -> None:
    from mulligan.disk import replace, reporting

    with reporting(Path(out)):
        Path(out).parent.mkdir(parents=True, exist_ok=True)
    replace(Path(out), f"{text}\n".encode())

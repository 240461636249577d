"""mulligan resume, sample and runs: the verbs whose target is a run."""

from __future__ import annotations

import shlex
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from mulligan.catalogue import nearest
from mulligan.cli.train import shown, table
from mulligan.engine import options, readers
from mulligan.errors import UsageError
from mulligan.places import is_found_anywhere, launched_ranks
from mulligan.words import one_line

if TYPE_CHECKING:
    from mulligan.run import Run

RUN = Parameter(help="a path, a name, the beginning of a name, or @last")
RUNS_DIR = Parameter(help="folder that holds the runs", show_default=True)


def resume(
    run: Annotated[str, RUN],
    /,
    *,
    images: Annotated[str | None, Parameter(help="a new total (600k), or more (+100k)")] = None,
    device: Annotated[str | None, Parameter(help="compute there instead; not exact")] = None,
    runs_dir: Annotated[str, RUNS_DIR] = "runs",
    log: Annotated[str, Parameter(help="what to show: rich, plain, json or none")] = "auto",
    **others: Annotated[str, Parameter(show=False)],
) -> None:
    """Go on with a run exactly where it stood.

    A resumed run keeps its settings; only its length and its device may change.
    """
    from mulligan.run import Run

    if images is not None:
        _read("images", images.removeprefix("+"), "--images", images)
    if device is not None:
        device = _read("device", device, "--device", device)
        device = None if device == options.AUTO else device
    log = _read("log", log, "--log", log)
    found = Run.find(run, Path(runs_dir))
    _refuse_changes(found, others)

    from mulligan.engine import train as engine
    from mulligan.screen import make_screen

    leads = launched_ranks()[0] == 0
    with make_screen(log if leads else "none") as screen:
        engine.resume(found, screen, images, device)


def sample(
    run: Annotated[str, RUN],
    /,
    *,
    out: Annotated[str, Parameter(help="grid.png, x.npz or folder/")] = "samples.png",
    count: Annotated[str, Parameter(help="how many samples")] = "64",
    seed: Annotated[str, Parameter(help="number that all chance is drawn from")] = "0",
    label: Annotated[str | None, Parameter(help="class name or number, if it has classes")] = None,
    checkpoint: Annotated[str, Parameter(help="best, last, or the round of one")] = "best",
    runs_dir: Annotated[str, RUNS_DIR] = "runs",
    force: Annotated[bool, Parameter(help="replace what is there", negative=())] = False,
) -> None:
    """Draw samples from a trained run; RUN may also be one of its checkpoints."""
    number = options.Option("count", 64, "how many samples", readers.whole(1, 1_000_000))
    wanted = _read(number, count, "--count", count)
    chance = _read("seed", seed, "--seed", seed)
    if Path(out).exists() and not force:
        raise UsageError(f"{out} exists", "choose another name with --out, or add --force")

    from mulligan.model import load

    def warn(text: str) -> None:
        print(f"warning: {one_line(text)}", file=sys.stderr)

    model = load(run, runs_dir=runs_dir, warn=warn, checkpoint=checkpoint)
    samples = model.sample(wanted, seed=chance, label=label)
    print(f"{wanted} samples in {samples.save(out, force=force)}")


def list_runs(*, runs_dir: Annotated[str, RUNS_DIR] = "runs") -> None:
    """List the runs, oldest first."""
    from mulligan.run import Run

    runs = Run.all(Path(runs_dir))
    if not runs:
        print(f"no runs in {runs_dir}; `mulligan train digits` makes one")
        return
    rows = [("run", "status", "recipe", "data", "images", "size", "age")]
    print(table([*rows, *(_line(run) for run in runs)]))


def _line(run: Run) -> tuple[str, ...]:
    info = run.info()
    status = info["status"]
    if run.abandoned() and status == "running":
        status = "crashed"  # its process died without a word
    images = f"{info.get('images', 0):,}/{info.get('total', 0):,}"
    words = (status, shown(info.get("recipe")), shown(info.get("data")), images)
    return (run.name, *words, _size(run.path), _age(info["created"]))


def _size(folder: Path) -> str:
    """What a folder takes on the disk, in words."""
    count = 0.0
    for path in folder.rglob("*"):
        try:
            count += path.stat().st_size if path.is_file() else 0
        except OSError:  # a checkpoint that its writer has just removed
            continue
    for unit in ("B", "kB", "MB"):
        if count < 1000:
            return f"{count:.0f} {unit}"
        count /= 1000
    return f"{count:.1f} GB"


def _age(created: str) -> str:
    """How long ago, in the largest unit that fits."""
    made = datetime.fromisoformat(created)
    made = made if made.tzinfo else made.replace(tzinfo=UTC)
    seconds = max(0, int((datetime.now(UTC) - made).total_seconds()))
    for unit, length in (("d", 86_400), ("h", 3600), ("min", 60)):
        if seconds >= length:
            return f"{seconds // length} {unit}"
    return f"{seconds} s"


def _read(option: str | options.Option, given: str, flag: str, typed: str) -> Any:
    """The parsed value. Raises UsageError in the words of the option."""
    entry = options.BY_NAME[option] if isinstance(option, str) else option
    try:
        return entry.parse(given)
    except ValueError as error:
        raise UsageError(f"{flag} {typed} {error}", f"{entry.name}: {entry.sentence}") from error


def _refuse_changes(run: Run, others: dict[str, str]) -> None:
    """Raise UsageError for each flag that would change a setting of the run, all at once."""
    kept = run.config()
    lines, changes = [], []
    for typed, value in others.items():
        name = typed.replace("-", "_")
        flag = "--" + name.replace("_", "-")
        if name not in kept and name not in options.BY_NAME:
            close = nearest(name, [*kept, "images", "device", "runs_dir", "log"])
            hint = f": did you mean --{close.replace('_', '-')}?" if close else ""
            lines.append(f"unknown option {flag}{hint}")
        elif name not in kept:
            lines.append(f"{flag} means nothing to a resumed run")
        elif not _same(name, value, kept[name]["value"]):
            lines.append(
                f"a resumed run keeps its settings: {name} is {shown(kept[name]['value'])} "
                "in this run"
            )
            changes.append(f"{flag} {value}")
    if not lines:
        return
    source = str(run.read_json("data.json").get("source", ""))
    data = source if is_found_anywhere(source) else str(run.info().get("data", "DATA"))
    config = shlex.quote(str(run.path / "config.toml"))
    start = f"start a new run: mulligan train {shlex.quote(data)} --config {config} "
    start += " ".join(changes)
    raise UsageError("\n".join(lines), start if changes else "`mulligan resume --help` lists flags")


def _same(name: str, typed: str, kept: Any) -> bool:
    """Whether the typed word means the value that the run has."""
    try:
        if name in options.BY_NAME:
            value = options.BY_NAME[name].parse(typed)
            value = f"{value[0]}x{value[1]}" if isinstance(value, tuple) else value
            return bool(value == kept)
        if isinstance(kept, bool):
            return readers.switch(typed) == kept
        if isinstance(kept, (int, float)):
            return readers.number(typed) == kept
    except ValueError:
        return False
    return typed == str(kept)

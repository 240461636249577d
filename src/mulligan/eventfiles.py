"""A run as TensorBoard's event files, written from its logs alone; the logs stay the truth.

Everything is written anew each time, in one file: what a resume took back is gone here as well.
Needs the package tensorboard: `pip install mulligan[tensorboard]`.
"""

from __future__ import annotations

import io
import time
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

from mulligan.disk import replace, reporting
from mulligan.errors import UsageError
from mulligan.pictures import evenly
from mulligan.report_evaluation import stored
from mulligan.report_images import PNG_END, PNG_START, families, size
from mulligan.run import Run
from mulligan.words import NOT_SHOWN

MOST_GRIDS = 60
"""Of each family of samples, evenly chosen; `tensorboard --samples_per_plugin images=60` shows all,
without it 10."""

Point = tuple[int, str, float | Path]
"""Images seen, the tag, and a number or the file of a picture."""


def check_tensorboard() -> None:
    """Raises UsageError if the package tensorboard is not there."""
    try:
        import tensorboard.summary.writer.record_writer  # noqa: F401
    except ImportError as problem:
        raise UsageError(
            f"event files for TensorBoard need the package tensorboard: {problem}",
            "pip install mulligan[tensorboard]",
        ) from problem


def write_events(run: Run) -> Path:
    """Write the folder RUN/tensorboard anew, and return it: `tensorboard --logdir RUN`.

    Scalars at the images seen: every logged value, and the figures of evaluations. Pictures: the
    grids of samples. Times are those of training, pauses left out.
    Raises UsageError without the package, StorageError if it cannot be written.
    """
    check_tensorboard()
    folder = run.path / "tensorboard"
    # named by the time, as a TensorBoard that is open looks for newer names alone
    path = folder / f"events.out.tfevents.{int(time.time()):010d}.mulligan"
    rows = run.rows()
    points = [*_values(rows), *_figures(run), *_grids(run)]
    content = _encoded(sorted(points, key=lambda point: point[:2]), _clock(run, rows))
    with reporting(folder):
        folder.mkdir(exist_ok=True)
        replace(path, content)
        for other in folder.glob("*tfevents*"):
            if other != path:
                other.unlink(missing_ok=True)
    return folder


def _values(rows: list[dict[str, Any]]) -> Iterator[Point]:
    for row in rows:
        for name, value in row.items():
            if name not in NOT_SHOWN and isinstance(value, int | float) and "images" in row:
                yield int(row["images"]), name, float(value)


def _figures(run: Run) -> Iterator[Point]:
    """Of the evaluations that were asked for; those during training are among the values."""
    for _, found in stored(run):
        for figure in found.figures if found.images is not None else ():
            split = figure.stamp.get("split")
            yield int(found.images or 0), f"evaluation-{split}/{figure.name}", figure.value


def _grids(run: Run) -> Iterator[Point]:
    for family, paths in families(run.samples).items():
        for path in (paths[place] for place in evenly(len(paths), MOST_GRIDS)):
            content = path.read_bytes()
            if content.startswith(PNG_START) and content.endswith(PNG_END):  # else half written
                yield int(path.name[:9]), f"samples/{family or 'generated'}", path


def _clock(run: Run, rows: list[dict[str, Any]]) -> dict[int, float]:
    """Images seen -> when, in seconds since 1970: the run's beginning and the time it trained."""
    begun = datetime.fromisoformat(run.info()["created"]).timestamp()
    return {0: begun} | {
        int(row["images"]): begun + float(row.get("seconds", 0)) for row in rows if "images" in row
    }


def _encoded(points: list[Point], clock: dict[int, float]) -> bytes:
    """The points as records of an event file, in their order."""
    from tensorboard.compat.proto.event_pb2 import Event
    from tensorboard.summary.writer.record_writer import RecordWriter

    buffer, at = io.BytesIO(), clock[0]
    writer = RecordWriter(buffer)
    writer.write(Event(wall_time=at, file_version="brain.Event:2").SerializeToString())
    for images, tag, value in points:
        at = clock.get(images, at)
        event = Event(wall_time=at, step=images)
        entry = event.summary.value.add(tag=tag)
        if isinstance(value, Path):
            entry.image.width, entry.image.height = size(value) or (0, 0)
            entry.image.encoded_image_string = value.read_bytes()
        else:
            entry.simple_value = value
        writer.write(event.SerializeToString())
    return buffer.getvalue()

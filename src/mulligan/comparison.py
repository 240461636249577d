"""Runs and folders of images beside each other, evaluated under one protocol.

One protocol means the same real rows, the same extractor, equally many rows and one seed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from mulligan.appraisal import Wishes, evaluate, kept
from mulligan.comparison_result import Comparison, Side, rows_compared
from mulligan.comparison_subject import Subject, common_data, named, opened, picture
from mulligan.data.open import open_data
from mulligan.errors import UsageError
from mulligan.evaluation.reals import SPLITS
from mulligan.evaluation.result import Evaluation
from mulligan.run import Run
from mulligan.words import PROGRESS


def compare(
    targets: Sequence[str | Path | Run],
    data: str | Path | None = None,
    *,
    runs_dir: str | Path = "runs",
    warn: Callable[[str], None] | None = None,
    **wishes: Any,
) -> Comparison:
    """Evaluate all targets under one protocol.

    targets: two or more runs, or folders, zips or .npz of samples. data: the real ones, else those
    of the first run. warn: told where a damaged checkpoint was passed over. wishes: as for
    `evaluate`, but for `probe`: extractor, weights, count, ...
    An evaluation that lies in a run already is used again where all of its protocol is the same.
    Raises UsageError for runs on different data unless `data` is named, and as `evaluate` does.
    """
    asked = _asked(wishes)
    how: dict[str, Any] = {"device": asked.device, "checkpoint": asked.checkpoint}
    how |= {"warn": warn} if warn else {}
    subjects = named([opened(target, Path(runs_dir), **how) for target in targets])
    ground = common_data(subjects) if data is None else str(data)
    found = _evaluated(subjects, _Call(asked, ground, data is None))
    loose = any(not subject.model or subject.model.field.kind == "points" for subject in subjects)
    reals = open_data(ground) if loose else None
    sides = [
        Side(
            subject.name,
            found[subject.name],
            picture(subject, reals, asked.seed),
            _settings(subject.run),
            _progress(subject.run),
        )
        for subject in subjects
    ]
    return Comparison(tuple(sides), tuple(_notes(subjects, found)))


def _asked(wishes: Mapping[str, Any]) -> Wishes:
    known = [name for name in Wishes.__dataclass_fields__ if name != "probe"]
    if unknown := sorted(set(wishes) - set(known)):
        raise UsageError(f"compare takes no {', '.join(unknown)}", f"it takes {', '.join(known)}")
    return Wishes(**wishes)


@dataclass(frozen=True)
class _Call:
    """How to evaluate. data: the name of the real ones. own: each run knows them by itself."""

    asked: Wishes
    data: str
    own: bool

    def evaluate(self, subject: Subject, wishes: Wishes, like: Evaluation | None) -> Evaluation:
        """The evaluation of one, from its folder if it lies there. like: one of the protocol."""
        stored = _stored(subject, like, wishes.count) if like else None
        # what takes fewer rows than were asked for must not replace another in the run's folder
        target = subject.run if wishes.count == self.asked.count else subject.model
        data = None if self.own and target else self.data
        made = stored or evaluate(
            target or subject.path, data, warn=lambda text: None, **asdict(wishes)
        )
        return replace(made, target=subject.name)


def _evaluated(subjects: list[Subject], call: _Call) -> dict[str, Evaluation]:
    """An evaluation of each by its name, with the same split and as many rows of each side.

    Files come first, as they may be few and limit the others. What does not agree in the end is
    evaluated again.
    """
    found: dict[str, Evaluation] = {}
    for subject in sorted(subjects, key=lambda one: (one.run is not None, one.held_out)):
        files = [found[one.name] for one in subjects if one.name in found and not one.run]
        count = min([call.asked.count, *map(rows_compared, files)])
        like = next(iter(found.values()), None)
        found[subject.name] = call.evaluate(subject, _agreed(call.asked, found, count), like)
    count = min(map(rows_compared, found.values()))
    wishes = _agreed(call.asked, found, count)
    for subject in subjects:
        one = found[subject.name]
        if rows_compared(one) != count or one.figures[0].stamp["split"] not in _splits(wishes):
            found[subject.name] = call.evaluate(subject, wishes, None)
    return found


def _agreed(wishes: Wishes, found: Mapping[str, Evaluation], count: int) -> Wishes:
    """The wishes for the next: the extractor of those found, and the split that all can have."""
    if not found:
        return wishes
    stamps = [one.figures[0].stamp for one in found.values()]
    # who held nothing out, as files did not, can only be compared with training rows
    split = "train" if any(stamp["split"] == "train" for stamp in stamps) else wishes.split
    return replace(wishes, extractor=str(stamps[0]["extractor"]), split=split, count=count)


def _splits(wishes: Wishes) -> tuple[str, ...]:
    """The splits that an evaluation may have come to."""
    return SPLITS if wishes.split == "auto" else (wishes.split,)


def _stored(subject: Subject, like: Evaluation, count: int) -> Evaluation | None:
    """The evaluation in a run's folder of the same protocol, checkpoint and number of rows."""
    if subject.run is None or subject.model is None:
        return None
    stamp, seen = like.figures[0].stamp, int(subject.model.state["counters"]["seen"])
    count = min(count, rows_compared(like))
    for entry in kept(subject.run):
        same = entry.figures[0].stamp == stamp and entry.images == seen
        if same and rows_compared(entry) == count:
            return entry
    return None


def _notes(subjects: list[Subject], found: Mapping[str, Evaluation]) -> list[str]:
    """What is not the same for all."""
    stamps = [entry.figures[0].stamp for entry in found.values()]
    if len({stamp["data_sha256"] for stamp in stamps}) > 1:
        return ["the real rows are not the same for all: their size or their classes differ"]
    shares = {subject.share(found[subject.name]) for subject in subjects}
    if len(shares) > 1 and stamps[0]["split"] != "test":
        return ["not all hold out the same rows: the real ones are drawn for each on its own"]
    return []


def _settings(run: Run | None) -> dict[str, Any]:
    if run is None:
        return {}
    return {name: entry["value"] for name, entry in run.config().items()}


def _progress(run: Run | None) -> list[dict[str, Any]]:
    """The images seen, and the figure of progress, of the rows that have one."""
    rows = run.rows() if run else []
    own = [
        {name: value for name, value in row.items() if name == "images" or PROGRESS in name}
        for row in rows
    ]
    return [row for row in own if len(row) > 1]

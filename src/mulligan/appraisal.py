"""Evaluating a run, or any folder of images, against real data; the result is kept in the run."""

from __future__ import annotations

import io
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from PIL.Image import Image as Picture

from mulligan.data.dataset import DataSet, select_label
from mulligan.data.framing import Framing
from mulligan.data.open import open_data
from mulligan.disk import replace, tidy_name
from mulligan.errors import DataError, UsageError
from mulligan.evaluation.appraise import Asked, Samples, appraise
from mulligan.evaluation.given import read_samples
from mulligan.evaluation.lens import Lens, choose, open_lens
from mulligan.evaluation.reals import Reals, real_rows, some
from mulligan.evaluation.result import Evaluation
from mulligan.fields import Field, Image, Label
from mulligan.model import Model, load
from mulligan.places import shown
from mulligan.run import Run


@dataclass(frozen=True)
class Wishes:
    """What an evaluation was asked for; the flags of `mulligan evaluate`.

    extractor: a name, or "auto". weights: a file for it. download: consent to fetch its weights.
    resize: mode for images of another size. split: of the real rows. count: rows of each side at
    most. probe: train a fresh critic as well. checkpoint: of a run.
    """

    extractor: str = "auto"
    weights: str = ""
    download: bool = False
    resize: str = "antialiased"
    split: str = "auto"
    count: int = 10_000
    seed: int = 0
    probe: bool = False
    device: str = "cpu"
    checkpoint: str = "best"


def evaluate(
    target: str | Path | Run | Model,
    data: str | Path | None = None,
    *,
    runs_dir: str | Path = "runs",
    warn: Callable[[str], None] = warnings.warn,
    **wishes: Any,
) -> Evaluation:
    """The figures of a trained generator, or of a folder of images, against real data.

    target: a Model, a Run or its name; or a folder, a zip or a .npz of samples. data: as `train`
    takes it; for a run, the data it was trained on unless another is named. warn: told where a
    damaged checkpoint was passed over. wishes: `Wishes`.
    A run's evaluation is also written to its folder evaluations/.
    Raises UsageError and DataError for what does not fit together.
    """
    asked = _wishes(wishes)
    run = _as_run(target, Path(runs_dir))
    if run is None and not isinstance(target, Model):
        return _of_files(Path(str(target)), data, asked)
    if isinstance(target, Model):
        model = target
    else:
        model = load(run or "", device=asked.device, warn=warn, checkpoint=asked.checkpoint)
    reals = _reals(model, data, asked.split)
    lens = _lens(asked, reals.data)
    count = min(asked.count, len(reals.values))
    samples = _made(model, reals, count, asked.seed, run.name if run else model.path.name)
    found, picture = appraise(samples, reals, lens, _asked(asked, count))
    if run is not None:
        try:
            keep(run, found, picture)
        except OSError as problem:  # a folder that may only be read; the figures are worth more
            warn(f"the evaluation was not kept in the run: {problem}".splitlines()[0])
    return found


def keep(run: Run, found: Evaluation, picture: Picture | None) -> Path:
    """Write an evaluation into its run, replacing one of the same point, extractor and data."""
    run.evaluations.mkdir(exist_ok=True)
    split = found.figures[0].stamp["split"]
    stem = f"{found.images:09d}-{found.extractor}-{tidy_name(found.data)}-{split}"
    run.write_json(f"evaluations/{stem}.json", found.to_json())
    if picture is not None:
        buffer = io.BytesIO()
        picture.save(buffer, format="PNG")
        replace(run.evaluations / f"{stem}-nearest.png", buffer.getvalue())
    return run.evaluations / f"{stem}.json"


def kept(run: Run) -> list[Evaluation]:
    """The evaluations in a run's folder, in order of images seen; damaged ones are left out."""
    found = []
    for path in sorted(run.evaluations.glob("*.json")) if run.evaluations.is_dir() else []:
        try:
            found.append(Evaluation.from_json(run.read_json(f"evaluations/{path.name}")))
        except (UsageError, OSError):
            continue
    return found


def _wishes(given: Mapping[str, Any]) -> Wishes:
    unknown = set(given) - set(Wishes.__dataclass_fields__)
    if unknown:
        raise UsageError(
            f"evaluate takes no {', '.join(sorted(unknown))}",
            f"it takes {', '.join(Wishes.__dataclass_fields__)}",
        )
    return Wishes(**given)


def _as_run(target: str | Path | Run | Model, runs_dir: Path) -> Run | None:
    """The run that is meant, or None for a model or for files."""
    if isinstance(target, Run):
        return target
    if isinstance(target, Model):
        return None
    path = Path(target)
    taken = (runs_dir / path / "run.json").is_file()  # a run's name comes before a folder's
    if path.exists() and not taken and not (path / "run.json").is_file():
        if (path / "MANIFEST.json").is_file():
            raise UsageError(
                f"{path} is a checkpoint", f"evaluate its run with --checkpoint {path.name[5:]}"
            )
        return None
    return Run.find(target, runs_dir)


def _reals(model: Model, data: str | Path | None, split: str) -> Reals:
    """The real rows for a trained generator: of its own data, or of those that are named.

    Raises DataError for data of another kind, and for own data that have changed.
    """
    state, field = model.state, model.field
    only = str(state["values"]["only_label"] or "")
    framing = Framing.of(state["values"])
    opened = _like(str(data or state["data"]["name"]), field, framing)
    label = opened.fields.get("label")
    if only and (data is None or (isinstance(label, Label) and only in label.names)):
        opened = select_label(opened, only)
    else:
        only = ""
    if own := opened.manifest["sha256"] == state["data"]["sha256"]:
        share = float(state["values"]["held_out"])
    elif data is None:
        raise DataError(
            f"the data in {shown(state['data']['name'])} are not those this run was trained on, so "
            "its held-out rows are not known",
            "put the old data back, or name the data to compare with: mulligan evaluate RUN DATA",
        )
    return real_rows(opened, split, share if own else 0.0, only)


def _like(name: str, field: Field, framing: Framing) -> DataSet:
    """The data set in the size and channels of these samples. Raises DataError for other kinds."""
    if isinstance(field, Image) and name[:3] not in ("1d:", "2d:"):
        return open_data(name, size=field.size, channels=field.channels, framing=framing)
    opened = open_data(name)
    real = opened.fields["real"]
    if real.kind != field.kind or getattr(real, "dims", 0) != getattr(field, "dims", 0):
        raise DataError(
            f"{opened.name} holds {real}, and the samples are {field}",
            "compare with data of the same kind",
        )
    return opened


def _made(model: Model, reals: Reals, count: int, seed: int, target: str) -> Samples:
    """Samples of the generator; their classes are those of real rows, where it can be asked."""
    label = None
    if model.labelled and reals.labels is not None:
        label = reals.labels[some(count, len(reals.labels), seed)].numpy()
    made = model.sample(count, seed=seed, label=label)
    values = torch.from_numpy(made.values)
    return Samples(
        values.permute(0, 3, 1, 2) if isinstance(model.field, Image) else values,
        target,
        int(model.state["counters"]["seen"]),
        None if made.labels is None else torch.from_numpy(made.labels),
    )


def _lens(asked: Wishes, data: DataSet) -> Lens:
    name = choose(data)[0] if asked.extractor == "auto" else asked.extractor
    return open_lens(
        name,
        data.fields["real"],
        weights=asked.weights or None,
        download=asked.download,
        resize=asked.resize,
        device=asked.device,
    )


def _asked(asked: Wishes, count: int) -> Asked:
    return Asked(count=count, seed=asked.seed, probe=asked.probe, device=asked.device)


def _of_files(path: Path, data: str | Path | None, asked: Wishes) -> Evaluation:
    """A folder, a zip or a .npz of samples against data."""
    if data is None:
        raise UsageError(
            f"{path} is no run, so there is nothing to compare it with",
            f"name the real data: mulligan evaluate {path} DATA",
        )
    reals = real_rows(open_data(str(data)), asked.split, 0.0)
    values, labels = read_samples(path, reals.data.fields)
    count = min(asked.count, len(values), len(reals.values))
    drawn = some(count, len(values), asked.seed)  # folders come class by class
    samples = Samples(values[drawn], str(path), None, None if labels is None else labels[drawn])
    lens = _lens(asked, reals.data)
    return appraise(samples, reals, lens, _asked(asked, count))[0]

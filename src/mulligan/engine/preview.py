"""Previews: what the twin makes of fixed noise and fixed rows, drawn into the run folder.

Looking changes nothing: modes, random states and buffers are as before.
"""

from __future__ import annotations

import numpy as np
import torch
from PIL.Image import Image as Picture

from mulligan import pictures, plot_codes, plots
from mulligan.disk import reporting
from mulligan.engine.feed import from_batch
from mulligan.engine.job import Job
from mulligan.engine.randomness import key
from mulligan.engine.watching import watching
from mulligan.fields import Field, Image, Label, Points
from mulligan.recipe import Batch, Recipe
from mulligan.run import Run

GRID = 64  # images a grid
COLUMNS = 8  # images of a class, in a grid of classes
CROWD = 2_000  # points a scatter, codes a latent space
FINE = 64  # steps a side of a decision surface
FILM_SECONDS = 8.0


def draw(job: Job, run: Run) -> None:
    """Write this tick's pictures to samples/, named by the images seen."""
    field = job.plan.data.fields["real"]
    twin = job.shown()
    with watching(twin, key(job.seed, 0, "preview", 1)):
        drawn = _image_pictures(job, twin) if isinstance(field, Image) else _plots(job, twin)
    for suffix, picture in drawn.items():
        name = f"{job.counters.seen:09d}{'-' if suffix else ''}{suffix}.png"
        with reporting(run.samples / name):
            picture.save(run.samples / name)


def draw_first_batch(job: Job, run: Run) -> None:
    """Write first_batch.png: the first rows that training sees, as it sees them."""
    rows = job.feed.rows(job.seed, 0, 0, min(job.batch, len(job.feed.training)))
    field = job.plan.data.fields["real"]
    real = from_batch(job.feed.fields(rows, ["real"])["real"], field).numpy()
    picture = (
        pictures.grid(real[:GRID])
        if isinstance(field, Image)
        else plots.draw_points(real, real[:0])
    )
    if picture is not None:
        with reporting(run.first_batch):
            picture.save(run.first_batch)


def draw_film(run: Run, field: Field) -> None:
    """For points: write strip.png and animation.gif from the plots of all ticks."""
    if not isinstance(field, Points):
        return
    frames = sorted(path for path in run.samples.glob("*.png") if "-" not in path.stem)
    if frames:
        with reporting(run.path):
            pictures.strip(frames).save(run.path / "strip.png")
            pictures.animate(frames, run.path / "animation.gif", FILM_SECONDS)


def _image_pictures(job: Job, twin: Recipe) -> dict[str, Picture]:
    field = job.plan.data.fields["real"]
    batch, names = _image_batch(job, twin)
    shown = twin.show(batch)
    images = {
        name: from_batch(values, field).numpy() for name, values in shown.items() if name != "codes"
    }
    columns = COLUMNS if names else None
    drawn = {"": pictures.grid(images["generated"], columns, names=names)}
    others = {name: values for name, values in images.items() if name != "generated"}
    if others:
        drawn["-".join(others) if len(others) < 4 else "columns"] = pictures.beside(others)
    if "codes" in shown:
        drawn["codes"] = _codes(job, twin)
    return drawn


def _image_batch(job: Job, twin: Recipe) -> tuple[Batch, list[str]]:
    """The preview's batch, and the class of each row of the grid where it is a condition."""
    seed, label = key(job.seed, 0, "preview"), job.plan.data.fields.get("label")
    if "label" not in twin.conditions or not isinstance(label, Label):
        return job.feed.fixed(GRID, seed), []
    batch = job.feed.by_class(COLUMNS, seed)
    return batch, [label.names[at] for at in batch["label"][::COLUMNS].tolist()]


def _codes(job: Job, twin: Recipe) -> Picture:
    batch = job.feed.fixed(CROWD, key(job.seed, 0, "preview"))
    label = job.plan.data.fields.get("label")
    return plot_codes.latent_space(
        twin.show(batch)["codes"].float().cpu().numpy(),
        batch["label"].cpu().numpy() if "label" in batch else None,
        list(label.names) if isinstance(label, Label) else None,
        seen=job.counters.seen,
        limit=twin.reach,
    )


def _plots(job: Job, twin: Recipe) -> dict[str, Picture]:
    field = job.plan.data.fields["real"]
    batch = job.feed.fixed(CROWD, key(job.seed, 0, "preview"))
    shown = twin.show(batch)
    rows = job.feed.training[:CROWD]
    real = from_batch(job.feed.fields(rows, ["real"])["real"], field).numpy()
    fake = from_batch(shown["generated"], field).numpy()
    labelled = "label" in twin.conditions  # then each class has a surface of its own
    surface = None if labelled else _judgement(job, twin, real)
    drawn = {"codes": _codes(job, twin)} if "codes" in shown else {}
    picture = plots.draw_points(
        real,
        fake,
        surface,
        seen=job.counters.seen,
        undecided=twin.undecided,
        labels=batch["label"].cpu().numpy() if labelled else None,
    )
    return drawn if picture is None else {"": picture, **drawn}


def _judgement(job: Job, twin: Recipe, real: np.ndarray) -> tuple[np.ndarray, ...] | None:
    """The first judge's scores over the picture: (xs, scores) or (xs, ys, scores)."""
    axes = [torch.linspace(low, high, FINE) for low, high in plots.view(real)]
    if len(axes) > 2:
        return None
    points = torch.cartesian_prod(*axes[::-1]).reshape(-1, len(axes)).flip(1)  # x runs fastest
    field = job.plan.data.fields["real"]
    assert isinstance(field, Points)
    batch = job.feed.fixed(len(points), key(job.seed, 0, "preview"))
    scores = twin.scores(points.to(job.device, job.feed.dtype) / field.scale, batch)
    if not scores:
        return None
    first = next(iter(scores.values())).float().reshape(len(points), -1).mean(1).cpu()
    return (*(axis.numpy() for axis in axes), first.reshape([FINE] * len(axes)).numpy())

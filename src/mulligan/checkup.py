"""The data doctor: what a data set holds, what is wrong with it, what training would make of it.

For files each picture is decoded once and looked at; for data sets with a name, the arrays are. Of
very many, some are.
"""

from __future__ import annotations

import hashlib
import statistics
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from PIL.Image import Image as Picture
from torch import Tensor

from mulligan.data import duplicates
from mulligan.data.dataset import DataSet
from mulligan.data.decode import quiet_decoders
from mulligan.data.kinds import place_of, source_of
from mulligan.data.packed import evenly
from mulligan.data.stream import as_streamed
from mulligan.data.survey import SMALL, Shot, survey
from mulligan.engine.calibrate import fit
from mulligan.engine.plan import Plan, make_plan
from mulligan.evaluation.reals import named
from mulligan.fields import Image, Label
from mulligan.pictures import grid
from mulligan.places import shown
from mulligan.words import counted

SHOWN = 64
MOST_LOOKED_AT = 20_000
"""Pictures that are looked at one by one, evenly spread over all; each takes 3 KB meanwhile."""

CHUNK = 256
SHAPE = (
    *("size", "channels", "fit", "background", "recipe", "batch", "pieces", "augment", "images"),
    *("precision", "extractor"),
)
"""Values of the plan that depend on the data."""

MUCH = 0.15
"""Share of a picture that may be cut off before it is remarked on."""

UNEVEN = 10
"""Times that the largest class may have the pictures of the smallest before it is remarked on."""


@dataclass(frozen=True)
class Checkup:
    """What was found. facts: plain JSON. remarks: sentences, the gravest first. picture: rows as
    training would see them. plan: what a run would do."""

    facts: dict[str, Any]
    remarks: tuple[str, ...]
    picture: Picture | None
    plan: Plan


def check(data: str | Path, given: Mapping[str, Any] | None = None, timed: bool = True) -> Checkup:
    """Look at data as `mulligan train` would take them.

    given: options of train, such as size and channels. timed: measure how long a run would take,
    a few seconds. Raises DataError where nothing can be used.
    """
    plan = make_plan(str(data), dict(given or {}))
    found = plan.data
    shots: list[Shot] = []
    if not named(found):
        with closing(source_of(place_of(str(data)))) as source, quiet_decoders():
            shots, _ = survey(source.pictures.take(evenly(len(source.pictures), MOST_LOOKED_AT)))
    facts = {
        "data": shown(str(data)),
        "rows": len(found),
        "bytes": found.manifest["bytes"],
        "streamed": as_streamed(found.arrays["real"]) is not None,
        "skipped": found.manifest["skipped"],
        "skipped_count": found.manifest.get("skipped_count", len(found.manifest["skipped"])),
        "classes": class_counts(found),
        **(files(shots) if shots else {}),
        **(looks(found, shots) if isinstance(found.fields["real"], Image) else {}),
        "plan": {name: asdict(plan.values[name]) for name in SHAPE if name in plan.values},
    }
    if timed:
        hour = 3600.0
        pace = fit(plan, hour).images / hour
        facts["images_per_second"], facts["seconds"] = pace, plan["images"] / pace
    return Checkup(facts, remarks(facts), _picture(found), plan)


def files(shots: list[Shot]) -> dict[str, Any]:
    """Formats, modes and sizes of the files."""
    short = sorted(min(shot.width, shot.height) for shot in shots)
    aspects = sorted(shot.width / shot.height for shot in shots)
    return {
        "formats": dict(Counter(shot.format for shot in shots).most_common()),
        "modes": dict(Counter(shot.mode for shot in shots).most_common()),
        "short_side": [short[0], statistics.median(short), short[-1]],
        "aspect": [aspects[0], statistics.median(aspects), aspects[-1]],
        "turned": [shot.name for shot in shots if shot.turned],
        "animated": [shot.name for shot in shots if shot.animated],
        "transparent": [shot.name for shot in shots if shot.alpha],
    }


def looks(data: DataSet, shots: list[Shot]) -> dict[str, Any]:
    """Colours of the rows, and rows that are or look the same, by name or by number."""
    rows = evenly(len(data), MOST_LOOKED_AT)
    if shots:
        names = [shot.name for shot in shots]
        copies = duplicates.same([shot.digest for shot in shots])
        small = np.stack([shot.small for shot in shots])
    else:
        names = [str(number) for number in rows]
        copies = duplicates.same([_digest(row) for part in _parts(data, rows) for row in part])
        small = np.concatenate([_small(part) for part in _parts(data, rows)])
    known = {tuple(group) for group in copies}
    near = [group for group in duplicates.alike(small) if tuple(group) not in known]
    mean, deviation = _colours(_parts(data, rows))
    return {
        "looked_at": len(names),
        "mean": [round(value, 1) for value in mean],
        "deviation": [round(value, 1) for value in deviation],
        "copies": [[names[place] for place in group] for group in copies],
        "near": [[names[place] for place in group] for group in near],
    }


def class_counts(data: DataSet) -> dict[str, int]:
    """Rows of each class, the largest first; empty without labels."""
    label = data.fields.get("label")
    if not isinstance(label, Label):
        return {}
    counts = torch.bincount(data.arrays["label"], minlength=len(label.names)).tolist()
    return dict(sorted(zip(label.names, counts, strict=True), key=lambda pair: -pair[1]))


def remarks(facts: Mapping[str, Any]) -> tuple[str, ...]:
    """What a person should know, in sentences."""
    said = []
    if (looked := facts.get("looked_at", facts["rows"])) < facts["rows"]:
        said.append(f"{looked:,} of {facts['rows']:,} pictures were looked at, evenly spread")
    if skipped := facts["skipped"]:
        first = f"{skipped[0]['file']} ({skipped[0]['reason']})"
        said.append(f"not used: {counted(facts['skipped_count'], 'file')}, such as {first}")
    for kind, words in (("copies", "copies of another"), ("near", "nearly like another")):
        groups = facts.get(kind, ())
        if extra := sum(len(group) - 1 for group in groups):
            some = ", ".join(groups[0][:3])
            said.append(f"{words}: {counted(extra, 'picture')}, such as {some}")
    counts = [count for count in facts["classes"].values() if count]
    if len(counts) > 1 and counts[0] > UNEVEN * counts[-1]:
        said.append(f"the classes are uneven: {counts[0]:,} of one, {counts[-1]:,} of another")
    if empty := [name for name, count in facts["classes"].items() if not count]:
        said.append(f"classes without a picture: {len(empty)}, such as {empty[0]}")
    size, channels = (facts["plan"][name]["value"] for name in ("size", "channels"))
    if (clear := facts.get("transparent")) and channels != 4:
        many = counted(len(clear), "picture")
        said.append(
            f"transparent in part, and put on the background: {many}; --channels 4 keeps it"
        )
    if "short_side" in facts and size:
        side = min(int(word) for word in str(size).split("x"))
        low, middle, _ = facts["short_side"]
        if middle >= 4 * side:
            said.append(f"the pictures have {middle:g} pixels and are shrunk to {side}; see --size")
        if low < side:
            said.append(f"some pictures have {low} pixels only and are blown up to {side}")
    if share := _cut(facts):
        said.append(
            f"the {facts['plan']['fit']['value']} cuts off {share:.0%} of the usual picture; --fit "
            "pad keeps it whole, a --size of its aspect (48x64) too"
        )
    if animated := facts.get("animated"):
        said.append(f"{counted(len(animated), 'animation')}: the first frame is used")
    return tuple(said)


def _cut(facts: Mapping[str, Any]) -> float:
    """The share of the median picture that lies outside the crop, where it is much; else 0."""
    size, fit = (facts["plan"][name]["value"] for name in ("size", "fit"))
    if "aspect" not in facts or not size or fit == "pad":
        return 0.0
    height, width = (int(word) for word in str(size).split("x"))
    ratio = facts["aspect"][1] * height / width
    cut = 1 - min(ratio, 1 / ratio)
    return cut if cut > MUCH else 0.0


def _parts(data: DataSet, rows: list[int]) -> Iterator[Tensor]:
    """These rows, some at a time, as they may be mapped or streamed."""
    return (data.arrays["real"][part] for part in torch.tensor(rows).split(CHUNK))


def _colours(parts: Iterable[Tensor]) -> tuple[list[float], list[float]]:
    """Mean and deviation of each channel."""
    count, zero = 0, torch.zeros((), dtype=torch.float64)
    sums, squares = zero, zero
    for part in parts:
        values = part.double()
        count += values.numel() // values.shape[1]
        sums, squares = sums + values.sum((0, 2, 3)), squares + values.square().sum((0, 2, 3))
    mean = sums / count
    return mean.tolist(), (squares / count - mean.square()).clamp(min=0).sqrt().tolist()


def _small(images: Tensor) -> np.ndarray:
    pooled = F.adaptive_avg_pool2d(images.float(), SMALL)
    return pooled.round().to(torch.uint8).permute(0, 2, 3, 1).numpy()


def _digest(row: Tensor) -> str:
    return hashlib.sha256(row.numpy().tobytes()).hexdigest()


def _picture(data: DataSet) -> Picture | None:
    """Evenly many rows of the whole, as training sees them."""
    if not isinstance(data.fields["real"], Image):
        return None
    rows = torch.linspace(0, len(data) - 1, min(SHOWN, len(data))).round().long()
    return grid(data.arrays["real"][rows].numpy())

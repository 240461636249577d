"""The options that are computed: each rule gives a value and the reason that is printed with it."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import torch

from mulligan.data.dataset import DataSet
from mulligan.data.order import MOST_HELD_OUT
from mulligan.engine.layers import Layer, Layers, Problems, Value
from mulligan.engine.options import AUTO, OPTIONS
from mulligan.engine.readers import images, number
from mulligan.errors import MulliganError, UsageError
from mulligan.evaluation.lens import choose, open_lens
from mulligan.evaluation.reals import LEAST
from mulligan.fields import Image

Values = dict[str, Value]

BATCH = 64
IMAGES = 400_000
HELD_OUT = 0.05
TICKS = 40
SAVE_EVERY = 4
EVALUATIONS = 20
LEAST_APART = 10_000  # images between two evaluations, which cost as much as a few hundred
PATIENCE = 10


def resolve_options(layers: Layers, data: DataSet) -> Values:
    """All options of a run on these data; `tick` may be left for `settle_tick`.

    Where a time is still to be turned into images, the value of `images` is None, and so are
    `precision` and `threads` where they are to be measured. Problems go to `layers.problems`.
    """
    values = {option.name: layers.option(option.name) for option in OPTIONS}
    _shape(values, data)
    _background(values, data)
    _device(values, layers.problems)
    _arithmetic(values, layers.problems)
    if values["held_out"].value == AUTO:
        reason = f"5 % of the data, at most {MOST_HELD_OUT:,}"
        values["held_out"] = Value(HELD_OUT, "default", reason)
    rows = training_rows(data, values["held_out"].value)
    _batch(values, layers, rows)
    values["images"] = _images(values, layers, rows)
    _evaluation(values, data, rows, layers.problems)
    if values["save_every"].value == AUTO:
        values["save_every"] = Value(SAVE_EVERY, "default", "a checkpoint every 4 ticks")
    return values


def training_rows(data: DataSet, held_out: float) -> int:
    """How many rows of the data are trained on (copies of a held-out picture still counted)."""
    return len(data) - max(0, min(int(held_out * len(data)), MOST_HELD_OUT, len(data) - 1))


def settle(values: Values, least_tick: int = 1) -> None:
    """Compute what depends on the number of images, where it is still "auto".

    least_tick: rounds that a tick should have, so that looking does not take most of the time.
    """
    settle_tick(values, least_tick)
    settle_evaluations(values)


def settle_tick(values: Values, least: int = 1) -> None:
    """Compute `tick` from the number of images, if it is still "auto"; `least` rounds or all."""
    if values["tick"].value == AUTO:
        rounds = math.ceil(values["images"].value / values["batch"].value)
        low, high = math.ceil(rounds / (TICKS + 4)), math.ceil(rounds / (TICKS - 4))
        reason = f"{rounds:,} rounds in about {TICKS} ticks"
        if least > high:
            reason = f"{rounds:,} rounds, and a preview costs many"
            low = min(least, rounds)
            high = min(low * 11 // 9, rounds)
        # a short last tick would be a mean over a few rounds, and stand out in every curve
        tick = min(range(max(1, low), high + 1), key=lambda length: (-rounds % length) / length)
        values["tick"] = Value(tick, "default", reason)


def settle_evaluations(values: Values) -> None:
    """Compute `evaluate_every` from the length of the run, if it is still "auto"."""
    if values["evaluate_every"].value == AUTO:
        tick = values["tick"].value * values["batch"].value
        apart = max(values["images"].value / EVALUATIONS, LEAST_APART)
        every = max(1, round(apart / tick))
        reason = f"about {every * tick:,} images apart, and at the end"
        values["evaluate_every"] = Value(every, "default", reason)


def _evaluation(values: Values, data: DataSet, rows: int, problems: Problems) -> None:
    """Extractor and patience; the extractor is opened, so that one without weights fails now."""
    every, extractor = values["evaluate_every"].value, values["extractor"]
    if extractor.value == AUTO:
        name, reason = choose(data, quick=True)
        values["extractor"] = Value(name, "default", reason)
    if values["patience"].value == AUTO:
        reason = f"{PATIENCE} evaluations without a gain beyond noise end the run"
        patience = Value(PATIENCE, "default", reason)
        if values["extractor"].value == "random":  # stopped runs that still gained
            patience = Value(0, "default", "the extractor random sees too little to end a run")
        values["patience"] = patience
    if weights := values["weights"].value:  # a resume finds them from anywhere
        path = str(Path(weights).expanduser().absolute())
        values["weights"] = replace(values["weights"], value=path)
    problem = _hindrance(values, data, rows) if every != 0 else None
    if problem and every == extractor.value == AUTO:  # nobody asked for it
        values["evaluate_every"] = Value(0, "default", problem.message)
    elif problem:
        problems.take(problem)


def _hindrance(values: Values, data: DataSet, rows: int) -> MulliganError | None:
    """Why a run on these data could not be evaluated."""
    if rows < LEAST:
        return UsageError(
            f"{rows} rows are too few to evaluate a run: {LEAST} are needed", "--evaluate-every 0"
        )
    extractor, weights = values["extractor"].value, values["weights"].value or None
    try:
        open_lens(extractor, data.fields["real"], weights=weights)
    except MulliganError as error:
        return error
    return None


def _shape(values: Values, data: DataSet) -> None:
    real = data.fields["real"]
    for name in ("size", "channels"):
        old = values[name]
        if not isinstance(real, Image):
            values[name] = Value(None, "default", f"the data are {real}")
            continue
        found = f"{real.height}x{real.width}" if name == "size" else real.channels
        values[name] = replace(old, value=found)
        if old.value == AUTO:
            values[name] = Value(found, old.origin, "as the data are")


def _background(values: Values, data: DataSet) -> None:
    """The colour that the data were put on, with the reason that they gave."""
    if values["background"].value == AUTO:
        found = data.manifest.get("framing", {})
        reason = found.get("reason", "nothing is transparent, or white shows it")
        values["background"] = Value(found.get("background", "white"), "default", reason)


def _device(values: Values, problems: Problems) -> None:
    asked = values["device"].value
    count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if asked == AUTO:
        mps = torch.backends.mps.is_available()
        reason = "a CUDA GPU is there" if count else "no CUDA GPU is there"
        if mps and not count:
            reason += "; mps only on request: nothing is tested there"
        values["device"] = Value("cuda" if count else "cpu", "default", reason)
    else:
        check_device(asked, problems)


def check_device(asked: str, problems: Problems) -> None:
    """Report a device that this machine does not have."""
    count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if asked.startswith("cuda") and int(asked.partition(":")[2] or 0) >= count:
        problems.add(f"--device {asked}: this machine has {count} usable CUDA GPUs", "--device cpu")
    elif asked == "mps" and not torch.backends.mps.is_available():
        problems.add("--device mps: this machine has no usable Metal GPU", "use --device cpu")


def _arithmetic(values: Values, problems: Problems) -> None:
    """Precision and threads; None where the processor itself must say what is quickest."""
    device, asked = values["device"].value, values["precision"].value
    if values["threads"].value == AUTO:
        feeding = Value(torch.get_num_threads(), "default", f"they only feed the {device}")
        values["threads"] = Value(None, "default", "") if device == "cpu" else feeding
    if asked == AUTO and device == "cpu":
        values["precision"] = Value(None, "default", "")
    elif asked == AUTO:
        mixed = device.startswith("cuda") and torch.cuda.is_bf16_supported()
        choice = "bfloat16" if mixed else "float32"
        values["precision"] = Value(choice, "default", f"{choice} on {device.partition(':')[0]}")
    elif asked == "float64" and device == "mps":
        problems.add("--precision float64: Metal GPUs have no float64", "use --device cpu")


def _batch(values: Values, layers: Layers, rows: int) -> None:
    batch, layer = values["batch"], layers.find("batch")
    if batch.value == AUTO:
        batch = Value(BATCH, "default", "the default")
    if batch.value > rows and layer is not None and layer.origin in ("flag", "config"):
        layers.problems.add(
            f"{layer.say('batch', batch.value)} is more than the {rows:,} training rows of the "
            "data",
            f"--batch {rows} at most",
        )
    elif batch.value > rows:
        reason = f"all training rows of the data, fewer than {batch.value}"
        batch = replace(batch, value=rows, reason=reason)
    values["batch"] = batch
    pieces, layer = values["pieces"].value, layers.find("pieces")
    if pieces != AUTO and pieces > batch.value and layer is not None:
        layers.problems.add(
            f"{layer.say('pieces', pieces)} is more than the batch of {batch.value}",
            "--pieces 1 works each batch through at once",
        )


def _images(values: Values, layers: Layers, rows: int) -> Value:
    """The images of the strongest layer that says how long: in images, time, rounds or epochs.

    The value is None where a time must still be turned into images.
    """
    for layer in reversed(layers.stack):
        timed = bool(layer.values.get("time"))
        counted = str(layer.values.get("images", AUTO)).lower() != AUTO
        if timed and counted and not layer.from_run:
            layers.problems.add(
                f"{layer.say('images', layer.values['images'])} and "
                f"{layer.say('time', layer.values['time'])} both say how long",
                "give one of the two",
            )
        if timed and not counted:
            return Value(None, layer.origin, layer.reason)
        for unit in ("images", "rounds", "epochs"):
            if unit in layer.values and (unit != "images" or counted):
                if not timed:  # in a run's own file the time tells where its images came from
                    values["time"] = Value("", "default", "the number of images is given")
                step = {"images": 1, "rounds": values["batch"].value, "epochs": rows}[unit]
                return values["images"] if step == 1 else _product(layer, unit, step)
    return Value(IMAGES, "default", "the default; --images or --time change it")


def _product(layer: Layer, unit: str, step: int) -> Value:
    count = number(layer.values[unit])
    words = {"rounds": "a batch of", "epochs": "training rows:"}[unit]
    reason = f"{layer.reason}: {count:,g} {unit} x {words} {step:,}"
    return Value(images(count * step), layer.origin, reason)

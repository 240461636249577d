"""A round on a GPU: what each way of computing it gains on the same round in eager float32.

The arms are ours throughout, engine included: float32 as written; bfloat16; bfloat16 with compiled
networks; and those replayed as CUDA graphs. Blocks alternate in one run; each figure is the median
of the ratios of neighbours. Share: the round's products (counted by PyTorch, a multiplication and
an addition as two, second derivatives included) in its time, of what this card does on large
bfloat16 matrices.

`dcgan --preset classic` sees MNIST's size (the digits of this package), r3gan pictures of
CIFAR-10's size; pictures of noise, because a round takes as long whatever they show. Compiled
gradients are compared with eager ones by tests/test_cuda.py, which has to pass first.

Beside r3gan's presets plays R3GAN's own public code (r3gan_loop.py) on networks with as many
weights, from a copy that the user names (github.com/brownvc/R3GAN; nothing of it is part of this
project); the last column says how many times as fast as that an arm is.

    python benchmarks/gpu.py --r3gan FOLDER        writes docs/results/gpu.md
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

import r3gan_loop
from floor import matrix_rate, products, wait
from mulligan.engine.job import Job
from mulligan.engine.parallel import World
from mulligan.engine.plan import make_plan
from mulligan.engine.rounds import play_round
from reporting import hardware, write_page

Given = dict[str, Any]
Play = Callable[[], None]

R3GAN: Given = {"recipe": "r3gan", "augment": "off"}
CASES: dict[str, tuple[str, Given]] = {
    "dcgan --preset classic, batch 256": ("digits", {"recipe": "dcgan", "preset": "classic"}),
    "r3gan, batch 64": ("noise", R3GAN),
    "r3gan, batch 256": ("noise", {**R3GAN, "batch": 256}),
    "r3gan --preset s, batch 64": ("noise", {**R3GAN, "preset": "s"}),
    "r3gan --preset l, batch 64": ("noise", {**R3GAN, "preset": "l", "batch": 64}),
}
ARMS = {
    "float32, eager": ("float32", ""),
    "bfloat16": ("bfloat16", ""),
    "bfloat16, compiled": ("bfloat16", "compiled"),
    "bfloat16, compiled, graphs": ("bfloat16", "graphs"),
}
THEIRS = "R3GAN's own code"
PICTURES, SIDE = 2048, 32
MATRIX = 8192


def noise_pictures(folder: Path) -> str:
    """A folder of colour pictures of CIFAR-10's size."""
    pixels = np.random.default_rng(0).integers(0, 256, (PICTURES, SIDE, SIDE, 3), dtype=np.uint8)
    for number, picture in enumerate(pixels):
        Image.fromarray(picture).save(folder / f"{number:05d}.png")
    return str(folder)


def job_of(data: str, given: Given, arm: str, device: str) -> Job:
    """A job that plays as the arm says."""
    precision, compiled = ARMS[arm]
    asked = {"device": device, "precision": precision, "threads": torch.get_num_threads()}
    job = Job(make_plan(data, {"images": 10**9, **asked, **given}), World())
    if compiled:
        job.stepper.compile("inductor", graphs=compiled == "graphs")
    return job


def theirs(folder: Path, job: Job, device: str) -> Play:
    """R3GAN's own round with our batch, on as many weights."""
    images = job.plan.data.arrays["real"].to(device)
    play, count = r3gan_loop.rounds(folder, job.plan["width"], job.batch, images, device)
    players = job.stepper.players.values()
    assert count == sum(one.numel() for player in players for one in player.parameters)
    return play


def seconds(play: Play, rounds: int, device: str) -> float:
    """Of a round."""
    wait(device)
    start = time.perf_counter()
    for _ in range(rounds):
        play()
    wait(device)
    return (time.perf_counter() - start) / rounds


def measure(case: str, data: str, options: argparse.Namespace, rate: float) -> list[str]:
    """The table of one system."""
    torch._dynamo.reset()
    device, given = options.device, CASES[case][1]
    jobs = {arm: job_of(data, given, arm, device) for arm in options.arms}
    job = jobs[options.arms[0]]
    work = products(partial(play_round, job), 4)  # r3gan's penalties are 4 rounds apart
    plays: dict[str, Play] = {arm: partial(play_round, one) for arm, one in jobs.items()}
    if options.r3gan and given.get("recipe") == "r3gan" and "preset" in given:
        plays[THEIRS] = theirs(options.r3gan.resolve(), job, device)
    for play in plays.values():
        seconds(play, max(8, options.rounds // 4), device)
    taken: dict[str, list[float]] = {arm: [] for arm in plays}
    for pair in range(options.pairs):
        for arm in list(plays)[:: -1 if pair % 2 else 1]:
            taken[arm].append(seconds(plays[arm], options.rounds, device))
    return [*table(taken, job.batch, work / rate), "", f"{work / 1e9:,.1f} billion operations.", ""]


def table(taken: dict[str, list[float]], batch: int, least: float) -> list[str]:
    """A line an arm. least: seconds of a round's products at the rate of large matrices."""
    first, public = next(iter(taken.values())), taken.get(THEIRS)
    lines = ["| | ms a round | images/s | times as fast | all | share | of theirs |"]
    lines += ["| --- " * 7 + "|"]
    for arm, times in taken.items():
        gains = [eager / mine for eager, mine in zip(first, times, strict=True)]
        beside = [other / mine for other, mine in zip(public or [], times, strict=False)]
        median = statistics.median(times)
        lines.append(
            f"| {arm} | {1000 * median:.2f} | {batch / median:,.0f} | "
            f"**{statistics.median(gains):.2f}** | {min(gains):.2f} to {max(gains):.2f} | "
            f"{least / median:.3f} | {f'{statistics.median(beside):.2f}' if beside else '-'} |"
        )
    return lines


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pairs", type=int, default=5)
    parser.add_argument("--rounds", type=int, default=40, help="of one block")
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--matrix", type=int, default=MATRIX, help="side of the large matrices")
    parser.add_argument("--cases", nargs="+", default=list(CASES), choices=CASES)
    parser.add_argument("--arms", nargs="+", default=list(ARMS), choices=ARMS)
    parser.add_argument("--r3gan", type=Path, help="a copy of R3GAN's public code")
    parser.add_argument("--out", type=Path, default=Path("docs/results/gpu.md"))
    options = parser.parse_args()
    rate = matrix_rate(torch.bfloat16, options.matrix, options.device)
    lines = [f"Large bfloat16 matrices: {rate / 1e12:,.1f} trillion operations a second.", ""]
    if options.r3gan:
        fast = r3gan_loop.compiled_operators(options.r3gan.resolve(), options.device)
        lines += [f"R3GAN's own code: its {'compiled' if fast else 'plain'} operators.", ""]
    with tempfile.TemporaryDirectory() as folder:
        noise = noise_pictures(Path(folder))
        for case in options.cases:
            data = CASES[case][0]
            found = measure(case, noise if data == "noise" else data, options, rate)
            lines += [f"**{case}**", "", *found]
            print("\n".join(lines), flush=True)
    write_page(options.out, "A round on a GPU", __doc__ or "", [*lines, hardware()])


if __name__ == "__main__":
    main()

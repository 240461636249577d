"""A round on a GPU: what each way of computing it gains on the same round in eager float32.

The arms are ours throughout, engine included: float32 as written; bfloat16; bfloat16 with compiled
networks; and those replayed as CUDA graphs. Blocks alternate in one run; each figure is the median
of the ratios of neighbours. Share: the round's products (counted by PyTorch, a multiplication and
an addition as two, second derivatives included) in its time, of what this card does on large
bfloat16 matrices.

`dcgan --preset classic` sees MNIST's size (the digits of this package), r3gan pictures of
CIFAR-10's size; pictures of noise, because a round takes as long whatever they show. Compiled
gradients are compared with eager ones by tests/test_cuda.py, which has to pass first.

    python benchmarks/gpu.py --pairs 5        writes docs/results/gpu.md
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

from floor import matrix_rate, products, wait
from mulligan.engine.job import Job
from mulligan.engine.parallel import World
from mulligan.engine.plan import make_plan
from mulligan.engine.rounds import play_round
from reporting import hardware, write_page

Given = dict[str, Any]

CASES: dict[str, tuple[str, Given]] = {
    "dcgan --preset classic, batch 256": ("digits", {"recipe": "dcgan", "preset": "classic"}),
    "r3gan, batch 64": ("noise", {"recipe": "r3gan"}),
    "r3gan, batch 256": ("noise", {"recipe": "r3gan", "batch": 256}),
    "r3gan --preset s, batch 64": ("noise", {"recipe": "r3gan", "preset": "s"}),
}
ARMS = {
    "float32, eager": ("float32", ""),
    "bfloat16": ("bfloat16", ""),
    "bfloat16, compiled": ("bfloat16", "compiled"),
    "bfloat16, compiled, graphs": ("bfloat16", "graphs"),
}
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


def seconds(job: Job, rounds: int, device: str) -> float:
    """Of a round."""
    wait(device)
    start = time.perf_counter()
    for _ in range(rounds):
        play_round(job)
    wait(device)
    return (time.perf_counter() - start) / rounds


def measure(data: str, given: Given, options: argparse.Namespace, rate: float) -> list[str]:
    """The table of one system."""
    torch._dynamo.reset()
    device, rounds = options.device, options.rounds
    jobs = {arm: job_of(data, given, arm, device) for arm in options.arms}
    first_job = jobs[options.arms[0]]
    work = products(partial(play_round, first_job), 4)  # r3gan's penalties are 4 rounds apart
    for job in jobs.values():
        seconds(job, max(8, rounds // 4), device)
    taken: dict[str, list[float]] = {arm: [] for arm in jobs}
    for pair in range(options.pairs):
        for arm in list(jobs)[:: -1 if pair % 2 else 1]:
            taken[arm].append(seconds(jobs[arm], rounds, device))
    first = taken[options.arms[0]]
    lines = ["| | ms a round | images/s | times as fast | all | share |", "| --- " * 6 + "|"]
    for arm, times in taken.items():
        gains = [eager / mine for eager, mine in zip(first, times, strict=True)]
        median = statistics.median(times)
        lines.append(
            f"| {arm} | {1000 * median:.2f} | {jobs[arm].batch / median:,.0f} | "
            f"**{statistics.median(gains):.2f}** | {min(gains):.2f} to {max(gains):.2f} | "
            f"{work / median / rate:.3f} |"
        )
    return [*lines, "", f"{work / 1e9:,.1f} billion operations a round.", ""]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pairs", type=int, default=5)
    parser.add_argument("--rounds", type=int, default=40, help="of one block")
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--matrix", type=int, default=MATRIX, help="side of the large matrices")
    parser.add_argument("--cases", nargs="+", default=list(CASES), choices=CASES)
    parser.add_argument("--arms", nargs="+", default=list(ARMS), choices=ARMS)
    parser.add_argument("--out", type=Path, default=Path("docs/results/gpu.md"))
    options = parser.parse_args()
    rate = matrix_rate(torch.bfloat16, options.matrix, options.device)
    lines = [f"Large bfloat16 matrices: {rate / 1e12:,.1f} trillion operations a second.", ""]
    with tempfile.TemporaryDirectory() as folder:
        noise = noise_pictures(Path(folder))
        for case in options.cases:
            data, given = CASES[case]
            found = measure(noise if data == "noise" else data, given, options, rate)
            lines += [f"**{case}**", "", *found]
            print("\n".join(lines), flush=True)
    write_page(options.out, "A round on a GPU", __doc__ or "", [*lines, hardware()])


if __name__ == "__main__":
    main()

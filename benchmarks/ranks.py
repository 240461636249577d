"""Two ranks on two cores against one rank on one core, and what that predicts for many.

A block is a fresh set of processes, each held to a core and a thread of its own: one alone, two at
once that do not know of each other (what sharing the memory costs), two ranks as torchrun starts
them on one machine (they meet over gloo and add in shared memory), and two that leave the sums to
gloo, as ranks of several machines do. Each plays the same rounds on the same number of images a
rank. Efficiency: seconds of one alone over seconds of two ranks. Blocks alternate; figures are
medians.

The model: seconds(n) = compute x sharing + updates x (hops(n) x latency + 2 (n - 1)/n x bytes /
bandwidth). Latency and bandwidth are those of the same all-reduce, timed by itself in the two
ranks. hops: 2 log2(n), a tree up and down. Checked against two ranks here; the larger numbers are a
prediction under the values beside them, not a measurement.

    python benchmarks/ranks.py --blocks 3        Linux; writes docs/results/ranks.md
"""

from __future__ import annotations

import argparse
import json
import math
import os
import socket
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import torch

from mulligan.engine.job import Job
from mulligan.engine.parallel import World, joined
from mulligan.engine.plan import make_plan
from mulligan.engine.rounds import play_round
from reporting import hardware, write_page

CASES: dict[str, dict[str, Any]] = {
    "dcgan, batch 64": {"recipe": "dcgan", "batch": 64},
    "dcgan --preset classic, batch 256": {"recipe": "dcgan", "preset": "classic", "batch": 256},
    "r3gan, batch 64": {"recipe": "r3gan", "batch": 64},
}
"""Batches are those of one rank."""

SECONDS = 4.0
SMALL, LARGE = 1, 4_000_000
"""Numbers of the two all-reduces that are timed: latency, bandwidth."""

Found = dict[str, float]

MACHINES = (8, 64, 256, 1024)
GPUS: dict[str, Found] = {
    "4 MB an update, 2 ms a round": {"round": 2e-3, "updates": 2, "bytes": 4e6},
    "4 MB, 10 ms": {"round": 10e-3, "updates": 2, "bytes": 4e6},
    "100 MB, 50 ms": {"round": 50e-3, "updates": 2, "bytes": 100e6},
    "100 MB, 200 ms": {"round": 200e-3, "updates": 2, "bytes": 100e6},
}
"""Gradients and seconds of small and large pairs of networks on one GPU, assumed."""

LINK = {"latency": 10e-6, "bandwidth": 40e9}
"""A network of GPUs, assumed: 10 microseconds a hop, 40 GB/s a GPU (400 Gb/s at four fifths)."""


def work(case: str, core: int) -> Found:
    """Seconds a round of this rank, and of the two all-reduces; all ranks play at once."""
    os.sched_setaffinity(0, {core})
    torch.set_num_threads(1)
    with joined() as world:
        given = {**CASES[case], "batch": CASES[case]["batch"] * world.size, "device": "cpu"}
        settled = {"images": 10**9, "precision": precision(), "threads": 1}
        job = Job(make_plan("mnist", {**given, **settled}), world)
        for _ in range(3):
            play_round(job)
        rounds = world.tell(max(5, int(SECONDS / _timed(lambda: play_round(job), 3))))
        world.agree(0)  # all begin together
        taken = _timed(lambda: play_round(job), rounds)
        found = {"round": taken, "small": _reduce(world, SMALL), "large": _reduce(world, LARGE)}
        players = job.stepper.players.values()
        sizes = [sum(p.numel() for p in player.parameters) for player in players]
        found |= {"updates": len(sizes), "bytes": 4 * sum(sizes) / len(sizes)}
        return found


def precision() -> str:
    from mulligan.engine.quickest import has_bfloat16

    return "bfloat16" if has_bfloat16() else "float32"


def _timed(call: Any, times: int) -> float:
    start = time.perf_counter()
    for _ in range(times):
        call()
    return (time.perf_counter() - start) / times


def _reduce(world: World, numbers: int) -> float:
    values = [torch.zeros(numbers)]
    world.sum(values)
    return _timed(lambda: world.sum(values), 20)


def block(case: str, ranks: int, together: bool, near: bool) -> Found:
    """One set of processes; the slowest round of them, and what the first says of the rest.

    together: they know of each other. near: and that they are on one machine.
    """
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    children = []
    for rank in range(ranks):
        joint = {"RANK": str(rank), "LOCAL_RANK": str(rank), "WORLD_SIZE": str(ranks)}
        joint |= {"LOCAL_WORLD_SIZE": str(ranks if near else 1)}
        joint |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
        call = [sys.executable, __file__, "--case", case, "--core", str(rank)]
        env = {**os.environ, **(joint if together else {})}
        children.append(subprocess.Popen(call, env=env, stdout=subprocess.PIPE, text=True))
    found = [json.loads(child.communicate()[0].splitlines()[-1]) for child in children]
    return {**found[0], "round": max(one["round"] for one in found)}


def predicted(found: Found, ranks: int, latency: float, bandwidth: float) -> float:
    """Seconds a round of `ranks` by the model, from the seconds that one takes in company."""
    hops, moved = 2 * math.log2(ranks), 2 * (ranks - 1) / ranks * found["bytes"]
    return found["round"] + found["updates"] * (hops * latency + moved / bandwidth)


def measure(case: str, blocks: int) -> dict[str, Found]:
    """Medians of the blocks of each kind."""
    kinds = {"alone": (1, False, False), "beside": (2, False, False)}
    kinds |= {"ranks": (2, True, True), "gloo": (2, True, False)}
    every: dict[str, list[Found]] = {kind: [] for kind in kinds}
    for _ in range(blocks):
        for kind, how in kinds.items():
            every[kind].append(block(case, *how))
    return {
        kind: {key: statistics.median(one[key] for one in found) for key in found[0]}
        for kind, found in every.items()
    }


def report(blocks: int) -> list[str]:
    """The lines of the page."""
    heads = ["", "one alone", "two at once", "two ranks", "efficiency", "of two at once", "model"]
    heads += ["sums by gloo", "efficiency"]
    lines = [f"| {' | '.join(heads)} |", "| --- " * len(heads) + "|"]
    for case in CASES:
        found = measure(case, blocks)
        alone, beside, ranks, gloo = (one["round"] for one in found.values())
        latency = found["ranks"]["small"] / 2
        bandwidth = 4 * LARGE / found["ranks"]["large"]
        model = predicted(found["beside"], 2, latency, bandwidth)
        ms = " | ".join(f"{1000 * value:.1f} ms" for value in (alone, beside, ranks))
        shares = f"**{alone / ranks:.2f}** | {beside / ranks:.2f} | {1000 * model:.1f} ms"
        shares += f" | {1000 * gloo:.1f} ms | {alone / gloo:.2f}"
        lines.append(f"| {case} | {ms} | {shares} |")
        print(lines[-1], f"{latency * 1e6:.0f} us, {bandwidth / 1e9:.2f} GB/s", flush=True)
    note = f"Predicted efficiency of {LINK['latency'] * 1e6:.0f} microseconds a hop and "
    note += f"{LINK['bandwidth'] / 1e9:.0f} GB/s a GPU, the batch of a GPU fixed:"
    ahead = ["| GPUs | " + " | ".join(GPUS) + " |", "| --- " * (1 + len(GPUS)) + "|"]
    for count in MACHINES:
        kept = [one["round"] / predicted(one, count, **LINK) for one in GPUS.values()]
        ahead.append(f"| {count:,} | {' | '.join(f'{share:.3f}' for share in kept)} |")
    return [*lines, "", note, "", *ahead]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--blocks", type=int, default=5)
    parser.add_argument("--case", help="play one block of it: what the benchmark starts")
    parser.add_argument("--core", type=int, default=0)
    parser.add_argument("--out", type=Path, default=Path("docs/results/ranks.md"))
    options = parser.parse_args()
    if options.case:
        print(json.dumps(work(options.case, options.core)))
        return
    lines = report(options.blocks)
    write_page(options.out, "Ranks", __doc__ or "", [*lines, "", hardware()])


if __name__ == "__main__":
    main()

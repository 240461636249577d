"""What the engine costs: its round against a bare hand-written loop with the same networks.

Both run in one process in alternating blocks, so that whatever slows the machine slows both; the
figure is the median of the ratios of neighbouring blocks. The bare loop has the same optimizer,
batch, noise and precision, draws its rows at random, freezes the discriminator in the generator's
step, and logs, averages, checks and seeds nothing.

    python benchmarks/overhead.py --pairs 9        writes docs/results/overhead.md
"""

from __future__ import annotations

import argparse
import copy
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import torch
import torch.nn.functional as F

from mulligan.engine.job import Job
from mulligan.engine.parallel import World
from mulligan.engine.plan import make_plan
from mulligan.engine.rounds import play_round
from reporting import hardware, write_page

LIMITS = {"gan": 1.25, "gan --preset classic": 1.25, "dcgan": 1.05}


def make_job(name: str) -> Job:
    """The job of `mulligan train digits --recipe NAME`, ready to play."""
    recipe, _, preset = name.partition(" --preset ")
    given = {"recipe": recipe, "preset": preset, "images": 10**9, "device": "cpu"}
    same = {"precision": "float32", "threads": torch.get_num_threads()}
    return Job(make_plan("digits", {**given, **same}), World())


def bare_round(job: Job) -> Callable[[], None]:
    """One round as a careful script would write it, on copies of the job's networks."""
    generator = copy.deepcopy(job.recipe.get_submodule("generator")).train()
    discriminator = copy.deepcopy(job.recipe.get_submodule("discriminator")).train()
    discriminator.requires_grad_(True)
    generator.requires_grad_(True)
    knobs = job.recipe.settings
    betas = (knobs.beta1, knobs.beta2)  # type: ignore[attr-defined]
    rate = knobs.rate  # type: ignore[attr-defined]
    g_adam = torch.optim.Adam(generator.parameters(), lr=rate, betas=betas, fused=True)
    d_adam = torch.optim.Adam(discriminator.parameters(), lr=rate, betas=betas, fused=True)
    images = job.plan.data.arrays["real"]
    batch, latent = job.batch, job.recipe.latent
    separate = bool(getattr(knobs, "separate", False))

    def reals() -> torch.Tensor:
        rows = torch.randint(len(images), (batch,))
        return images[rows].float() / 127.5 - 1

    def step() -> None:
        d_adam.zero_grad(set_to_none=True)
        loss = F.softplus(-discriminator(reals())).mean()
        if separate:
            loss.backward()
            d_adam.step()
            d_adam.zero_grad(set_to_none=True)
        with torch.no_grad():
            fake = generator(torch.randn(batch, latent))
        on_fakes = F.softplus(discriminator(fake)).mean()
        (on_fakes if separate else loss + on_fakes).backward()
        d_adam.step()
        discriminator.requires_grad_(False)
        g_adam.zero_grad(set_to_none=True)
        F.softplus(-discriminator(generator(torch.randn(batch, latent)))).mean().backward()
        g_adam.step()
        discriminator.requires_grad_(True)

    return step


def seconds_a_round(step: Callable[[], None], rounds: int) -> float:
    start = time.perf_counter()
    for _ in range(rounds):
        step()
    return (time.perf_counter() - start) / rounds


def alternating(
    one: Callable[[], None], other: Callable[[], None], pairs: int, rounds: int
) -> list[tuple[float, float]]:
    """Seconds a round of both, in neighbouring blocks; who begins takes turns. One warms up."""
    seconds_a_round(one, rounds)
    times = []
    for pair in range(pairs):
        steps = (other, one) if pair % 2 else (one, other)
        taken = {step: seconds_a_round(step, rounds) for step in steps}
        times.append((taken[one], taken[other]))
    return times


def measure(name: str, pairs: int, block: float) -> dict[str, float]:
    """Median seconds a round of both loops, and the median of the ratios."""
    job = make_job(name)
    bare = bare_round(job)

    def ours() -> None:
        play_round(job)

    rounds = max(3, int(block / seconds_a_round(bare, 10)))
    times = alternating(ours, bare, pairs, rounds)
    ratios = [one / other for one, other in times]
    return {
        "ours": statistics.median(t[0] for t in times),
        "bare": statistics.median(t[1] for t in times),
        "ratio": statistics.median(ratios),
        "low": min(ratios),
        "high": max(ratios),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pairs", type=int, default=9)
    parser.add_argument("--block", type=float, default=2.0, help="seconds of one block")
    parser.add_argument("--out", type=Path, default=Path("docs/results/overhead.md"))
    options = parser.parse_args()
    rows = []
    for name, limit in LIMITS.items():
        found = measure(name, options.pairs, options.block)
        rows.append(
            f"| {name} | {1e3 * found['bare']:.2f} | {1e3 * found['ours']:.2f} | "
            f"**{found['ratio']:.3f}** | {found['low']:.3f} to {found['high']:.3f} | {limit} |"
        )
        print(rows[-1], flush=True)
    table = [
        "| recipe | bare loop, ms a round | engine, ms a round | ratio | all pairs | aim |",
        "| --- | --- | --- | --- | --- | --- |",
        *rows,
    ]
    assert __doc__ is not None
    write_page(options.out, "Engine overhead", __doc__, [*table, "", hardware()])


if __name__ == "__main__":
    main()

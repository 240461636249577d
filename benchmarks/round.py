"""One round of the classic DCGAN, batch 256: ours, and as a straightforward script would play it.

The script has the same layers in PyTorch's own modules, float32, `torch.optim.Adam`, one batch of
fakes for both players, and nothing else: no log, no average, no seeds. Ours is what
`mulligan train mnist --preset classic` does on this machine, engine included. Blocks of rounds
alternate in one process; the figure is the median of the ratios of neighbours. The floor is the sum
over the layers of the quickest time that each takes alone, as often as a round needs it (floor.py),
of one thread in bfloat16 where the processor has it.

    python benchmarks/round.py --pairs 7        writes docs/results/round.md
"""

from __future__ import annotations

import argparse
import statistics
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor, nn

from floor import Layer, conv, dense, seconds, transposed
from mulligan.engine.environment import own_threads
from mulligan.engine.job import Job
from mulligan.engine.parallel import World
from mulligan.engine.plan import make_plan
from mulligan.engine.quickest import has_bfloat16
from mulligan.engine.rounds import play_round
from overhead import alternating
from reporting import hardware, write_page

BATCH, LATENT = 256, 100


def script(images: Tensor) -> Callable[[], None]:
    """A round as a tutorial writes it."""
    generator = nn.Sequential(
        nn.Linear(LATENT, 7 * 7 * 256, bias=False),
        nn.BatchNorm1d(7 * 7 * 256),
        nn.LeakyReLU(0.3),
        nn.Unflatten(1, (256, 7, 7)),
        nn.ConvTranspose2d(256, 128, 5, padding=2, bias=False),
        nn.BatchNorm2d(128),
        nn.LeakyReLU(0.3),
        nn.ConvTranspose2d(128, 64, 5, stride=2, padding=2, output_padding=1, bias=False),
        nn.BatchNorm2d(64),
        nn.LeakyReLU(0.3),
        nn.ConvTranspose2d(64, 1, 5, stride=2, padding=2, output_padding=1, bias=False),
        nn.Tanh(),
    )
    discriminator = nn.Sequential(
        nn.Conv2d(1, 64, 5, stride=2, padding=2),
        nn.LeakyReLU(0.3),
        nn.Dropout(0.3),
        nn.Conv2d(64, 128, 5, stride=2, padding=2),
        nn.LeakyReLU(0.3),
        nn.Dropout(0.3),
        nn.Flatten(),
        nn.Linear(7 * 7 * 128, 1),
    )
    loss = nn.BCEWithLogitsLoss()
    g_adam = torch.optim.Adam(generator.parameters(), lr=1e-4)
    d_adam = torch.optim.Adam(discriminator.parameters(), lr=1e-4)
    ones, zeros = torch.ones(BATCH, 1), torch.zeros(BATCH, 1)

    def step() -> None:
        real = images[torch.randint(len(images), (BATCH,))].float() / 127.5 - 1
        fake = generator(torch.randn(BATCH, LATENT))
        d_adam.zero_grad()
        d_loss = loss(discriminator(real), ones) + loss(discriminator(fake.detach()), zeros)
        d_loss.backward()
        d_adam.step()
        g_adam.zero_grad()
        loss(discriminator(fake), ones).backward()
        g_adam.step()

    return step


def floor() -> dict[str, float]:
    """Seconds of a round's layers alone on one thread, by number format.

    The generator runs forward in the discriminator's turn, and forward and back in its own; the
    discriminator twice in its turn, and once for the slope at its input in the generator's.
    """
    makes = [dense(BATCH, LATENT, 7 * 7 * 256), transposed(BATCH, 256, 128, 7, 5, 1)]
    makes += [transposed(BATCH, 128, 64, 7, 5, 2), transposed(BATCH, 64, 1, 14, 5, 2)]
    judges = [conv(BATCH, 1, 64, 28, 5, 2), conv(BATCH, 64, 128, 14, 5, 2)]
    judges += [dense(BATCH, 7 * 7 * 128, 1)]

    def both(layers: list[Layer], dtype: torch.dtype) -> float:
        first, *others = (seconds(layer, "w" if i == 0 else "xw", dtype)
                          for i, layer in enumerate(layers))  # fmt: skip
        return first + sum(others)

    found = {}
    for dtype in (torch.float32, torch.bfloat16) if has_bfloat16() else (torch.float32,):
        with own_threads(1):
            forward = sum(seconds(layer, "", dtype) for layer in makes)
            slope = sum(seconds(layer, "x", dtype) for layer in judges)
            total = forward + both(makes, dtype) + 2 * both(judges, dtype) + slope
        found[str(dtype).removeprefix("torch.")] = total
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pairs", type=int, default=7)
    parser.add_argument("--rounds", type=int, default=4, help="rounds of one block")
    parser.add_argument("--out", type=Path, default=Path("docs/results/round.md"))
    options = parser.parse_args()
    given = {"recipe": "dcgan", "preset": "classic", "device": "cpu"}
    job = Job(make_plan("mnist", given), World())
    plain = script(job.plan.data.arrays["real"])
    torch.manual_seed(0)

    def ours() -> None:
        play_round(job)

    pairs = alternating(plain, ours, options.pairs, options.rounds)
    script_s, ours_s = (statistics.median(side) for side in zip(*pairs, strict=True))
    ratios = [a / b for a, b in pairs]
    lines = ["| | ms a round |", "| --- | --- |", f"| script, float32 | {1000 * script_s:.0f} |"]
    lines.append(f"| ours, {job.precision}, threads: {job.plan['threads']} | {1000 * ours_s:.0f} |")
    lines += [f"| floor, {name}, one thread | {1000 * s:.0f} |" for name, s in floor().items()]
    lines += ["", f"**{statistics.median(ratios):.2f} times as fast** "]
    lines[-1] += f"({min(ratios):.2f} to {max(ratios):.2f} in {len(ratios)} pairs)."
    lines += ["", job.plan.values["precision"].reason + ".", "", hardware()]
    print("\n".join(lines))
    write_page(options.out, "A round of the classic DCGAN", __doc__ or "", lines)


if __name__ == "__main__":
    main()

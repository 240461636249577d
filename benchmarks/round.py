"""One round of the classic GAN and DCGAN: ours, as a script would play it, and as Keras does.

The script has the same layers in PyTorch's own modules, float32, `torch.optim.Adam`, one batch of
fakes for both players, and nothing else: no log, no average, no seeds. Keras plays what the texts
write: `train_on_batch` for the GAN, a compiled `train_step` for the DCGAN (keras_rounds.py, in an
environment of its own, named by `--keras`). Ours is what `mulligan train mnist --preset classic`
does on this machine, engine included. The floor is the sum over the layers of the quickest time
that each takes alone, as often as a round needs it (floor.py), on as many threads as ours takes.
Blocks of all of them alternate in one run; each figure is the median of the ratios of neighbours.

    python benchmarks/round.py --pairs 7        writes docs/results/round.md
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from floor import Layer, conv, dense, matrix_rate, products, seconds, transposed
from mulligan.engine.environment import own_threads
from mulligan.engine.job import Job
from mulligan.engine.parallel import World
from mulligan.engine.plan import make_plan
from mulligan.engine.quickest import has_bfloat16
from mulligan.engine.rounds import play_round
from overhead import seconds_a_round
from reporting import hardware, write_page

BATCH, LATENT, MATRIX = 256, 100, 2048
Step = Callable[[], None]
THREADS = torch.get_num_threads()
"""What PyTorch chooses, and the script takes."""


def dcgan_script(images: Tensor) -> Step:
    """A round of the DCGAN as a tutorial writes it."""
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
    return played(generator, discriminator, images, BATCH, 1e-4)


def gan_script(images: Tensor) -> Step:
    """A round of the GAN, two layers each."""
    generator = nn.Sequential(
        nn.Linear(LATENT, 128),
        nn.LeakyReLU(0.01),
        nn.Linear(128, 28 * 28),
        nn.Tanh(),
        nn.Unflatten(1, (1, 28, 28)),
    )
    discriminator = nn.Sequential(
        nn.Flatten(), nn.Linear(28 * 28, 128), nn.LeakyReLU(0.01), nn.Linear(128, 1)
    )
    return played(generator, discriminator, images, 128, 1e-3)


def played(
    generator: nn.Module, discriminator: nn.Module, images: Tensor, batch: int, rate: float
) -> Step:
    """The usual round of the two."""
    loss = nn.BCEWithLogitsLoss()
    g_adam = torch.optim.Adam(generator.parameters(), lr=rate)
    d_adam = torch.optim.Adam(discriminator.parameters(), lr=rate)
    ones, zeros = torch.ones(batch, 1), torch.zeros(batch, 1)

    def step() -> None:
        real = images[torch.randint(len(images), (batch,))].float() / 127.5 - 1
        fake = generator(torch.randn(batch, LATENT))
        d_adam.zero_grad()
        d_loss = loss(discriminator(real), ones) + loss(discriminator(fake.detach()), zeros)
        d_loss.backward()
        d_adam.step()
        g_adam.zero_grad()
        loss(discriminator(fake), ones).backward()
        g_adam.step()

    return step


Layers = tuple[list[Layer], list[Layer]]


def dcgan_layers() -> Layers:
    """Those of the generator, and of the discriminator."""
    makes = [dense(BATCH, LATENT, 7 * 7 * 256), transposed(BATCH, 256, 128, 7, 5, 1)]
    makes += [transposed(BATCH, 128, 64, 7, 5, 2), transposed(BATCH, 64, 1, 14, 5, 2)]
    judges = [conv(BATCH, 1, 64, 28, 5, 2), conv(BATCH, 64, 128, 14, 5, 2)]
    return makes, [*judges, dense(BATCH, 7 * 7 * 128, 1)]


def gan_layers() -> Layers:
    makes = [dense(128, LATENT, 128), dense(128, 128, 28 * 28)]
    return makes, [dense(128, 28 * 28, 128), dense(128, 128, 1)]


def floor(layers: Layers, threads: int, dtype: torch.dtype) -> float:
    """Seconds of a round's layers alone.

    The generator runs forward in the discriminator's turn, and forward and back in its own; the
    discriminator twice in its turn, and once for the slope at its input in the generator's.
    """
    makes, judges = layers

    def both(layers: list[Layer]) -> float:
        first, *others = (seconds(layer, "w" if i == 0 else "xw", dtype)
                          for i, layer in enumerate(layers))  # fmt: skip
        return first + sum(others)

    with own_threads(threads):
        forward = sum(seconds(layer, "", dtype) for layer in makes)
        slope = sum(seconds(layer, "x", dtype) for layer in judges)
        return forward + both(makes) + 2 * both(judges) + slope


def formats() -> tuple[torch.dtype, ...]:
    """The number formats that this processor multiplies itself."""
    return (torch.float32, torch.bfloat16) if has_bfloat16() else (torch.float32,)


def named(dtype: torch.dtype) -> str:
    return str(dtype).removeprefix("torch.")


class Keras:
    """Rounds in another environment, played on request."""

    def __init__(self, python: str) -> None:
        script = Path(__file__).with_name("keras_rounds.py")
        quiet = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"}
        quiet.pop("OMP_NUM_THREADS", None)
        pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
        pipes["stderr"] = subprocess.DEVNULL
        self.child = subprocess.Popen([python, str(script)], env=quiet, text=True, **pipes)

    def seconds(self, kind: str, rounds: int) -> float:
        """Of a round."""
        assert self.child.stdin is not None
        assert self.child.stdout is not None
        try:
            self.child.stdin.write(f"{kind} {rounds}\n")
            self.child.stdin.flush()
            return float(self.child.stdout.readline()) / rounds
        except (BrokenPipeError, ValueError) as reason:
            told = "Keras has ended; keras_rounds.py, run by hand, says why. It needs tensorflow"
            raise SystemExit(f"{told} and tf_keras.") from reason


@dataclass(frozen=True)
class Case:
    """rounds: of one block, of ours and of the script; keras: the same for Keras."""

    script: Callable[[Tensor], Step]
    layers: Callable[[], Layers]
    rounds: int
    keras: int


CASES = {
    "gan": Case(gan_script, gan_layers, 400, 10),
    "dcgan": Case(dcgan_script, dcgan_layers, 4, 4),
}


def measure(kind: str, pairs: int, keras: Keras | None) -> list[str]:
    """The lines of one system."""
    case = CASES[kind]
    given = {"recipe": kind, "preset": "classic", "device": "cpu"}
    torch.set_num_threads(THREADS)
    job = Job(make_plan("mnist", given), World())
    torch.manual_seed(0)
    steps: dict[str, Callable[[int], float]] = {
        "ours": lambda count: seconds_a_round(lambda: play_round(job), count),
        "script, float32": partial(seconds_a_round, case.script(job.plan.data.arrays["real"])),
    }
    counts = dict.fromkeys(steps, case.rounds)
    if keras:
        steps["Keras"], counts["Keras"] = partial(keras.seconds, kind), case.keras
    for name, step in steps.items():
        step(max(2, counts[name] // 4))
    taken: dict[str, list[float]] = {name: [] for name in steps}
    for pair in range(pairs):
        for name in list(steps)[:: -1 if pair % 2 else 1]:
            with own_threads(job.plan["threads"] if name == "ours" else THREADS):
                taken[name].append(steps[name](counts[name]))
        for dtype in formats():
            alone = taken.setdefault(f"floor, {named(dtype)}", [])
            alone.append(floor(case.layers(), job.plan["threads"], dtype))
    return table(kind, taken, job)


def table(kind: str, taken: dict[str, list[float]], job: Job) -> list[str]:
    """Milliseconds, ratios and shares."""
    lines = [f"**{kind} --preset classic**, a batch of {job.batch}:", ""]
    lines += ["| | ms a round | ratio to ours | all |", "| --- " * 4 + "|"]
    for name, times in taken.items():
        ratios = [other / mine for other, mine in zip(times, taken["ours"], strict=True)]
        spread = f"{min(ratios):.2f} to {max(ratios):.2f}"
        ratio = f"**{statistics.median(ratios):.2f}** | {spread}" if name != "ours" else "1 | "
        name += f", {job.precision}, threads: {job.plan['threads']}" if name == "ours" else ""
        lines.append(f"| {name} | {1000 * statistics.median(times):.2f} | {ratio} |")
    work = products(partial(play_round, job), 2)
    with own_threads(job.plan["threads"]):
        least = {named(dtype): work / matrix_rate(dtype, MATRIX) for dtype in formats()}
    said = " and ".join(f"{1000 * span:.2f} ms in {name}" for name, span in least.items())
    lines += ["", f"{work / 1e9:,.2f} billion operations, for large matrices {said}."]
    return [*lines, "", job.plan.values["precision"].reason + ".", ""]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pairs", type=int, default=7)
    parser.add_argument("--keras", default="", help="the Python of an environment with TensorFlow")
    parser.add_argument("--out", type=Path, default=Path("docs/results/round.md"))
    options = parser.parse_args()
    keras = Keras(options.keras) if options.keras else None
    lines = [line for kind in CASES for line in measure(kind, options.pairs, keras)]
    print("\n".join(lines))
    write_page(options.out, "A round of the classics", __doc__ or "", [*lines, hardware()])


if __name__ == "__main__":
    main()

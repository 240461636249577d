"""Others' training loops beside ours, for equal minutes on this machine: images a second, quality.

Their code runs unmodified, from copies that the user names (nothing of theirs is part of this
project):

- PyTorch-GAN's DCGAN (github.com/eriklindernoren/PyTorch-GAN, implementations/dcgan), at its
  defaults: MNIST at 32 x 32 pixels, batch 64.
- the DCGAN of TensorFlow's tutorials, as keras_dcgan.py writes it down, by the Python of an
  environment with TensorFlow: MNIST, batch 256, a compiled `train_step`.
- mimicry's SNGAN (github.com/kwotsin/mimicry), its example: CIFAR-10, ResNet, five critic updates.
  Its networks are the paper's, as ours with `--width 128 --latent 128`; our default is narrower.

What they import from torchvision is a few lines here (reading MNIST, resizing by Pillow, tensors),
because torchvision belongs to one release of PyTorch. Each side gets the threads it chooses and
the machine for itself, in turns. Quality is FD of 10,000 samples: MNIST's against the test images
through the shipped extractor, for which 32 pixels become 28.

lightweight-gan asks for CUDA when it is imported, so it is not here. Our default is told the
classes, which theirs are not.

    python benchmarks/peers.py --pytorch-gan FOLDER --mimicry FOLDER --keras PYTHON --seconds 600

needs MULLIGAN_DATA; writes docs/results/peers.md. Resumable: an arm of as many seconds is not
played again.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from convert_cifar10 import cifar10_zip
from mulligan import evaluate, load, train
from mulligan.disk import tidy_name
from mulligan.evaluation.result import Evaluation
from peers_loops import COUNT, keras, mimicry, pytorch_gan
from reporting import hardware, write_page

Play = Callable[[Path, float, Path], int | tuple[int, float]]
"""From a folder, seconds and a place for samples to the images seen, with the seconds it took."""


def own(data: str, **options: Any) -> Play:
    """Our training of these data, start and measuring included in the seconds."""

    def played(_: Path, seconds: float, out: Path) -> tuple[int, float]:
        begun = time.monotonic()
        with tempfile.TemporaryDirectory() as home:
            asked = {**options, "time": f"{seconds:.0f}s", "runs_dir": home, "device": "cpu"}
            run = train(place_of(data), **asked)
            taken = time.monotonic() - begun
            np.savez(out, images=load(run, checkpoint="last").sample(COUNT, seed=0).images)
            return int(run.info()["images"]), taken

    return played


ARMS: dict[str, tuple[str, Play]] = {
    "PyTorch-GAN, DCGAN": ("mnist", pytorch_gan),
    "TensorFlow's tutorial, DCGAN": ("mnist", keras),
    "ours, default": ("mnist", own("mnist")),
    "mimicry, SNGAN": ("cifar10", mimicry),
    "ours, sngan": ("cifar10", own("cifar10", recipe="sngan")),
    "ours, sngan --width 128 --latent 128": (
        "cifar10", own("cifar10", recipe="sngan", width=128, latent=128)
    ),
    "ours, default on colours": ("cifar10", own("cifar10")),
}  # fmt: skip


def place_of(data: str) -> str:
    """What `mulligan train` is given."""
    return str(cifar10_zip()) if data == "cifar10" else data


def figure(data: str, samples: Path) -> str:
    """FD of the samples against the real images, with its interval."""
    found: Evaluation = evaluate(samples, place_of(data), count=COUNT)
    fd = next(one for one in found.figures if one.name.startswith(("FD", "FID")))
    return f"{fd.name} {fd.value:.1f} ({fd.low:.1f} to {fd.high:.1f})"


def row(arm: str, seconds: float) -> str:
    """An arm's line of the table: played in a process of its own, or kept from an earlier run."""
    data = ARMS[arm][0]
    samples = Path("runs/campaigns") / f"peers-{tidy_name(arm)}-{seconds:.0f}s.npz"
    kept = samples.with_suffix(".json")
    if not kept.exists():
        call = [sys.executable, *sys.argv, "--play", arm, "--out", str(samples)]
        done = subprocess.run(call, env=os.environ, capture_output=True, text=True, check=True)
        seen, taken = done.stderr.split()[-2:]
        found = {"images": int(seen), "seconds": float(taken), "quality": figure(data, samples)}
        kept.write_text(json.dumps(found))
    found = json.loads(kept.read_text())
    seen, taken = found["images"], found["seconds"]
    pace = f"{taken:.0f} | {seen:,} | {seen / taken:,.0f}"
    return f"| {arm} | {data} | {pace} | {found['quality']} |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pytorch-gan", type=Path, required=True)
    parser.add_argument("--mimicry", type=Path, required=True)
    parser.add_argument("--keras", type=Path, required=True)
    parser.add_argument("--seconds", type=float, default=600)
    parser.add_argument("--arms", nargs="+", choices=ARMS, default=list(ARMS))
    parser.add_argument("--play", help="one arm alone, its samples to --out; the images to stderr")
    parser.add_argument("--out", type=Path, default=Path("docs/results/peers.md"))
    options = parser.parse_args()
    theirs: dict[Play, Path] = {
        pytorch_gan: options.pytorch_gan, mimicry: options.mimicry, keras: options.keras
    }  # fmt: skip
    if options.play:
        play = ARMS[options.play][1]
        found = play(theirs.get(play, Path()).absolute(), options.seconds, options.out.absolute())
        seen, taken = found if isinstance(found, tuple) else (found, options.seconds)
        print(seen, taken, file=sys.stderr)
        return
    lines = ["| | data | seconds | images | images/s | quality |", "| --- " * 6 + "|"]
    for arm in options.arms:
        lines.append(row(arm, options.seconds))
        print(lines[-1], flush=True)
    write_page(options.out, "Peers", __doc__ or "", [*lines, "", hardware()])


if __name__ == "__main__":
    main()

"""Train the digits generator that comes with the package, and write it.

    python scripts/make_generator.py [--images 400k]

cgan on the embedded digits, so that `mulligan sample digits --label 7` shows something within
seconds of installing. Its weights are rounded to bfloat16, which keeps the file below 1 MB.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import torch

import mulligan
from mulligan.engine import checkpoint, portable
from mulligan.model import SHIPPED


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", default="400k")
    parser.add_argument("--runs-dir", type=Path, default=Path("runs"))
    options = parser.parse_args()
    run = mulligan.train(
        "digits",
        recipe="cgan",
        images=options.images,
        seed=0,
        name="shipped-digits",
        runs_dir=str(options.runs_dir),
        force=True,
    )
    best = run.info()["best"]["round"]
    path = SHIPPED / f"digits{portable.SUFFIX}"
    path.parent.mkdir(exist_ok=True)
    found = checkpoint.load(run.checkpoints / f"step-{best:07d}")
    portable.write(found, path, torch.bfloat16)
    print(f"{path}: {path.stat().st_size:,} bytes, round {best}")


if __name__ == "__main__":
    main()

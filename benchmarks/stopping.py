"""Runs made to get worse: is the best checkpoint kept, and does the run stop in time?

`dcgan` on 500 digits, which its discriminator learns by heart, and `gan` for very long. Each runs
once with the stop rule, then to its end without (the same run, as evaluating changes nothing). The
kept checkpoint must be the best of all evaluations up to the stop, within their intervals; the stop
must come no later than 1.25 times the images at the best plus the patience; what the rest of the
long run would have brought stands beside it.

    python benchmarks/stopping.py        resumable; writes docs/results/stopping.md
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import torch

from campaign import finished
from mulligan import pictures
from mulligan.data.open import open_data
from mulligan.run import Run
from reporting import hardware, write_page

CASES: dict[str, dict[str, Any]] = {
    "dcgan on 500 digits": {"recipe": "dcgan", "images": 400_000, "held_out": 0.2},
    "gan, long": {"recipe": "gan", "images": 3_000_000},
}
PATIENCE = 10


def small_set(folder: Path) -> Path:
    """625 of the embedded digits as pictures: 500 to train on and 125 held out."""
    home = folder / "digits-625"
    if not home.exists():
        home.mkdir(parents=True)
        data = open_data("digits")
        rows = torch.randperm(10_000, generator=torch.Generator().manual_seed(5))[:625]
        for row in rows.tolist():
            image = data.arrays["real"][row : row + 1].numpy()
            pictures.grid(image, 1, scale=1).crop((1, 1, 29, 29)).save(home / f"{row:05}.png")
    return home


def evaluations(run: Run) -> list[dict[str, Any]]:
    """(images, value, low, high) of every evaluation of a run."""
    rows = []
    for row in run.figure_rows():
        figure = row["figures"][0]
        rows.append({"images": row["images"], **{k: figure[k] for k in ("value", "low", "high")}})
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs-dir", type=Path, default=Path("runs/campaigns"))
    parser.add_argument("--out", type=Path, default=Path("docs/results/stopping.md"))
    options = parser.parse_args()
    lines = ["| run | figure | best of the stopped run | stopped at | allowed | kept checkpoint | "
             "last of the long run | long run's best |", "| --- " * 8 + "|"]  # fmt: skip
    for name, asked in CASES.items():
        data = str(small_set(options.runs_dir)) if "500" in name else "digits"
        asked = {**asked, "device": "cpu", "extractor": "digits", "channels": 1}
        stopped = finished(data, options.runs_dir, patience=PATIENCE, **asked)
        whole = finished(data, options.runs_dir, patience=0, **asked)
        lines.append(line(name, stopped, whole))
        print(lines[-1], stopped.info()["reason"], flush=True)
    lines += ["", "Values with their 95 % intervals; lower is better. Patience: "
              f"{PATIENCE} evaluations.", "", hardware()]  # fmt: skip
    write_page(options.out, "The best is kept, and the run stops", __doc__ or "", lines)


def line(name: str, stopped: Run, whole: Run) -> str:
    """One row of the table; fails if the checkpoint of the best is not there."""
    rows, every = evaluations(stopped), evaluations(whole)
    figure = stopped.figure_rows()[0]["figures"][0]["name"]
    best = min(rows, key=lambda row: float(row["value"]))
    kept = stopped.info()["best"]
    assert kept["images"] == best["images"], json.dumps([kept, best])
    assert (stopped.checkpoints / f"step-{kept['round']:07d}").is_dir()
    apart = rows[1]["images"] - rows[0]["images"]
    allowed = 1.25 * best["images"] + PATIENCE * apart
    assert rows == every[: len(rows)] or len(every) < len(rows), "evaluating changed a run"
    top = min(every, key=lambda row: float(row["value"]))
    within = "within noise of it" if kept["low"] <= top["high"] and top["low"] <= kept["high"] \
        else "worse than it"  # fmt: skip
    return (
        f"| {name} | {figure} | {show(best)} | {rows[-1]['images']:,} | {allowed:,.0f} | "
        f"round {kept['round']:,}, {within} | {show(every[-1])} | {show(top)} |"
    )


def show(row: dict[str, Any]) -> str:
    return f"{row['value']:.4g} ({row['low']:.4g} to {row['high']:.4g}) at {row['images']:,}"


if __name__ == "__main__":
    main()

"""What `make demo` made: its last grid, a picture of its report, and which digits are there.

The digits are counted in 1,000 samples by their nearest training digit (smallest squared
difference of pixels), a crude judge that needs no trained network.

    python benchmarks/demo_page.py runs/demo        writes docs/results/demo.md and docs/pictures/
"""

from __future__ import annotations

import argparse
import re
import shutil
import subprocess
import tempfile
from pathlib import Path

import torch
from torch import Tensor

from mulligan import load
from mulligan.data.open import open_data
from mulligan.run import Run
from reporting import hardware, write_page

SAMPLES = 1_000
BROWSERS = ("chromium", "chromium-browser", "google-chrome")


def classes_by_neighbour(samples: Tensor) -> list[int]:
    """How many samples are nearest to a training digit of each class. samples: uint8 (N, H, W)."""
    data = open_data("digits")
    real = data.arrays["real"].flatten(1).float()
    nearest = torch.cdist(samples.flatten(1).float(), real).argmin(1)
    return torch.bincount(data.arrays["label"][nearest], minlength=10).tolist()


def screenshot(page: Path, picture: Path) -> bool:
    """Draw a page with a headless browser, if there is one."""
    browser = next((found for name in BROWSERS if (found := shutil.which(name))), None)
    if browser is None:
        return False
    with tempfile.TemporaryDirectory() as profile:
        flags = "--headless --no-sandbox --disable-gpu --hide-scrollbars --no-first-run"
        flags += " --disable-background-networking --disable-component-update --disable-sync"
        command = [browser, *flags.split(), f"--user-data-dir={profile}"]
        command += [f"--screenshot={picture}", "--window-size=1200,1250", page.resolve().as_uri()]
        subprocess.run(command, check=True, capture_output=True, timeout=120)
    return True


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("run", type=Path)
    parser.add_argument("--docs", type=Path, default=Path("docs"))
    options = parser.parse_args()
    run, pictures = Run(options.run), options.docs / "pictures"
    pictures.mkdir(parents=True, exist_ok=True)
    grid = max(run.samples.glob("?????????.png"))
    shutil.copyfile(grid, pictures / "demo-grid.png")
    if not screenshot(run.report, pictures / "report.png"):
        print("no browser: docs/pictures/report.png is as it was")
    images = load(run).sample(SAMPLES, seed=0).images[..., 0]
    counts = classes_by_neighbour(torch.from_numpy(images.copy()))
    row = run.rows()[-1]
    typed = re.sub(r" --runs-dir \S+", "", run.command.read_text()).strip()
    lines = [
        f"`{typed}`: {row['images']:,} images, {row['round']:,} rounds, "
        f"{row['seconds']:.0f} s of training.",
        "",
        "| digit | " + " | ".join(map(str, range(10))) + " |",
        "| --- " * 11 + "|",
        f"| of {SAMPLES:,} samples | " + " | ".join(map(str, counts)) + " |",
        "",
        "![the last grid of the demo](../pictures/demo-grid.png)",
        "",
        hardware(),
    ]
    print("\n".join(lines))
    write_page(options.docs / "results" / "demo.md", "The demo", __doc__ or "", lines)


if __name__ == "__main__":
    main()

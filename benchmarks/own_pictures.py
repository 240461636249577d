"""Pictures of one's own: a folder of photographs and a zip of pixel art, one command each.

The photographs (cats and dogs, 64 px) are for research use, so their samples are not shown; the
pixel art (tinyhero, CC BY-SA 3.0 or GPL 3.0, made with the Universal LPC spritesheet) is. Losses
and speed say that training ran; what the pictures are worth takes a measure of quality.

    python benchmarks/own_pictures.py        resumable; needs MULLIGAN_DATA; writes pictures.md
"""

from __future__ import annotations

import argparse
from pathlib import Path

from campaign import finished
from mulligan import load, pictures
from mulligan.places import data_folder
from reporting import hardware, write_page

SETS = {
    "photographs, a folder": "cats-dogs",
    "pixel art, a zip": "tinyhero/tinyhero-64x64.zip",
}
SHOWN = "tinyhero"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=int, default=60_000)
    parser.add_argument("--runs-dir", type=Path, default=Path("runs/campaigns"))
    parser.add_argument("--out", type=Path, default=Path("docs/results/pictures.md"))
    options = parser.parse_args()
    root = data_folder()
    if root is None:
        parser.error("set MULLIGAN_DATA to a folder that holds cats-dogs/ and tinyhero/")
    lines = ["| data | pictures | skipped | classes | images seen | seconds | images a second |"]
    lines.append("| --- " * 7 + "|")
    for name, place in SETS.items():
        asked = {"recipe": "dcgan", "size": 64, "images": options.images, "device": "cpu"}
        run = finished(str(root / place), options.runs_dir, **asked)
        facts, row, model = run.read_json("data.json"), run.rows()[-1], load(run)
        label = model.recipe.fields.get("label")
        classes = ", ".join(getattr(label, "names", ()))
        lines.append(
            f"| {name} | {facts['count']:,} | {len(facts['skipped'])} | {classes} | "
            f"{row['images']:,} | {row['seconds']:.0f} | {row['images'] / row['seconds']:.0f} |"
        )
        if SHOWN in place:
            sheet = pictures.grid(model.sample(32, seed=0).images.transpose(0, 3, 1, 2), 8)
            sheet.save(options.out.with_name("tinyhero.png"))
    lines += ["", "`mulligan train FOLDER --recipe dcgan --size 64`, one seed, nothing chosen.", ""]
    lines += ["![tinyhero: samples of the last checkpoint](tinyhero.png)", "", hardware()]
    print("\n".join(lines))
    write_page(options.out, "Pictures of one's own", __doc__ or "", lines)


if __name__ == "__main__":
    main()

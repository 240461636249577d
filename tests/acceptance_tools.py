"""What the acceptance tests share: commands in this process, folders compared, pictures made."""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import os
import shlex
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from errno import ENOSPC
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

from mulligan.cli import main
from mulligan.engine import checkpoint
from mulligan.engine.manifest import MANIFEST, STATE, make_manifest
from mulligan.run import Run

CLASSES = ("cat", "dog", "owl")
EACH = 8  # pictures a class
KINDS = (
    ("1", "png"), ("L", "png"), ("LA", "png"), ("P", "gif"),
    ("RGB", "jpg"), ("RGBA", "png"), ("CMYK", "jpg"), ("I;16", "png"),
)  # fmt: skip
TIMES = ("seconds", "rate/images_per_second")

OWN_RECIPE = '''"""Mine: a hinge with a slack of its own."""

import torch.nn.functional as F

from mulligan import Duel, knob


class Mine(Duel):
    class Settings(Duel.Settings):
        slack: float = knob(1.0, "where the hinge bends", above=0, high=10)

    def discriminator_loss(self, batch):
        real, fake = self.score(batch["real"], batch), self.score(self.generate(batch), batch)
        return {
            "real": F.relu(self.settings.slack - real).mean(),
            "fake": F.relu(self.settings.slack + fake).mean(),
        }

    def generator_loss(self, batch):
        return {"score": -self.score(self.generate(batch), batch).mean()}
'''


@dataclass
class Answer:
    """What a command left: exit code, and both streams."""

    code: int
    out: str
    err: str


def call(line: str) -> Answer:
    """Run a command in this process, typed as in a shell after `mulligan`."""
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = main(shlex.split(line))
    return Answer(code, out.getvalue(), err.getvalue())


@contextlib.contextmanager
def threads(count: int) -> Iterator[None]:
    """Compute with so many threads inside the block."""
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def refusal(answer: Answer) -> tuple[str, str]:
    """What is wrong and what to do, after checking that nothing but notes on the data was said."""
    lines = [line for line in answer.err.splitlines() if not line.startswith("note: ")]
    assert "Traceback" not in answer.err
    assert len(lines) == 2, answer.err
    assert lines[0].startswith("mulligan: ")
    assert lines[1].startswith("  ")
    return lines[0].removeprefix("mulligan: "), lines[1].strip()


def listing(folder: Path) -> dict[str, str]:
    """Every file and folder below, hidden ones too, with the sha256 of its content."""
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        if path.is_file()
        else "folder"
        for path in sorted(folder.rglob("*"))
    }


def result(folder: Path) -> dict[str, Any]:
    """What must be equal: weights and optimizers of the last checkpoint, log rows, pictures."""
    run = Run(folder)
    newest = max(checkpoint.published(run.checkpoints))
    path = run.checkpoints / f"step-{newest:07d}"
    checkpoint.load(path)  # verifies
    rows = [{key: row[key] for key in row if key not in TIMES} for row in run.rows()]
    tensors = {name: sha for name, sha in listing(path).items() if name.endswith(".safetensors")}
    return {"round": newest, "rows": rows, "tensors": tensors, "samples": listing(run.samples)}


def damage(step: Path) -> None:
    """Change one bit of the weights in a checkpoint."""
    file = step / "recipe.safetensors"
    content = bytearray(file.read_bytes())
    content[-5] ^= 1
    file.write_bytes(content)


def reseal(step: Path, change: Callable[[dict[str, Any]], None]) -> None:
    """Change state.json of a checkpoint and make a manifest that fits, as a stranger could."""
    state = json.loads((step / STATE).read_bytes())
    change(state)
    (step / STATE).write_text(json.dumps(state))
    files = {path.name: path.read_bytes() for path in step.iterdir() if path.name != MANIFEST}
    (step / MANIFEST).write_bytes(make_manifest(int(step.name.removeprefix("step-")), files))


def photographs(folder: Path) -> Path:
    """Three classes in sub-folders, eight kinds of pictures of many sizes, and a broken one."""
    draw = np.random.default_rng(1)
    for place, name in enumerate(CLASSES):
        (folder / name).mkdir(parents=True)
        for index, (mode, ending) in enumerate(KINDS):
            side = (20 + 3 * index + place, 30 - index)
            picture = Image.fromarray(draw.integers(0, 256, (*side, 3), dtype=np.uint8))
            if mode == "I;16":
                picture = Image.fromarray(draw.integers(0, 65536, side, dtype=np.uint16))
            elif mode != "RGB":
                picture = picture.convert(mode)
            picture.save(folder / name / f"{index}.{ending}")
    whole = (folder / "cat" / "4.jpg").read_bytes()
    (folder / "dog" / "broken.jpg").write_bytes(whole[: len(whole) // 2])
    return folder


def full_disk(real: Callable[..., Any], good: int, match: str = "") -> Callable[..., Any]:
    """The same function on a disk that is full from the (good + 1)-th call on.

    match: only calls with a path that holds this word count.
    """
    left = good

    def write(*words: Any, **named: Any) -> Any:
        nonlocal left
        if any(match in str(word) for word in words if isinstance(word, Path)):
            left -= 1
            if left < 0:
                raise OSError(ENOSPC, os.strerror(ENOSPC))
        return real(*words, **named)

    return write

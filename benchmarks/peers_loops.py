"""Others' training loops, unmodified, each for some seconds: what `peers.py` plays beside ours.

What they import from torchvision is a few lines here, and so is what ends their loops: their lines
of progress are counted, and an alarm raises an exception when the time is up.
"""

from __future__ import annotations

import builtins
import contextlib
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image as Picture
from torch import Tensor

from convert_cifar10 import cifar10_zip
from mulligan.data.open import open_data

COUNT, CHUNK = 10_000, 500


class Over(Exception):
    """The time is up."""


class Pictures(torch.utils.data.Dataset[Any]):
    """Images one at a time through Pillow and a transform, as torchvision's data sets give them."""

    def __init__(self, name: str, transform: Callable[[Any], Any]) -> None:
        data = open_data(name)
        self.images = data.arrays["real"].permute(0, 2, 3, 1).numpy()
        self.labels, self.transform = data.arrays["label"].tolist(), transform

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, place: int) -> tuple[Any, int]:
        picture = Picture.fromarray(self.images[place].squeeze())
        return self.transform(picture), self.labels[place]


class Compose:
    def __init__(self, steps: list[Callable[[Any], Any]]) -> None:
        self.steps = steps

    def __call__(self, value: Any) -> Any:
        for step in self.steps:
            value = step(value)
        return value


def to_tensor(picture: Any) -> Tensor:
    """Bytes to [0, 1], channels first."""
    array = np.asarray(picture).reshape(picture.height, picture.width, -1)
    return torch.from_numpy(array.transpose(2, 0, 1).copy()).float().div(255)


def torchvision() -> None:
    """Put the few functions that are needed where they are imported from."""
    transforms: Any = ModuleType("torchvision.transforms")
    transforms.Compose = Compose
    transforms.Resize = lambda side: lambda p: p.resize((side, side), Picture.Resampling.BILINEAR)
    transforms.ToTensor = lambda: to_tensor
    transforms.Normalize = lambda mean, std: lambda t: (t - mean[0]) / std[0]
    datasets: Any = ModuleType("torchvision.datasets")
    datasets.MNIST = lambda *a, transform, **k: Pictures("mnist", transform)
    utils: Any = ModuleType("torchvision.utils")
    utils.save_image = lambda *a, **k: None
    whole: Any = ModuleType("torchvision")
    whole.transforms, whole.datasets, whole.utils = transforms, datasets, utils
    for module in (whole, transforms, datasets, utils):
        sys.modules[module.__name__] = module


@contextlib.contextmanager
def until(seconds: float) -> Iterator[list[int]]:
    """Count their lines of progress, and end the loop by an exception when the time is up."""
    plain, lines = builtins.print, [0]

    def counting(*words: object, **options: Any) -> None:
        lines[0] += "[Epoch" in str(words)

    def over(*_: object) -> None:
        raise Over

    builtins.print = counting
    signal.signal(signal.SIGALRM, over)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        with contextlib.suppress(Over):
            yield lines
    finally:
        builtins.print = plain


def pytorch_gan(folder: Path, seconds: float, out: Path) -> int:
    """Images seen; samples of the generator go to `out`."""
    torchvision()
    script = folder / "implementations/dcgan/dcgan.py"
    names: dict[str, Any] = {"__name__": "__main__"}
    sys.argv = [str(script)]
    with tempfile.TemporaryDirectory() as place, contextlib.chdir(place), until(seconds) as lines:
        exec(compile(script.read_text(), str(script), "exec"), names)
    generator = names["generator"].eval()
    with torch.no_grad():
        noise = torch.randn(COUNT, 100).split(CHUNK)
        images = torch.cat([generator(part) for part in noise])
    save(F.interpolate(images, size=(28, 28), mode="bilinear", antialias=True), out)
    return lines[0] * 64


def mimicry(folder: Path, seconds: float, out: Path) -> int:
    """Images seen by the generator's updates, 64 each, as their log counts steps."""
    torchvision()
    sys.path.insert(0, str(folder))
    for name in ("torch_mimicry", "torch_mimicry.nets"):  # without what imports TensorFlow
        module = ModuleType(name)
        module.__path__ = [str(folder / name.replace(".", "/"))]
        sys.modules[name] = module
    sys.modules["skimage"] = ModuleType("skimage")
    sys.modules["skimage"].io = None  # type: ignore[attr-defined]
    from torch_mimicry.nets import sngan
    from torch_mimicry.training.trainer import Trainer

    centred = Compose([to_tensor, lambda t: t * 2 - 1])
    pictures = Pictures(str(cifar10_zip()), centred)
    loader = torch.utils.data.DataLoader(pictures, batch_size=64, shuffle=True, num_workers=4)
    judge, maker = sngan.SNGANDiscriminator32(), sngan.SNGANGenerator32()
    adams = [torch.optim.Adam(n.parameters(), 2e-4, betas=(0.0, 0.9)) for n in (judge, maker)]
    with tempfile.TemporaryDirectory() as place, until(seconds) as lines:
        given = {"n_dis": 5, "num_steps": 10**6, "lr_decay": "linear", "log_dir": place}
        device = torch.device("cpu")
        Trainer(netD=judge, netG=maker, optD=adams[0], optG=adams[1], dataloader=loader,
                device=device, **given).train()  # fmt: skip
    with torch.no_grad():
        images = torch.cat([maker.eval().generate_images(100, device=device) for _ in range(100)])
    save(images, out)
    return lines[0] * 64


def keras(python: Path, seconds: float, out: Path) -> int:
    """Images seen by the tutorials' DCGAN, start of TensorFlow included."""
    with tempfile.TemporaryDirectory() as place:
        images = Path(place) / "images.npy"
        np.save(images, open_data("mnist").arrays["real"].squeeze(1).numpy())
        script = Path(__file__).with_name("keras_dcgan.py")
        call = [str(python), str(script), str(images), str(seconds), str(out)]
        done = subprocess.run(call, capture_output=True, text=True, check=True)
        return int(done.stderr.split()[-1])


def save(images: Tensor, out: Path) -> None:
    """Samples in [-1, 1], (N, C, H, W), as `mulligan evaluate` reads them."""
    values = images.add(1).mul(127.5).round().clamp(0, 255).to(torch.uint8)
    np.savez(out, images=values.permute(0, 2, 3, 1).numpy())

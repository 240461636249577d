"""`dinov2` and `clip`: transformers of other packages; the user names the file of their weights.

Neither package is needed by mulligan, and none of their downloads is used: the network is built
without weights and filled from the file.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from mulligan.errors import UsageError
from mulligan.features.extractor import Extractor
from mulligan.features.files import file_sha256, load_weights


@dataclass(frozen=True)
class Foreign:
    """A network of another package.

    module, package: its names in Python and for pip. build: from the module to the network with
    random weights. image: from the network to its part from pictures to features. means,
    deviations: of red, green and blue in [0, 1], for which it was trained. file: what to look for.
    """

    module: str
    package: str
    build: Callable[[ModuleType], nn.Module]
    image: Callable[[nn.Module], nn.Module]
    width: int
    means: tuple[float, float, float]
    deviations: tuple[float, float, float]
    file: str


# 224 px, as Stein et al. 2023 (arXiv:2306.04675) take for FD-DINOv2, who use the largest of these
# networks; at the 518 px of its training an image costs seven times as much.
DINOV2 = Foreign(
    module="timm",
    package="timm",
    build=lambda timm: timm.create_model(
        "vit_small_patch14_dinov2.lvd142m", pretrained=False, num_classes=0, dynamic_img_size=True
    ),
    image=lambda network: network,
    width=384,
    means=(0.485, 0.456, 0.406),
    deviations=(0.229, 0.224, 0.225),
    file="model.safetensors of timm/vit_small_patch14_dinov2.lvd142m",
)

CLIP = Foreign(
    module="open_clip",
    package="open_clip_torch",
    # its create_model would warn that the weights are random
    build=lambda open_clip: open_clip.CLIP(**open_clip.get_model_config("ViT-B-32")),
    image=lambda network: network.get_submodule("visual"),
    width=512,
    means=(0.48145466, 0.4578275, 0.40821073),
    deviations=(0.26862954, 0.26130258, 0.27577711),
    # OpenAI's own weights have the same names and shapes, but another nonlinearity
    file="open_clip_model.safetensors of laion/CLIP-ViT-B-32-laion2B-s34B-b79K",
)

NETWORKS = {"dinov2": DINOV2, "clip": CLIP}

SIZE = (224, 224)


class Normalised(nn.Module):
    """A network behind the normalisation that it was trained with: (N, 3, H, W) in [-1, 1] in."""

    def __init__(self, network: nn.Module, foreign: Foreign) -> None:
        super().__init__()
        self.network = network
        self.register_buffer("means", torch.tensor(foreign.means)[:, None, None])
        self.register_buffer("deviations", torch.tensor(foreign.deviations)[:, None, None])

    def forward(self, images: Tensor) -> Tensor:
        """(N, width) features."""
        assert isinstance(self.means, Tensor)
        assert isinstance(self.deviations, Tensor)
        features: Tensor = self.network(((images + 1) / 2 - self.means) / self.deviations)
        return features


def open_foreign(name: str, path: Path | None, resize: str, device: str) -> Extractor:
    """dinov2: the class token of ViT-S/14, (N, 384); clip: the embedding of ViT-B/32, (N, 512).

    path: a .safetensors file of the whole network. resize: one of `names.RESIZES`.
    Raises UsageError if the package is missing, if no file is named, and if it does not fit.
    """
    foreign = NETWORKS[name]
    module = _imported(name, foreign)
    if path is None or not path.is_file():
        raise UsageError(
            f"the extractor {name} needs its weights: "
            + ("no file is named" if path is None else f"there is no file {path}"),
            f"name a file by --weights FILE: {foreign.file}, or your own",
        )
    with torch.random.fork_rng(devices=[]):  # first weights are drawn, and overwritten
        network = foreign.build(module)
    try:
        load_weights(network, load_file(path), path)
    except SafetensorError as error:
        raise UsageError(
            f"{path} is no .safetensors file: {error}", f"name {foreign.file}"
        ) from error
    return Extractor(
        name=name,
        network=Normalised(foreign.image(network), foreign),
        width=foreign.width,
        channels=3,
        size=SIZE,
        digest=file_sha256(path),
        resize_mode=resize,
        note=f"{name} features: not FID, and to be compared with each other only",
        device=device,
    )


def _imported(name: str, foreign: Foreign) -> ModuleType:
    """The other package."""
    try:
        return importlib.import_module(foreign.module)
    except ImportError as error:
        raise UsageError(
            f"the extractor {name} needs the package {foreign.package} ({error})",
            f"pip install {foreign.package}",
        ) from error

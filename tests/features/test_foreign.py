"""dinov2 and clip: what is said without package or file, and how a stand-in's network is called.

The packages are no dependency, so a module with the same functions stands in for them.
"""

from __future__ import annotations

import hashlib
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from mulligan.errors import UsageError
from mulligan.features.open import open_extractor

MEANS = {"dinov2": (0.485, 0.456, 0.406), "clip": (0.48145466, 0.4578275, 0.40821073)}
DEVIATIONS = {"dinov2": (0.229, 0.224, 0.225), "clip": (0.26862954, 0.26130258, 0.27577711)}


class Tower(nn.Module):
    """Pictures in; out come the weight and the three colours of the first pixel."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(()))

    def forward(self, images: Tensor) -> Tensor:
        assert images.shape[1:] == (3, 224, 224)
        return torch.cat([self.weight.expand(len(images), 1), images[:, :, 0, 0]], dim=1)


class Both(nn.Module):
    """As CLIP: a tower for pictures and something else."""

    def __init__(self, **config: Any) -> None:
        super().__init__()
        assert config == {"embed_dim": 512}
        self.visual = Tower()
        self.text = nn.Parameter(torch.zeros(2))


def create_model(
    name: str, pretrained: bool, num_classes: int, dynamic_img_size: bool
) -> nn.Module:
    assert (name, num_classes) == ("vit_small_patch14_dinov2.lvd142m", 0)
    assert not pretrained  # nothing is downloaded
    assert dynamic_img_size  # the file's places are those of 518 pixels
    return Tower()


@pytest.fixture(params=["dinov2", "clip"])
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def standing_in(monkeypatch: pytest.MonkeyPatch) -> None:
    clip = SimpleNamespace(CLIP=Both, get_model_config={"ViT-B-32": {"embed_dim": 512}}.get)
    monkeypatch.setitem(sys.modules, "timm", SimpleNamespace(create_model=create_model))
    monkeypatch.setitem(sys.modules, "open_clip", clip)


@pytest.fixture
def weights(name: str, tmp_path: Path) -> Path:
    file = tmp_path / "weights.safetensors"
    tensors = {"weight": torch.tensor(7.0)}
    if name == "clip":
        tensors = {"visual.weight": torch.tensor(7.0), "text": torch.ones(2)}
    save_file(tensors, file)
    return file


@pytest.mark.parametrize(
    ("module", "name", "package"),
    [("timm", "dinov2", "timm"), ("open_clip", "clip", "open_clip_torch")],
)
def test_a_missing_package_is_named(
    monkeypatch: pytest.MonkeyPatch, module: str, name: str, package: str
) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(
        UsageError, match=f"(?s)needs the package {package} .*pip install {package}"
    ):
        open_extractor(name)


@pytest.mark.usefixtures("standing_in")
def test_weights_must_be_named(name: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"(?s)no file is named.*--weights FILE: \w+\.safetensors"):
        open_extractor(name)
    with pytest.raises(UsageError, match=r"there is no file .*nothing\.safetensors"):
        open_extractor(name, weights=tmp_path / "nothing.safetensors")


@pytest.mark.usefixtures("standing_in")
def test_files_that_do_not_fit_are_refused(name: str, weights: Path) -> None:
    save_file({"other": torch.zeros(1)}, weights)
    with pytest.raises(UsageError, match=r"lacks (visual\.)?(weight|text)"):
        open_extractor(name, weights=weights)
    weights.write_bytes(b"no tensors")
    with pytest.raises(UsageError, match=r"is no \.safetensors file"):
        open_extractor(name, weights=weights)


@pytest.mark.usefixtures("standing_in")
def test_pictures_arrive_as_the_network_was_trained(name: str, weights: Path) -> None:
    before = torch.get_rng_state()
    found = open_extractor(name, weights=weights)
    assert torch.equal(torch.get_rng_state(), before)
    assert found.digest == hashlib.sha256(weights.read_bytes()).hexdigest()
    assert "not FID" in found.note
    pictures = torch.tensor([255, 0, 51], dtype=torch.uint8)[None, :, None, None]
    seen = found.features(pictures.expand(2, 3, 32, 48))
    wanted = [
        (value - mean) / deviation
        for value, mean, deviation in zip((1, 0, 0.2), MEANS[name], DEVIATIONS[name], strict=True)
    ]
    assert seen[0].tolist() == pytest.approx([7.0, *wanted], abs=1e-4)

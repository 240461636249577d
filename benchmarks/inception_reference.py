"""What an independent implementation makes of Inception with weights from a formula.

    pip install --no-deps --target FOLDER torch-fidelity==0.4.0
    python benchmarks/inception_reference.py FOLDER [OUT.json]

torch-fidelity's network was compared by its authors with TensorFlow's graph. Both networks get the
same weights and the same images, neither from a file, so that the figures can be made again
anywhere; their size is like that of real ones. The script prints how far the two are apart in
float64, with and without resizing, and writes the figures of torch-fidelity that
tests/features/test_inception.py compares with.
"""

from __future__ import annotations

import argparse
import importlib
import json
import math
import sys
import tempfile
import types
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from mulligan.features.inception import SIZE, Inception
from mulligan.features.resize import resize

CASES = {"direct": SIZE, "resized": (40, 56)}
"""Height and width of the images; those of another size than the network's are resized."""

PLACES = 12  # features and logits that are kept of each image
OUT = Path(__file__).parent.parent / "tests" / "features" / "inception_golden.json"


def uniform(name: str, count: int) -> np.ndarray[Any, np.dtype[np.float64]]:
    """Numbers in [-1, 1) that look random: splitmix64 of their place and the crc32 of a name."""
    word = np.arange(count, dtype=np.uint64) + np.uint64(zlib.crc32(name.encode()) << 32)
    word = (word ^ (word >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    word = (word ^ (word >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    word ^= word >> np.uint64(31)
    return (word >> np.uint64(40)).astype(np.float64) / 2**23 - 1  # 24 bits: exact in float32


def formula_state(network: nn.Module) -> dict[str, Tensor]:
    """Weights for a network with Inception's names, float32, that keep activations near 1."""
    state = {}
    for name, value in network.state_dict().items():
        if not value.is_floating_point():
            state[name] = torch.zeros(value.shape, dtype=value.dtype)
            continue
        numbers = uniform(name, value.numel())
        if value.ndim > 1:
            numbers = numbers * math.sqrt(6 / (value.numel() / len(value)))  # He et al. 2015
        elif name.endswith(("bn.weight", "running_var")):
            numbers = 1 + numbers / 4
        else:
            numbers = numbers / 4
        state[name] = torch.from_numpy(numbers.astype(np.float32)).reshape(value.shape)
    return state


def formula_images(case: str) -> Tensor:
    """Two uint8 images (2, 3, *CASES[case]): slanted ramps with noise."""
    height, width = CASES[case]
    image, channel, row, column = np.indices((2, 3, height, width))
    ramps = (3 + image) * row + (2 + channel) * column * 300 // width
    noise = uniform(case, ramps.size).reshape(ramps.shape) * 40
    return torch.from_numpy(((ramps + noise.astype(np.int64)) % 256).astype(np.uint8))


def places(count: int) -> list[int]:
    """Where features or logits are looked at."""
    return [(7 + 173 * place) % count for place in range(PLACES)]


def theirs(folder: Path, images: Tensor) -> tuple[Tensor, Tensor]:
    """torch-fidelity's features and logits without bias, in float64."""
    package = types.ModuleType("torch_fidelity")  # its own __init__ would import torchvision
    package.__path__ = [str(folder / "torch_fidelity")]
    sys.modules["torch_fidelity"] = package
    module = importlib.import_module("torch_fidelity.feature_extractor_inceptionv3")
    with tempfile.TemporaryDirectory() as place:
        path = Path(place) / "weights.pth"
        torch.save(formula_state(Inception()), path)
        network = module.FeatureExtractorInceptionV3("inception", ["2048"], str(path)).double()
    network.feature_extractor_internal_dtype = torch.float64  # 0.4.0 takes "float64" for float32
    pooled: list[Tensor] = []
    network.AvgPool.register_forward_hook(lambda *call: pooled.append(call[2].flatten(1)))
    with torch.no_grad():
        network(images)  # what it returns is rounded to float32
    return pooled[0], pooled[0] @ network.fc.weight.T


def ours(images: Tensor) -> tuple[Tensor, Tensor]:
    """This package's features and logits, in float64."""
    network = Inception()
    network.load_state_dict(formula_state(network))
    ready = images.double() / 127.5 - 1
    if tuple(images.shape[2:]) != SIZE:
        ready = resize(ready, SIZE, "tensorflow1")
    with torch.no_grad():
        features, logits = network.double().eval()(ready)
    return features, logits


def main() -> None:
    """Compare, print, write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, help="where torch-fidelity is installed")
    parser.add_argument("out", type=Path, nargs="?", default=OUT)
    options = parser.parse_args()
    golden: dict[str, Any] = {"made by": "benchmarks/inception_reference.py, torch-fidelity 0.4.0"}
    for case in CASES:
        images = formula_images(case)
        wanted, found = theirs(options.folder, images), ours(images)
        golden[case] = {}
        for kind, right, own in zip(("features", "logits"), wanted, found, strict=True):
            far = float((own - right).abs().max() / right.abs().max())
            print(f"{case} {kind}: apart by {far:.1e} of the largest; deviation {right.std():.3f}")
            kept = right[:, places(right.shape[1])]
            golden[case][kind] = [[float(f"{value:.12g}") for value in row] for row in kept]
            golden[case][f"mean square of {kind}"] = float(f"{right.square().mean():.12g}")
    options.out.write_text(json.dumps(golden, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()

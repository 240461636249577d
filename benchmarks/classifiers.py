"""The shipped classifiers `digits` and `fashion`: accuracy, size and speed.

Accuracy is that on the 10,000 test images of MNIST and Fashion-MNIST, which had no part in training
or in the choice of how to train. The share of classes is the part of the features' variance, over
the test images, that lies between the means of the ten classes; the rest is variety inside a class,
which a distance must see too. The effective rank is the exponential of the entropy of the
eigenvalues of the features' covariance. Speed is that of `features` on these images, on one
thread, the best of three.

    python benchmarks/classifiers.py        needs both data sets; writes docs/results/classifiers.md
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import torch
from torch import Tensor

from mulligan.data.open import open_data
from mulligan.features.classifier import TRAINED_ON, WEIGHTS
from mulligan.features.extractor import Extractor
from mulligan.features.open import open_extractor
from reporting import hardware, write_page


def speed(extractor: Extractor, images: Tensor) -> float:
    """Images a second through `features`, the best of three."""
    seconds = []
    for _ in range(3):
        start = time.perf_counter()
        extractor.features(images)
        seconds.append(time.perf_counter() - start)
    return len(images) / min(seconds)


def share_of_classes(features: Tensor, label: Tensor) -> float:
    """The part of the features' variance that lies between the means of the classes."""
    centres = torch.stack([features[label == k].mean(dim=0) for k in label.unique()])
    between = (centres[label] - features.mean(dim=0)).square().sum()
    return float(between / (features - features.mean(dim=0)).square().sum())


def effective_rank(features: Tensor) -> float:
    """exp of the entropy of the covariance's eigenvalues; Roy and Vetterli 2007."""
    values = torch.linalg.eigvalsh(torch.cov(features.T)).clamp(min=1e-12)
    shares = values / values.sum()
    return float((-shares * shares.log()).sum().exp())


def row(name: str) -> str:
    """One classifier as a row of the table."""
    extractor = open_extractor(name)
    test = open_data(TRAINED_ON[name], split="test").arrays
    images, label = test["real"], test["label"]
    features, probabilities = extractor.judged(images)
    right = (probabilities.argmax(dim=1) == label).double().mean().item()
    weights = sum(parameter.numel() for parameter in extractor.network.parameters())
    size = (WEIGHTS / f"{name}.safetensors").stat().st_size
    return (
        f"| `{name}` | {TRAINED_ON[name]} | **{right:.2%}** | {weights:,} | {size:,} | "
        f"{share_of_classes(features.double(), label):.0%} | "
        f"{effective_rank(features.double()):.1f} of {extractor.width} | "
        f"{speed(extractor, images):,.0f} |"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("docs/results/classifiers.md"))
    options = parser.parse_args()
    torch.set_num_threads(1)
    lines = [
        "| extractor | data | accuracy | weights | bytes | share of classes | effective rank | "
        "images/s |",
        "| --- | --- | --- | --- | --- | --- | --- | --- |",
        *(row(name) for name in TRAINED_ON),
        "",
        "The weights were made by `python scripts/train_classifier.py NAME`.",
        "",
        *(f"- sha256 of `{name}`: {open_extractor(name).digest}" for name in TRAINED_ON),
        "",
        hardware(),
    ]
    print("\n".join(lines))
    write_page(options.out, "Shipped classifiers", __doc__ or "", lines)


if __name__ == "__main__":
    main()

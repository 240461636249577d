"""The data sets that have a name, one sentence each. Imports nothing, so that help is quick."""

from __future__ import annotations

NAMES: dict[str, str] = {
    "digits": "10,000 handwritten digits of MNIST, 28x28 grey, 10 classes; comes with mulligan",
    "mnist": "handwritten digits, 60,000 + 10,000 of 28x28 grey, 10 classes; 12 MB to download",
    "fashion-mnist": "clothes, 60,000 + 10,000 of 28x28 grey, 10 classes; 31 MB to download",
    "kmnist": "cursive Japanese characters, 60,000 + 10,000 of 28x28 grey, 10 classes; 21 MB to "
    "download",
    "cifar10": "small photographs, 50,000 + 10,000 of 32x32 colour, 10 classes; 170 MB to download",
    "cifar100": "small photographs, 50,000 + 10,000 of 32x32 colour, 100 classes; 169 MB to "
    "download",
    "stacked-mnist": "three digits of mnist as colour channels, 128,000 + 26,000 of 28x28, 1,000 "
    "classes",
    "stacked-digits": "the same from the digits that come with mulligan, 128,000",
    "1d:gauss": "100,000 numbers of a normal distribution with mean 4 and deviation 1.25",
    "2d:ring": "100,000 points of 8 narrow modes on the unit circle",
    "2d:grid": "100,000 points of 25 narrow modes on a 5 by 5 grid",
    "2d:spiral": "100,000 points of a noisy spiral with two arms",
}
"""Name to sentence. Anything else that `open_data` takes is a folder or a zip of pictures."""

WITH_TEST = frozenset(NAMES) - {"digits", "stacked-digits"}
"""Those that have a test split."""

"""Where the named data sets can be downloaded: addresses, sizes and sha256.

The hashes of mnist and fashion-mnist were computed from the original files. Those of kmnist,
cifar10 and cifar100 are the ones that several independent projects publish for the same files.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class RemoteFile:
    """One file: its addresses in the order in which they are tried, its size in bytes, its hash."""

    urls: tuple[str, ...]
    size: int
    sha256: str


TRAIN_IMAGES, TRAIN_LABELS = "train-images-idx3-ubyte.gz", "train-labels-idx1-ubyte.gz"
TEST_IMAGES, TEST_LABELS = "t10k-images-idx3-ubyte.gz", "t10k-labels-idx1-ubyte.gz"


def _at(bases: tuple[str, ...], files: dict[str, tuple[int, str]]) -> dict[str, RemoteFile]:
    return {
        name: RemoteFile(tuple(base + name for base in bases), size, sha256)
        for name, (size, sha256) in files.items()
    }


REMOTE: dict[str, dict[str, RemoteFile]] = {
    "mnist": _at(
        (
            "https://storage.googleapis.com/cvdf-datasets/mnist/",
            "https://ossci-datasets.s3.amazonaws.com/mnist/",
        ),
        {
            TRAIN_IMAGES: (
                9912422,
                "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609",
            ),
            TRAIN_LABELS: (
                28881,
                "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c",
            ),
            TEST_IMAGES: (
                1648877,
                "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6",
            ),
            TEST_LABELS: (
                4542,
                "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6",
            ),
        },
    ),
    "fashion-mnist": _at(
        ("http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",),
        {
            TRAIN_IMAGES: (
                26421880,
                "3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84",
            ),
            TRAIN_LABELS: (
                29515,
                "a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845",
            ),
            TEST_IMAGES: (
                4422102,
                "346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073",
            ),
            TEST_LABELS: (
                5148,
                "67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5",
            ),
        },
    ),
    "kmnist": _at(
        ("http://codh.rois.ac.jp/kmnist/dataset/kmnist/",),
        {
            TRAIN_IMAGES: (
                18165135,
                "51467d22d8cc72929e2a028a0428f2086b092bb31cfb79c69cc0a90ce135fde4",
            ),
            TRAIN_LABELS: (
                29497,
                "e38f9ebcd0f3ebcdec7fc8eabdcdaef93bb0df8ea12bee65224341c8183d8e17",
            ),
            TEST_IMAGES: (
                3041136,
                "edd7a857845ad6bb1d0ba43fe7e794d164fe2dce499a1694695a792adfac43c5",
            ),
            TEST_LABELS: (
                5120,
                "20bb9a0ef54c7db3efc55a92eef5582c109615df22683c380526788f98e42a1c",
            ),
        },
    ),
    "cifar10": _at(
        ("https://www.cs.toronto.edu/~kriz/",),
        {
            "cifar-10-binary.tar.gz": (
                170052171,
                "c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd",
            )
        },
    ),
    "cifar100": _at(
        ("https://www.cs.toronto.edu/~kriz/",),
        {
            "cifar-100-binary.tar.gz": (
                168513733,
                "58a81ae192c23a4be8b1804d68e518ed807d710a4eb253b1f2a199162a40d8ec",
            )
        },
    ),
}
"""Data set to file name to where it is."""

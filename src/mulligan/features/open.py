"""From a name to an extractor."""

from __future__ import annotations

import difflib
from pathlib import Path

from mulligan.errors import UsageError
from mulligan.features.extractor import Extractor
from mulligan.features.names import EXTRACTORS
from mulligan.places import data_folder


def shipped_beside_data() -> Path | None:
    """SqueezeNet's weights in MULLIGAN_DATA, if they are there."""
    home = data_folder()
    path = home / "weights" / "squeezenet1_1_imagenet_features.npz" if home else None
    return path if path is not None and path.is_file() else None


def open_extractor(
    name: str,
    *,
    weights: str | Path | None = None,
    download: bool = False,
    resize: str = "antialiased",
    device: str = "cpu",
) -> Extractor:
    """The extractor with this name, ready on the device.

    weights: a file, for those that ship none. download: consent to fetch it. resize: one of
    `names.RESIZES`, for images of another size than the network's.
    Raises UsageError for an unknown name and for weights that cannot be had.
    """
    if name not in EXTRACTORS:
        near = difflib.get_close_matches(name, EXTRACTORS, n=1)
        known = ", ".join(EXTRACTORS)
        raise UsageError(
            f"there is no extractor {name!r}",
            f"did you mean {near[0]}?" if near else f"there are {known}",
        )
    path = None if weights is None else Path(weights).expanduser()
    if name == "inception":
        from mulligan.features.inception_weights import open_inception

        return open_inception(path, download, resize, device)
    return _small(name, path, resize, device)


def _small(name: str, path: Path | None, resize: str, device: str) -> Extractor:
    """The extractors that nothing is downloaded for."""
    if name in ("digits", "fashion"):
        from mulligan.features.classifier import open_classifier

        return open_classifier(name, resize, device)
    if name == "stacked":
        from mulligan.features.stacked import open_stacked

        return open_stacked(resize, device)
    if name == "squeezenet":
        from mulligan.features.squeezenet import open_squeezenet

        return open_squeezenet(path, resize, device)
    if name in ("dinov2", "clip"):
        from mulligan.features.foreign import open_foreign

        return open_foreign(name, path, resize, device)
    if name == "random":
        from mulligan.features.untrained import open_untrained

        return open_untrained(device)
    raise UsageError(f"{name} needs no network", "points are compared by their coordinates")

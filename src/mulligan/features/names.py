"""The extractors by name, without torch: for help texts, hints and checks."""

from __future__ import annotations

EXTRACTORS: dict[str, str] = {
    "digits": "a small classifier of handwritten digits (28 px, grey), shipped",
    "fashion": "a small classifier of Fashion-MNIST's ten kinds of clothes (28 px, grey), shipped",
    "stacked": "the classifier of digits on each of three colour channels: Stacked-MNIST",
    "inception": "the Inception network of 2015 that published FIDs use; weights from a file that "
    "you name, or downloaded with --download",
    "squeezenet": "SqueezeNet 1.1, trained on ImageNet: natural pictures; weights from a file",
    "random": "a fixed network of random convolutions, trained on nothing: a coarse look",
    "dinov2": "DINOv2 ViT-S/14; needs the package timm and its weights",
    "clip": "CLIP ViT-B/32; needs the package open_clip_torch and its weights",
    "points": "the coordinates themselves, for points",
}
"""From the name to its sentence."""

FOR_DATA: dict[str, str] = {
    "digits": "digits",
    "mnist": "digits",
    "fashion-mnist": "fashion",
    "stacked-mnist": "stacked",
    "stacked-digits": "stacked",
}
"""Data sets that have a shipped extractor of their own."""

RESIZES: dict[str, str] = {
    "antialiased": "bicubic with a filter as wide as the reduction, in float (clean-fid's)",
    "tensorflow1": "bilinear without a filter, pixel corners as TensorFlow 1 had them: the mode "
    "of the oldest published FIDs",
}
"""How images are brought to the size of the extractor."""


def figure_name(kind: str, extractor: str) -> str:
    """How a figure of this kind may be called.

    kind: FD, KD, MIND or IS. Only features of the Inception network of 2015 are called FID, KID
    and IS; all others carry the extractor's name, as in FD-digits.
    """
    if extractor == "inception":
        return {"FD": "FID", "KD": "KID", "IS": "IS"}.get(kind, f"{kind}-inception")
    return f"{kind}-{extractor}"

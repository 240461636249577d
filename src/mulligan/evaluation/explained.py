"""What each figure says, which way is better, and what it is blind to: one sentence a figure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Better = Literal["lower", "higher", ""]
"""Which way is better; "" where a right value lies in the middle, or the figure is a warning."""


@dataclass(frozen=True)
class Meaning:
    """What a kind of figure says. sentence: for a reader. better: to compare two values by."""

    sentence: str
    better: Better


MEANINGS: dict[str, Meaning] = {
    "FD": Meaning(
        "Frechet distance: how far apart mean and covariance of the features are; lower is better, "
        "0 is the goal, few samples push it up (compare equal counts), and it is blind to all that "
        "mean and covariance do not show, copies of training images among it.",
        "lower",
    ),
    "FD-infinity": Meaning(
        "The Frechet distance extrapolated to infinitely many samples, free of the bias of few; "
        "lower is better, noise may push it below 0, and it is blind to what the distance itself "
        "is blind to.",
        "lower",
    ),
    "KD": Meaning(
        "Kernel distance: how far the first three moments of the features are apart; lower is "
        "better, its mean is 0 for equal distributions at any count (so a value may be negative), "
        "and it is blind to finer differences and to copies of training images.",
        "lower",
    ),
    "MIND": Meaning(
        "How far apart features lie, sorted along many random directions; lower is better, real "
        "images among themselves stay a little above 0, and it is blind to copies of training "
        "images.",
        "lower",
    ),
    "IS": Meaning(
        "Inception-style score: how sure a classifier is of each sample, and how many classes it "
        "sees; higher is better, the number of classes is the limit, and it is blind to variety "
        "within a class and to the real data as a whole.",
        "higher",
    ),
    "precision": Meaning(
        "Share of generated samples that lie among real ones, which is quality; higher is better, "
        "and it is blind to what is never generated.",
        "higher",
    ),
    "recall": Meaning(
        "Share of real samples that lie among generated ones, which is variety; higher is better, "
        "and it is blind to bad samples, a few of which can even raise it.",
        "higher",
    ),
    "density": Meaning(
        "How many neighbourhoods of real samples a generated one lies in, over what is expected; "
        "1 is right, lower is worse, above 1 samples crowd where real ones are dense, and it is "
        "blind to what is never generated.",
        "",
    ),
    "coverage": Meaning(
        "Share of real samples that have a generated one in their neighbourhood, which is variety; "
        "higher is better, real images reach about 0.97, and it is blind to how many samples lie "
        "elsewhere.",
        "higher",
    ),
    "nearest ratio": Meaning(
        "Median distance of samples to the nearest training image, over that of unseen real ones; "
        "about 1 is honest, 0 is a replay, far above 1 is off the data, and it is blind to blur, "
        "which is near to everything.",
        "",
    ),
    "copies": Meaning(
        "Share of samples as close to one training image, for what the next ten are, as only 1 % "
        "of unseen real images are; 0.01 is honest, far above it the generator replays, and it is "
        "blind to copies that the extractor cannot recognise.",
        "",
    ),
    "probe AUC": Meaning(
        "How often a critic trained anew ranks a real sample above a generated one; lower is "
        "better, 0.5 means that it cannot tell, 1 that it always can, and it is blind to what a "
        "small critic does not learn from these many rows.",
        "lower",
    ),
    "reverse KL": Meaning(
        "How uneven the shares of classes or modes are among the samples, against the real ones; "
        "lower is better, 0 is the goal, and it is blind to what samples of a class look like.",
        "lower",
    ),
    "label accuracy": Meaning(
        "Share of samples in which the extractor sees the class that was asked for; higher is "
        "better, and it is blind to variety and to all that does not change the class.",
        "higher",
    ),
    "high quality": Meaning(
        "Share of points within three deviations of a mode; higher is better, 0.989 is perfect in "
        "the plane, and it is blind to modes that are never generated.",
        "higher",
    ),
    "spread within modes": Meaning(
        "Deviation of points around their mode, over that of perfect samples; 1 is right, below "
        "it modes have shrunk, and it is blind to modes that are never generated.",
        "",
    ),
}
"""From a kind of figure to what it means."""

PUBLISHED = {"FID": "FD", "KID": "KD"}
"""Names that features of the Inception network of 2015 give to figures."""


def meaning(figure_name: str) -> Meaning | None:
    """What the figure of this name means, whatever the extractor; None for an unknown one.

    figure_name: as in KD-digits, FD-digits-infinity, FID, "label accuracy of 7".
    """
    if figure_name.startswith("label accuracy of "):
        return MEANINGS["label accuracy"]
    kind = figure_name.partition("-")[0]
    kind = PUBLISHED.get(kind, kind)
    if kind == "FD" and figure_name.endswith("-infinity"):
        kind = "FD-infinity"
    return MEANINGS.get(kind)


def explain(figure_name: str) -> str:
    """One sentence on the figure of this name; "" for an unknown one."""
    found = meaning(figure_name)
    return found.sentence if found else ""


def better(figure_name: str) -> Better:
    """Which way this figure is better: lower, higher, or "" where neither wins."""
    found = meaning(figure_name)
    return found.better if found else ""

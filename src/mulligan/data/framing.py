"""What is cut from a picture, or put around and behind it, so that it has the wanted shape."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from PIL import Image, ImageColor

WHITE = (255, 255, 255)
BAND = 256  # rows that are converted at a time: all at once a large picture takes a gigabyte


@dataclass(frozen=True)
class Framing:
    """How pictures of any shape get one shape.

    fit: "crop" takes the largest part with the wanted aspect from the centre, "random" takes it
    from a place drawn from the picture's own bytes, "pad" keeps the whole picture and puts
    background beside it. background: (red, green, blue), 0 to 255, there and behind what is
    transparent; where alpha is kept, the padding is transparent. None: what the pictures ask for.
    """

    fit: str = "crop"
    background: tuple[int, int, int] | None = WHITE

    @staticmethod
    def of(values: Mapping[str, Any]) -> Framing:
        """That of the options `fit` and `background`, where they are given."""
        fit, word = str(values.get("fit", "crop")), str(values.get("background", "white"))
        if word == "auto":
            return Framing(fit, None)
        colour = ImageColor.getrgb(word)
        return Framing(fit, (colour[0], colour[1], colour[2]))

    @property
    def behind(self) -> tuple[int, int, int]:
        """The background; white where nothing is said."""
        return self.background or WHITE

    @property
    def usual(self) -> bool:
        """Whether it is what pictures get where nobody asks for anything else."""
        return self.fit == "crop" and self.behind == WHITE

    def values(self, reason: str = "") -> dict[str, str]:
        """The options that `of` makes it from, and why the background is what it is."""
        found = {"fit": self.fit, "background": "#" + bytes(self.behind).hex()}
        return {**found, "reason": reason} if reason else found


def framed(
    image: Image.Image, size: tuple[int, int], framing: Framing, draw: float = 0.5
) -> Image.Image:
    """The picture in this size=(height, width), resized with Lanczos.

    draw: in [0, 1), where a random part lies: 0 is the left or upper end.
    """
    height, width = size
    if image.size == (width, height):
        return image
    if framing.fit == "pad":
        return _padded(image, size, framing)
    scale = min(image.width / width, image.height / height)
    place = draw if framing.fit == "random" else 0.5
    left = (image.width - scale * width) * place
    top = (image.height - scale * height) * place
    box = (left, top, left + scale * width, top + scale * height)
    return image.resize((width, height), Image.Resampling.LANCZOS, box=box)


def on_background(image: Image.Image, framing: Framing) -> Image.Image:
    """A picture of mode RGBA in RGB, on the background."""
    whole = Image.new("RGB", image.size)
    for top, band in bands(image):
        behind = Image.new("RGBA", band.size, framing.behind)
        whole.paste(Image.alpha_composite(behind, band).convert("RGB"), (0, top))
    return whole


def bands(image: Image.Image) -> Iterator[tuple[int, Image.Image]]:
    """The picture from top to bottom, some rows at a time: (first row, those rows)."""
    for top in range(0, image.height, BAND):
        yield top, image.crop((0, top, image.width, min(image.height, top + BAND)))


def _padded(image: Image.Image, size: tuple[int, int], framing: Framing) -> Image.Image:
    height, width = size
    scale = max(image.width / width, image.height / height)
    inner = (max(1, round(image.width / scale)), max(1, round(image.height / scale)))
    kept = image.resize(inner, Image.Resampling.LANCZOS)
    around = Image.new("RGBA", (width, height), (*framing.behind, 0)).convert(image.mode)
    around.paste(kept, ((width - inner[0]) // 2, (height - inner[1]) // 2))
    return around

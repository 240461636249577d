"""Pictures of samples: grids, named columns, strips and films, all as PIL images.

Images arrive as uint8 arrays (N, C, H, W). The same input always gives the same picture, byte for
byte once saved. The plots of points and codes live in `mulligan.plots` and
`mulligan.plot_codes` and are named here too.
"""

from __future__ import annotations

import io
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from mulligan.plot_codes import latent_space
from mulligan.plots import densities, draw_points, scatter

__all__ = [
    "animate",
    "beside",
    "densities",
    "draw_points",
    "evenly",
    "grid",
    "latent_space",
    "scatter",
    "strip",
]

GUTTER = 2
GUTTER_COLOUR = 232
INK = 70
PAPER = 255
GRID_SIDE = 560  # a grid is enlarged until its longer side would pass this
MAX_SCALE = 16
MAX_FRAMES = 60
MAX_FILM_BYTES = 2_000_000
LAST_FRAME_MS = 1500

Pixels = NDArray[np.uint8]
Frame = Image.Image | Path


def grid(
    images: Any,
    columns: int | None = None,
    scale: int | None = None,
    names: Sequence[str] = (),
) -> Image.Image:
    """All images in rows, in reading order, with a light gutter around each.

    images: uint8 (N, C, H, W) with 1, 3 or 4 channels and N >= 1; 4 channels are laid over a
    checkerboard. columns: None makes the whole about square. scale: a whole factor, nearest
    neighbour; None enlarges small images. names: what stands before each row, or nothing. The
    result is grey for 1 channel, else RGB.
    """
    pixels = _checked(images)
    count, _, height, width = pixels.shape
    columns = columns or _square_columns(count, height, width)
    rows = math.ceil(count / columns)
    scale = scale or _whole_scale(rows * height, columns * width)
    tiles = [_tile(image, scale) for image in pixels]
    step_x, step_y = tiles[0].width + GUTTER, tiles[0].height + GUTTER
    size = (columns * step_x + GUTTER, rows * step_y + GUTTER)
    sheet = Image.new(tiles[0].mode, size, _grey(tiles[0].mode, GUTTER_COLOUR))
    for place, tile in enumerate(tiles):
        row, column = divmod(place, columns)
        sheet.paste(tile, (GUTTER + column * step_x, GUTTER + row * step_y))
    return _named_rows(sheet, names, step_y) if names else sheet


def _named_rows(sheet: Image.Image, names: Sequence[str], step: int) -> Image.Image:
    """The sheet with a name before each row of `step` pixels; long names are cut."""
    font = ImageFont.load_default(size=14)
    shown = [name if len(name) <= 24 else name[:23] + "\u2026" for name in names]
    left = math.ceil(max(font.getlength(name) for name in shown)) + 12
    whole = Image.new(sheet.mode, (left + sheet.width, sheet.height), _grey(sheet.mode, PAPER))
    whole.paste(sheet, (left, 0))
    draw = ImageDraw.Draw(whole)
    for row, name in enumerate(shown):
        place = (left - 6, GUTTER + row * step + (step - GUTTER) / 2)
        draw.text(place, name, _grey(sheet.mode, INK), font=font, anchor="rm")
    return whole


def beside(columns: dict[str, Any], rows: int = 8) -> Image.Image:
    """Named columns of images side by side, a heading over each: input, output, target.

    columns: heading -> uint8 (N, C, H, W); sizes and channels may differ between columns, which
    are brought to a common height by nearest neighbour. At most `rows` images of each are drawn.
    """
    assert columns, "no column to draw"
    drawn = {name: _checked(images)[:rows] for name, images in columns.items()}
    count = max(len(images) for images in drawn.values())
    tallest = max(images.shape[2] for images in drawn.values())
    height = tallest * max(1, min(MAX_SCALE, 72 // tallest))
    font = ImageFont.load_default(size=14)
    head, pad = 26, 6
    strips = []
    for name, images in drawn.items():
        width = max(1, round(height * images.shape[3] / images.shape[2]))
        across = max(width, math.ceil(font.getlength(name))) + 2 * pad
        column = Image.new("RGB", (across, head + count * (height + GUTTER)), (PAPER,) * 3)
        ink = (INK,) * 3
        ImageDraw.Draw(column).text((across / 2, head / 2), name, ink, font=font, anchor="mm")
        for row, image in enumerate(images):
            tile = _tile(image, 1).convert("RGB").resize((width, height), Image.Resampling.NEAREST)
            column.paste(tile, ((across - width) // 2, head + row * (height + GUTTER)))
        strips.append(column)
    return _in_a_row(strips, gap=0, bottom=pad)


def strip(frames: Sequence[Frame], count: int = 6) -> Image.Image:
    """Evenly chosen frames side by side, the first and the last among them.

    frames: pictures, or files, of which only the chosen are opened; at least one. Each is brought
    to the height of the last one.
    """
    assert frames, "no frame to draw"
    chosen = [_opened(frames[place]) for place in evenly(len(frames), count)]
    height = chosen[-1].height
    same = [
        frame.convert("RGB").resize(
            (max(1, round(frame.width * height / frame.height)), height), Image.Resampling.LANCZOS
        )
        if frame.height != height
        else frame.convert("RGB")
        for frame in chosen
    ]
    return _in_a_row(same, gap=GUTTER, bottom=0)


def animate(frames: Sequence[Frame], path: Path, seconds: float) -> None:
    """Write an endless GIF that lasts `seconds` and then rests on its last frame.

    frames: pictures, or files, any number but at least one; evenly thinned to 60 and shrunk until
    the film is at most 2 MB. The file appears whole: it is written beside its place and renamed.
    """
    assert frames, "no frame to draw"
    chosen = [_opened(frames[place]) for place in evenly(len(frames), MAX_FRAMES)]
    film = b""
    for shrink in (1.0, 0.75, 0.5, 0.35, 0.25, 0.15):
        film = _gif(chosen, shrink, seconds)
        if len(film) <= MAX_FILM_BYTES:
            break
        chosen = chosen if shrink > 0.5 else [chosen[i] for i in evenly(len(chosen), 30)]
    temporary = path.with_name(path.name + ".tmp")
    temporary.write_bytes(film)
    temporary.replace(path)


def evenly(length: int, count: int) -> list[int]:
    """At most `count` positions out of range(length), evenly spaced, both ends among them.

    A single position asked for is the last one.
    """
    if length <= count:
        return list(range(length))
    if count == 1:
        return [length - 1]
    return [round(place * (length - 1) / (count - 1)) for place in range(count)]


def _opened(frame: Frame) -> Image.Image:
    if isinstance(frame, Image.Image):
        return frame
    with Image.open(frame) as image:
        image.load()
        return image


def _checked(images: Any) -> Pixels:
    pixels = np.asarray(images)
    assert pixels.dtype == np.uint8, f"pictures are drawn from uint8, not {pixels.dtype}"
    assert pixels.ndim == 4, f"pictures are drawn from (N, C, H, W), not {pixels.shape}"
    assert len(pixels), "no image to draw"
    assert pixels.shape[1] in (1, 3, 4), f"1, 3 or 4 channels can be drawn, not {pixels.shape[1]}"
    return pixels


def _tile(image: Pixels, scale: int) -> Image.Image:
    channels, height, width = image.shape
    size = (width * scale, height * scale)
    if channels == 1:
        return Image.fromarray(image[0]).resize(size, Image.Resampling.NEAREST)
    tile = Image.fromarray(np.ascontiguousarray(image.transpose(1, 2, 0)))
    tile = tile.resize(size, Image.Resampling.NEAREST)
    if channels == 3:
        return tile
    board = _checkerboard(*size).convert("RGBA")
    board.alpha_composite(tile)
    return board.convert("RGB")


def _checkerboard(width: int, height: int, cell: int = 8) -> Image.Image:
    xs, ys = np.arange(width) // cell, np.arange(height) // cell
    odd = (xs[None, :] + ys[:, None]) % 2
    return Image.fromarray(np.where(odd, 204, 255).astype(np.uint8))


def _square_columns(count: int, height: int, width: int) -> int:
    return max(1, min(count, math.ceil(math.sqrt(count * height / width) - 1e-9)))


def _whole_scale(height: int, width: int) -> int:
    return max(1, min(MAX_SCALE, GRID_SIDE // max(height, width)))


def _grey(mode: str, value: int) -> int | tuple[int, int, int]:
    return value if mode == "L" else (value, value, value)


def _in_a_row(parts: Sequence[Image.Image], gap: int, bottom: int) -> Image.Image:
    width = sum(part.width for part in parts) + gap * (len(parts) - 1)
    sheet = Image.new("RGB", (width, parts[0].height + bottom), (PAPER,) * 3)
    left = 0
    for part in parts:
        sheet.paste(part, (left, 0))
        left += part.width + gap
    return sheet


def _gif(frames: Sequence[Image.Image], shrink: float, seconds: float) -> bytes:
    last = frames[-1]
    size = (max(1, round(last.width * shrink)), max(1, round(last.height * shrink)))
    mode = "L" if all(frame.mode == "L" for frame in frames) else "RGB"
    shaped = [
        frame.convert(mode)
        if frame.size == size
        else frame.convert(mode).resize(size, Image.Resampling.LANCZOS)
        for frame in frames
    ]
    if mode == "RGB":
        # one palette for all frames: colours that change with the frame would flicker
        palette = strip(shaped, 6).quantize(128, method=Image.Quantize.MEDIANCUT)
        shaped = [frame.quantize(palette=palette, dither=Image.Dither.NONE) for frame in shaped]
    step = max(20, round(100 * seconds / len(shaped)) * 10)  # GIF counts in 10 ms, players from 20
    times = [step] * (len(shaped) - 1) + [max(step, LAST_FRAME_MS)]
    film = io.BytesIO()
    shaped[0].save(
        film, "GIF", save_all=True, append_images=shaped[1:], duration=times, loop=0, optimize=False
    )
    return film.getvalue()

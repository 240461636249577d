"""Grids, columns, strips and films: pixels lie where they should, and films stay small."""

import io

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageFont

from mulligan import pictures


def flat(values, channels=1, height=4, width=6):
    """Images of one colour each: value, value + 1, ... by channel."""
    steps = np.arange(channels, dtype=np.uint8)
    images = np.array(values, dtype=np.uint8)[:, None] + steps
    return np.broadcast_to(images[:, :, None, None], (len(values), channels, height, width)).copy()


def png(image):
    file = io.BytesIO()
    image.save(file, "PNG")
    return file.getvalue()


def test_a_grid_is_read_row_by_row_with_two_light_pixels_around_each_image():
    sheet = np.asarray(pictures.grid(flat([10, 20, 30]), columns=2, scale=1))

    assert sheet.shape == (2 * (4 + 2) + 2, 2 * (6 + 2) + 2)
    assert (sheet[2:6, 2:8] == 10).all()
    assert (sheet[2:6, 10:16] == 20).all()
    assert (sheet[8:12, 2:8] == 30).all()
    gutter = sheet[0, 0]
    assert gutter > 200
    assert (sheet[:2] == gutter).all()
    assert (sheet[:, 8:10] == gutter).all()
    assert (sheet[8:12, 10:16] == gutter).all()


def test_enlarging_repeats_pixels_and_invents_none():
    image = np.arange(4, dtype=np.uint8).reshape(1, 1, 2, 2) * 50
    sheet = np.asarray(pictures.grid(image, scale=3))
    assert (sheet[2:-2, 2:-2] == np.kron(image[0, 0], np.ones((3, 3)))).all()


@pytest.mark.parametrize(
    ("count", "side", "shape"), [(64, 28, (8, 8)), (64, 64, (8, 8)), (1, 8, (1, 1))]
)
def test_a_grid_is_square_and_enlarged_by_a_whole_factor_to_a_readable_size(count, side, shape):
    sheet = pictures.grid(flat(list(range(count)), height=side, width=side))
    scale, rest = divmod(sheet.width - 2 - 2 * shape[0], shape[0] * side)
    assert rest == 0
    assert scale >= 1
    assert sheet.width == sheet.height
    assert sheet.width <= 600


def test_colours_keep_their_order_of_channels():
    sheet = np.asarray(pictures.grid(flat([7], channels=3), scale=1))
    assert (sheet[3, 3] == [7, 8, 9]).all()


def test_transparent_pixels_show_a_checkerboard_and_opaque_ones_their_colour():
    images = flat([100, 100], channels=4, height=32, width=32)
    images[0, 3], images[1, 3] = 0, 255
    sheet = np.asarray(pictures.grid(images, columns=2, scale=1))
    assert set(np.unique(sheet[2:34, 2:34])) == {204, 255}
    assert (sheet[2:34, 36:68] == [100, 101, 102]).all()


def test_columns_stand_side_by_side_at_one_height_under_whole_headings():
    name = "a heading much wider than its images"
    columns = {name: flat([200] * 3, height=8, width=8), "b": flat([40] * 3, 3, 16, 32)}
    sheet = pictures.beside(columns, rows=2)

    assert sheet.width > ImageFont.load_default(size=14).getlength(name)
    pixels = np.asarray(sheet)
    is_first = (pixels == 200).all(axis=2).sum(axis=0)
    is_second = (pixels == [40, 41, 42]).all(axis=2).sum(axis=0)
    assert is_first.max() == is_second.max() == 2 * 64
    assert is_second.nonzero()[0].min() > is_first.nonzero()[0].max()
    assert (is_second > 0).sum() == 2 * (is_first > 0).sum()
    assert (pixels[:, [0, -1]] == 255).all()


def test_wrong_arrays_are_refused():
    for wrong in (np.zeros((1, 1, 2, 2)), flat([1])[0], flat([1], channels=2), flat([])):
        with pytest.raises(AssertionError):
            pictures.grid(wrong)


@given(st.integers(1, 500), st.integers(2, 80))
def test_evenly_keeps_both_ends_and_spreads_the_rest(length, count):
    places = pictures.evenly(length, count)
    assert places[0] == 0
    assert places[-1] == length - 1
    assert len(places) == min(length, count)
    steps = np.diff(places)
    assert len(steps) == 0 or (steps.min() >= 1 and steps.max() - steps.min() <= 1)


def frames(count, side=24):
    generator = np.random.default_rng(0)
    noise = generator.integers(0, 255, (count, side, side), dtype=np.uint8)
    noise[:, 0, 0] = np.arange(count)
    return [Image.fromarray(frame) for frame in noise]


def test_a_strip_shows_the_first_and_the_last_frame(tmp_path):
    shown = frames(20)
    files = [tmp_path / f"{place:02d}.png" for place in range(20)]
    for frame, file in zip(shown, files, strict=True):
        frame.save(file)

    for given_frames in (shown, files):
        strip = np.asarray(pictures.strip(given_frames, 5).convert("L"))
        assert strip.shape == (24, 5 * 24 + 4 * 2)
        assert (strip[:, :24] == np.asarray(shown[0])).all()
        assert (strip[:, -24:] == np.asarray(shown[-1])).all()


def test_a_film_has_at_most_sixty_frames_and_ends_on_the_last(tmp_path):
    path, shown = tmp_path / "film.gif", frames(130)
    pictures.animate(shown, path, seconds=6)

    with Image.open(path) as film:
        assert film.n_frames == 60
        assert film.info["duration"] == 100
        assert film.info["loop"] == 0
        film.seek(59)
        assert (np.asarray(film.convert("L")) == np.asarray(shown[-1])).all()
        assert film.info["duration"] > 1000
    first = path.read_bytes()
    pictures.animate(shown, path, seconds=6)
    assert path.read_bytes() == first
    assert [file.name for file in tmp_path.iterdir()] == ["film.gif"]


def test_a_large_film_is_shrunk_until_it_fits(tmp_path, monkeypatch):
    monkeypatch.setattr(pictures, "MAX_FILM_BYTES", 9_000)
    path = tmp_path / "film.gif"
    pictures.animate([frame.convert("RGB") for frame in frames(40)], path, seconds=4)
    assert path.stat().st_size <= 9_000
    with Image.open(path) as film:
        assert film.n_frames > 5


def test_saved_pictures_carry_no_metadata():
    content = png(pictures.grid(flat([1, 2])))
    assert all(word not in content for word in (b"tEXt", b"tIME", b"iTXt", b"pHYs"))

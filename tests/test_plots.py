"""Plots of points and codes: what is drawn where, in which colour, and that films do not jump."""

import io

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib.colors import to_rgb

from mulligan import plot_codes, plots

GENERATOR = np.random.default_rng(0)
ANGLES = GENERATOR.uniform(0, 2 * np.pi, 600)
RING = np.c_[np.cos(ANGLES), np.sin(ANGLES)] * 3
LINE = GENERATOR.normal(5, 2, (3000, 1))


def colour(name):
    return np.array(to_rgb(name)) * 255


def surface(score):
    (low_x, high_x), (low_y, high_y) = plots.view(RING)
    xs, ys = np.linspace(low_x, high_x, 8), np.linspace(low_y, high_y, 9)
    return xs, ys, score(*np.meshgrid(xs, ys))


def share(image, name, tolerance=12):
    """The share of the picture's pixels that have this colour."""
    distance = np.abs(np.asarray(image, dtype=float) - colour(name)).max(axis=2)
    return float((distance < tolerance).mean())


def png(image):
    file = io.BytesIO()
    image.save(file, "PNG")
    return file.getvalue()


def test_the_view_comes_from_the_real_points_and_keeps_circles_round():
    (low_x, high_x), (low_y, high_y) = plots.view(RING * [1, 0.2] + [100, 0])
    assert high_x - low_x == pytest.approx(high_y - low_y)
    assert low_x < 97
    assert high_x > 103
    assert (low_x + high_x) / 2 == pytest.approx(100, abs=0.1)
    assert plots.view(np.zeros((5, 1))) == [(-0.7, 0.7)]


def test_frames_do_not_jump_whatever_is_generated():
    near, far = plots.scatter(RING, RING * 0.1), plots.scatter(RING, RING * 1e6)
    assert near.size == far.size
    ticks = np.s_[:, :60]  # the numbers on the left axis
    assert (np.asarray(near)[ticks] == np.asarray(far)[ticks]).all()
    near, far = plots.densities(LINE, LINE + 1), plots.densities(LINE, LINE * 0)
    assert (np.asarray(near)[ticks] == np.asarray(far)[ticks]).all()


def test_plots_are_the_same_byte_for_byte():
    field = surface(lambda x, y: x + y)
    first, second = (png(plots.scatter(RING, RING + 1, field, seen=10)) for _ in range(2))
    assert first == second
    assert b"tEXt" not in first


@pytest.mark.parametrize("undecided", [0.0, 0.5])
def test_the_plane_is_coloured_by_what_the_judge_says_there(undecided):
    for score, name in (
        (20, plots.REAL_SIDE),
        (-20, plots.FAKE_SIDE),
        (undecided, plots.UNDECIDED),
    ):
        field = surface(lambda x, y, score=score: x * 0 + score)
        image = plots.scatter(RING, RING[:0], field, undecided=undecided)
        assert share(image, name) > 0.4


def test_a_critics_colours_do_not_depend_on_the_zero_and_unit_of_its_scores():
    def draw(scale, shift):
        field = surface(lambda x, y: scale * (x - 0.3 * y**2) + shift)
        return np.asarray(plots.scatter(RING, RING * 0.3, field, undecided=None), dtype=int)

    assert np.abs(draw(1, 0) - draw(1000, 777)).max() <= 2
    assert share(draw(1, 0), plots.REAL_SIDE, 40) > 0.05
    assert share(draw(1, 0), plots.FAKE_SIDE, 40) > 0.05


def test_surfaces_are_not_transposed_or_upside_down():
    image = plots.scatter(RING, RING[:0], surface(lambda x, y: 20 * y))
    height = image.height
    top, bottom = (np.asarray(image)[part] for part in (np.s_[: height // 2], np.s_[height // 2 :]))
    assert share(top, plots.REAL_SIDE) > 0.3
    assert share(bottom, plots.FAKE_SIDE) > 0.3
    assert share(top, plots.FAKE_SIDE) < 0.01


def test_generated_points_lie_on_top_and_some_are_missing_where_none_are():
    assert share(plots.scatter(RING, RING), plots.GENERATED) > 5 * share(
        plots.scatter(RING, RING[:0]), plots.GENERATED
    )


def test_densities_are_densities():
    (limits,) = plots.view(LINE)
    values = LINE[np.abs(LINE - np.mean(limits)) < (limits[1] - limits[0]) / 2]
    xs, density = plots._density(values, limits, plots._bandwidth(LINE[:, 0]))
    assert np.trapezoid(density, xs) == pytest.approx(1, abs=0.02)
    assert xs[density.argmax()] == pytest.approx(5, abs=0.7)
    assert density.max() == pytest.approx(1 / (2 * np.sqrt(2 * np.pi)), rel=0.15)


def test_the_judges_curve_is_a_probability_on_the_right_axis():
    def height(score):
        xs = np.linspace(-5, 15, 50)
        image = np.asarray(plots.densities(LINE, LINE[:0], (xs, xs * 0 + score)), dtype=float)
        inside = image[45:455, 150:600]
        return float((np.abs(inside - colour("#0072b2")).max(axis=2) < 40).nonzero()[0].mean())

    certain, unsure, never = height(50.0), height(0.0), height(-50.0)
    assert certain < unsure < never
    assert unsure == pytest.approx((certain + never) / 2, abs=25)


@given(st.floats(-1e6, 1e6), st.floats(-1e3, 1e3))
@settings(max_examples=50)
def test_judgements_are_between_fake_and_real_and_grow_with_the_score(score, other):
    scores = np.array(sorted([score, other]))
    for undecided in (0.0, 0.5, None):
        low, high = plots._judged(scores, undecided, [score, other])
        assert 0 <= low <= high <= 1
    assert plots._judged(np.zeros(1), 0.0, []) == 0.5
    assert plots._judged(np.full(1, 0.5), 0.5, []) == 0.5


def test_the_number_of_coordinates_chooses_the_plot_and_three_have_none():
    assert plots.draw_points(LINE, LINE).size == plots.densities(LINE, LINE).size
    assert plots.draw_points(RING, RING).size == plots.scatter(RING, RING).size
    assert plots.draw_points(np.zeros((4, 3)), np.zeros((4, 3))) is None
    assert plots.draw_points(LINE, LINE[:0], None, seen=0, undecided=None) is not None


def test_main_directions_find_the_plane_that_was_hidden_in_many_dimensions():
    rotation = np.linalg.qr(GENERATOR.normal(size=(9, 9)))[0]
    plane = GENERATOR.normal(size=(400, 2)) * [10, 3]
    codes = np.c_[plane, GENERATOR.normal(size=(400, 7)) * 0.01] @ rotation + 4
    found = plot_codes._main_directions(codes)
    centred = plane - plane.mean(axis=0)
    for column in range(2):
        match = np.corrcoef(found[:, column], centred[:, column])[0, 1]
        assert abs(match) == pytest.approx(1, abs=0.05)
    assert np.allclose(found, plot_codes._main_directions(codes + 100), atol=1e-8)
    along = np.linspace(-1, 1, 50)
    upward = plot_codes._main_directions(along[:, None] * [1.0, 9.0, -2.0])[:, 0]
    assert (np.diff(upward) > 0).all()  # its sign follows the largest coordinate, not chance
    assert plot_codes._main_directions(plane) is plane
    assert plot_codes._main_directions(plane[:, :1]).shape == (400, 2)


def test_each_class_has_its_colour_and_names_are_not_read_as_formulas():
    codes, labels = GENERATOR.normal(size=(300, 2)), np.arange(300) % 3
    image = plot_codes.latent_space(codes, labels, ["$a$", "_b", "c"], seen=5, limit=4)
    for name in plot_codes.CLASSES[:3]:
        assert share(image, name, 70) > 1e-3
    assert plot_codes.latent_space(codes).size == image.size

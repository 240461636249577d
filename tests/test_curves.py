"""Curves of pages: spikes survive, bands are intervals, names are escaped, no network is asked."""

import re

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from mulligan.curves import curves, panels, progress_curves, thin


def rows(count=30, **more):
    return [
        {
            "round": place,
            "images": 64 * place,
            "seconds": 0.1 * place,
            "generator/score": 1.0 + place,
            "discriminator/accuracy_real": 0.5,
            "discriminator/accuracy_fake": 0.75,
            "generator/gradient": 2.0,
            "rate/images_per_second": 100.0,
            **more,
        }
        for place in range(1, count + 1)
    ]


@given(st.integers(2, 20_000), st.integers(0, 10**9))
@settings(max_examples=40, deadline=None)
def test_thinning_keeps_ends_order_and_extremes(count, seed):
    y = np.random.default_rng(seed).normal(size=count)
    x = np.arange(count, dtype=float)
    thin_x, thin_y = thin(x, y)
    assert len(thin_x) <= 1000
    assert len(thin_x) == min(count, len(thin_x))
    assert (np.diff(thin_x) > 0).all()
    assert thin_x[0] == 0
    assert thin_x[-1] == count - 1
    assert thin_y.max() == y.max()
    assert thin_y.min() == y.min()
    assert (thin_y == y[thin_x.astype(int)]).all()


def test_values_are_shared_out_by_what_they_mean():
    found = {panel.heading: panel.names for panel in panels(rows())}
    assert found == {
        "Losses": ("generator/score",),
        "Accuracy of the discriminator": (
            "discriminator/accuracy_real",
            "discriminator/accuracy_fake",
        ),
        "Gradient norms": ("generator/gradient",),
        "Speed": ("rate/images_per_second",),
    }
    assert [panel.heading for panel in panels(rows(), ["generator/score"])] == ["Losses"]


def test_drawings_are_inline_and_the_same_every_time():
    text = curves(rows())
    assert text.count("<svg") == text.count("</svg>") == 4
    assert "http" not in text
    assert "<style" not in text
    assert "<script" not in text
    assert text == curves(rows())


def test_a_rising_loss_is_drawn_rising_and_ends_where_its_number_says():
    text = curves(rows(), ["generator/score"])
    line = max(re.findall(r'd="(M [^"]*)"', text), key=len)
    points = np.array([[float(part) for part in point.split()[1:]] for point in line.splitlines()])
    assert len(points) == 30
    assert (np.diff(points[:, 0]) > 0).all()
    assert (np.diff(points[:, 1]) < 0).all()  # up, on a screen
    assert "<b>31</b>" in text


def test_names_are_text_and_never_markup_or_formulas():
    text = curves(rows(**{"$x_1$/<img src=x>": 1.0, "_/_": 2.0}))
    assert "<img" not in text
    assert "$x_1$/&lt;img src=x&gt;" in text
    assert "_/_" in text


def test_gaps_spikes_single_rows_and_odd_values_can_be_drawn():
    assert curves([]) == ""
    assert curves([{"images": 1}]) == ""
    assert curves(rows(1)).count("<svg") == 4
    odd = [
        *rows(3, **{"generator/late": None, "generator/word": "x", "generator/flag": True}),
        {"images": 500, "generator/late": -1e9},
        {"images": 600, "generator/late": 0.0},
    ]
    text = curves(odd)
    assert "generator/late" in text
    assert "generator/word" not in text
    assert "generator/flag" not in text


def evaluated(values, name="KD-digits", start=100):
    """Rows of training, every second with an evaluation whose interval is 0.1 either way."""
    found = []
    for place, value in enumerate(values, 1):
        found.append({"images": start * (2 * place - 1), "generator/score": 1.0})
        marks = {f"progress/{name}": value, "progress/low": value - 0.1}
        found.append({"images": start * 2 * place, **marks, "progress/high": value + 0.1})
    return found


def paths(text):
    """The points of every path with more than 4 of them, as arrays (N, 2) in SVG's units."""
    found = []
    for path in re.findall(r' d="([^"]*)"', text):
        points = re.findall(r"[ML] ([-\d.]+) ([-\d.]+)", path)
        if len(points) > 4:
            found.append(np.array(points, dtype=float))
    return found


def test_evaluations_are_never_drawn_as_losses():
    mixed = [{**row, **more} for row, more in zip(rows(4), evaluated([1.0, 2.0]), strict=True)]
    names = [name for panel in panels(mixed) for name in panel.names]
    assert names
    assert not [name for name in names if name.startswith("progress/")]
    assert "progress" not in curves(mixed)


def test_a_band_reaches_from_the_low_to_the_high_end_of_each_interval():
    text = progress_curves({"a": evaluated([3.0, 2.5, 2.0, 1.5, 1.2, 1.0])}, "Lower is better.")
    band, line = paths(text)[:2]
    band[:, 1] += float(re.search(r'<use [^>]*y="([\d.]+)"', text)[1])  # a shape, put in place
    assert (np.diff(line[:, 1]) > 0).all()  # falling, as SVG counts downwards
    unit = (line[-1, 1] - line[0, 1]) / 2.0
    for x, y in line:
        ends = band[np.abs(band[:, 0] - x) < 0.01][:, 1]
        assert abs(ends.max() - (y + 0.1 * unit)) < 0.01
        assert abs(ends.min() - (y - 0.1 * unit)) < 0.01
    assert "<b>1.00 (0.90 to 1.10)</b>" in text
    assert "Lower is better." in text


def test_runs_share_a_drawing_where_they_share_a_figure_and_only_there():
    text = progress_curves(
        {
            "one": evaluated([3.0, 2.0]),
            "two": evaluated([4.0, 1.0], start=50),
            "three": evaluated([5.0], name="MIND-points"),
            "none": rows(3),
        },
        "",
    )
    headings = re.findall(r"<h3>(.*?)</h3>", text)
    keys = [re.findall(r"</i>(\w+) <b>", part) for part in text.split("<figure")[1:]]
    assert headings == ["Progress: KD-digits", "Progress: MIND-points"]
    assert keys == [["one", "two"], ["three"]]
    assert progress_curves({"none": rows(3)}, "") == ""


def test_a_ring_marks_the_best_where_it_is():
    runs = {"a": evaluated([3.0, 2.0, 4.0])}
    plain, marked = (progress_curves(runs, "", best) for best in (None, {"a": 400}))
    assert plain == progress_curves(runs, "", {"a": 300})  # no evaluation there
    assert marked.count("<use") == plain.count("<use") + 1


def test_names_of_runs_and_figures_are_text():
    text = progress_curves({"<b>run": evaluated([1.0], name="<img src=x>")}, "<i>how")
    assert "<img" not in text
    assert "&lt;b&gt;run" in text
    assert 'aria-label="Progress: &lt;img src=x&gt;"' in text
    assert "&lt;i&gt;how" in text


def test_an_evaluation_that_is_not_whole_is_left_out():
    half = [{"images": 5, "progress/KD-digits": 1.0, "progress/low": None, "progress/high": 2.0}]
    assert progress_curves({"a": half}, "") == ""
    assert "<b>2.00 (1.90 to 2.10)</b>" in progress_curves({"a": evaluated([2.0]) + half}, "")

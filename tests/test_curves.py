"""Curves of the report: spikes survive, names are escaped, nothing asks a network."""

import re

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from mulligan.curves import curves, panels, thin


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

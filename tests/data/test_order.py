"""Order: every epoch a permutation, every position reachable at once. Held-out rows by content."""

from __future__ import annotations

import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from mulligan.data.order import MOST_HELD_OUT, Order, hold_out


def order(count: int) -> Order:
    return Order(torch.arange(count), lambda epoch: 1000 + epoch)


@given(count=st.integers(1, 40), batch=st.integers(1, 50))
@settings(max_examples=60, deadline=None)
def test_each_epoch_holds_every_row_once_whatever_the_batch(count, batch):
    source = order(count)
    rows = torch.cat([source.rows(start, batch) for start in range(0, 3 * count, batch)])
    for epoch in range(3):
        part = rows[epoch * count : (epoch + 1) * count]
        assert sorted(part.tolist()) == list(range(count))


@given(count=st.integers(1, 40), at=st.integers(0, 500), batch=st.integers(1, 50))
@settings(max_examples=60, deadline=None)
def test_seeking_gives_what_reading_on_gives(count, at, batch):
    from_the_start = order(count).rows(0, at + batch)[at:]
    assert torch.equal(order(count).rows(at, batch), from_the_start)


def test_only_the_given_rows_come():
    among = torch.tensor([3, 5, 8, 13])
    assert sorted(Order(among, lambda epoch: epoch).rows(0, 8).tolist()) == [
        3,
        3,
        5,
        5,
        8,
        8,
        13,
        13,
    ]


def test_epochs_differ():
    source = order(100)
    assert not torch.equal(source.rows(0, 100), source.rows(100, 100))


def test_held_out_rows_depend_on_content_alone():
    images = torch.randint(0, 256, (400, 1, 4, 4), dtype=torch.uint8)
    train, held = hold_out(images, 0.1)
    assert len(held) == 40
    assert sorted([*train.tolist(), *held.tolist()]) == list(range(400))
    shuffled = torch.randperm(400)
    _, held_again = hold_out(images[shuffled], 0.1)
    assert {*shuffled[held_again].tolist()} == {*held.tolist()}


def test_copies_of_a_picture_stay_on_one_side():
    images = torch.randint(0, 256, (200, 1, 4, 4), dtype=torch.uint8)
    doubled = torch.cat([images, images])
    train, held = hold_out(doubled, 0.2)
    assert not {row % 200 for row in train.tolist()} & {row % 200 for row in held.tolist()}


def test_limits_of_holding_out():
    images = torch.randint(0, 256, (120_000, 2), dtype=torch.uint8)
    unique = torch.arange(120_000, dtype=torch.float32)[:, None]
    assert len(hold_out(unique, 0.5)[1]) == MOST_HELD_OUT
    assert len(hold_out(images[:1], 0.5)[1]) == 0
    assert len(hold_out(images, 0.0)[1]) == 0
    same = torch.zeros(10, 3)
    assert len(hold_out(same, 0.5)[0]) == 10

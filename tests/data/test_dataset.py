import pytest
import torch

from mulligan.data.dataset import build, content_sha256, select_label
from mulligan.errors import DataError
from mulligan.fields import Image, Label


def small():
    real = torch.arange(4 * 8 * 8, dtype=torch.uint8).view(4, 1, 8, 8)
    arrays = {"real": real, "label": torch.tensor([1, 0, 1, 2])}
    fields = {"real": Image(1, 8, 8), "label": Label(("cat", "dog", "1", "emu"))}
    return build("pets", fields, arrays, source="made up")


def test_hash_sees_every_byte_the_shape_the_type_and_the_name():
    array = torch.zeros(2, 6, dtype=torch.uint8)
    changed = array.clone()
    changed[1, 5] = 1
    variants = [
        {"real": array},
        {"real": changed},
        {"real": array.view(6, 2)},
        {"real": array.view(torch.int8)},
        {"fake": array},
        {"real": array[:0]},
    ]
    assert len({content_sha256(arrays) for arrays in variants}) == len(variants)


def test_hash_does_not_depend_on_order_or_memory_layout():
    a, b = torch.arange(6.0).view(2, 3), torch.ones(2)
    turned = a.t().contiguous().t()
    assert content_sha256({"a": a, "b": b}) == content_sha256({"b": b, "a": turned})


def test_manifest_counts_rows_and_bytes():
    data = small()
    assert len(data) == data.manifest["count"] == 4
    assert data.manifest["bytes"] == 4 * 64 + 4 * 8
    assert data.manifest["sha256"] == content_sha256(data.arrays)


@pytest.mark.parametrize(("wanted", "index"), [("dog", 1), ("0", 0), (3, None), ("1", 2), (0, 0)])
def test_one_class_is_selected_by_name_first_then_by_position(wanted, index):
    data = small()
    if index is None:
        with pytest.raises(DataError, match="no rows of class 'emu'"):
            select_label(data, wanted)
        return
    one = select_label(data, wanted)
    rows = data.arrays["label"] == index
    assert torch.equal(one.arrays["real"], data.arrays["real"][rows])
    assert one.arrays["label"].tolist() == [index] * int(rows.sum())
    assert one.fields == data.fields
    assert one.manifest["count"] == int(rows.sum())
    assert one.manifest["sha256"] != data.manifest["sha256"]


@pytest.mark.parametrize("wanted", ["Dog", "4", "-1", "²", ""])
def test_an_unknown_class_is_refused_with_the_names(wanted):
    with pytest.raises(DataError, match="cat, dog, 1, emu"):
        select_label(small(), wanted)


def test_data_without_labels_have_no_class_to_select():
    real = torch.zeros(2, 1, 8, 8, dtype=torch.uint8)
    data = build("plain", {"real": Image(1, 8, 8)}, {"real": real}, source="made up")
    with pytest.raises(DataError, match="no labels"):
        select_label(data, "cat")

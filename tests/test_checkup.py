"""The data doctor on real files with planted faults, on a named set, and through the command."""

from __future__ import annotations

import io
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from acceptance_tools import call
from data.test_folder import lay
from mulligan import checkup
from mulligan.checkup import check
from mulligan.checkup_page import html, lines
from mulligan.data import duplicates
from mulligan.data.open import open_data
from mulligan.errors import DataError
from mulligan.pictures import grid


def photo(seed: int, size: tuple[int, int] = (60, 48)) -> Image.Image:
    """Smooth, colourful and different for each seed."""
    noise = np.random.default_rng(seed).integers(0, 256, (6, 6, 3), dtype=np.uint8)
    return Image.fromarray(noise).resize(size, Image.Resampling.BICUBIC)


def encoded(image: Image.Image, kind: str = "PNG", **options: object) -> bytes:
    held = io.BytesIO()
    image.save(held, kind, **options)  # type: ignore[arg-type]
    return held.getvalue()


def faulty(root: Path) -> str:
    """Twelve usable pictures of two classes: copy, look-alike, alpha, EXIF, frames; and junk."""
    turned = Image.Exif()
    turned[0x0112] = 6
    clear = photo(5).convert("RGBA")
    clear.putalpha(Image.linear_gradient("L").resize(clear.size))
    frames = [photo(20), photo(21), photo(22)]
    files = {
        "cat/a.png": encoded(photo(1)),
        "cat/again.bmp": encoded(photo(1), "BMP"),
        "cat/b.png": encoded(photo(2)),
        "cat/squeezed.jpg": encoded(photo(2), "JPEG", quality=85),
        "cat/<b>.png": encoded(photo(3)),
        "cat/grey.png": encoded(photo(4).convert("L")),
        "cat/clear.png": encoded(clear),
        "cat/turned.jpg": encoded(photo(6), "JPEG", exif=turned),
        "cat/moving.gif": encoded(frames[0], "GIF", save_all=True, append_images=frames[1:]),
        "cat/inks.jpg": encoded(photo(7).convert("CMYK"), "JPEG"),
        "cat/c.png": encoded(photo(8)),
        "dog/d.png": encoded(photo(9, (480, 320))),
        "dog/broken.png": encoded(photo(10))[:200],
        "dog/notes.txt": b"hello",
    }
    return lay(root, files)


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    return check(faulty(tmp_path_factory.mktemp("data") / "pets"), timed=False)


def test_every_planted_fault_is_found(found) -> None:
    facts = found.facts
    assert facts["rows"] == 12
    assert facts["classes"] == {"cat": 11, "dog": 1}
    assert {skip["file"] for skip in facts["skipped"]} == {"dog/broken.png", "dog/notes.txt"}
    assert facts["copies"] == [["cat/a.png", "cat/again.bmp"]]
    assert facts["near"] == [["cat/b.png", "cat/squeezed.jpg"]]
    assert facts["turned"] == ["cat/turned.jpg"]
    assert facts["animated"] == ["cat/moving.gif"]
    assert facts["transparent"] == ["cat/clear.png"]
    assert facts["formats"] == {"PNG": 7, "JPEG": 3, "BMP": 1, "GIF": 1}
    assert facts["modes"]["CMYK"] == 1
    assert facts["short_side"] == [48, 48, 320]
    assert facts["aspect"][0] == pytest.approx(48 / 60)  # the turned one stands upright


def test_what_to_know_is_said(found) -> None:
    words = "\n".join(found.remarks)
    for part in (
        "not used: 2 files, such as dog/broken.png", "copies of another: 1 picture, such as cat/a",
        "nearly like another: 1 picture, such as cat/b.png", "uneven: 11 of one, 1 of another",
        "transparent in part, and put on the background: 1 picture;",
        "1 animation: the first frame",
    ):  # fmt: skip
        assert part in words
    assert found.facts["plan"]["augment"]["value"] == "adaptive"
    assert found.facts["plan"]["size"]["value"] == "32x32"
    assert json.loads(json.dumps(found.facts)) == found.facts


def test_the_picture_is_what_training_sees(found) -> None:
    assert found.picture is not None
    rows = open_data(found.facts["data"]).arrays["real"]
    assert found.picture.tobytes() == grid(rows.numpy()).tobytes()  # fewer than are shown at most


def test_pages_escape_what_files_are_called(found) -> None:
    page = html(found)
    assert "cat/&lt;b&gt;.png" not in page  # it is neither skipped nor a copy
    assert "<b>.png" not in page
    assert "data:image/png;base64," in page
    assert "dog/broken" in page.replace("<wbr>", "")
    assert "transparent" in lines(found)


def test_settings_change_the_plan(tmp_path: Path) -> None:
    data = faulty(tmp_path / "pets")
    wide = check(data, {"size": "16x24", "channels": 4}, timed=False)
    assert wide.facts["plan"]["channels"]["value"] == 4
    assert not any("--channels 4" in remark for remark in wide.remarks)


def test_the_command_prints_and_writes(tmp_path: Path) -> None:
    data = faulty(tmp_path / "pets")
    out = tmp_path / "facts.json"
    done = call(f"check {data} --out {out}")
    assert done.code == 0
    assert "images/s here, measured" in done.out
    assert "! not used: 2 files" in done.out
    facts = json.loads(out.read_text())
    assert facts["seconds"] > 0
    assert facts["remarks"]
    again = call(f"check {data} --out {out}")
    assert again.code == 2
    assert "exists" in again.err
    page = tmp_path / "facts.html"
    assert call(f"check {data} --out {page}").code == 0
    assert page.read_text().startswith("<!doctype html>")


def test_of_very_many_pictures_some_are_looked_at_and_it_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = lay(tmp_path / "set", {f"{k:02d}.png": encoded(photo(k)) for k in range(31)})
    monkeypatch.setattr(checkup, "MOST_LOOKED_AT", 4)
    found = check(path, timed=False)
    assert sum(found.facts["formats"].values()) == found.facts["looked_at"] == 4
    assert found.remarks[0] == "4 of 31 pictures were looked at, evenly spread"
    rows = open_data(path).arrays["real"][[0, 10, 20, 30]].double()
    assert found.facts["mean"] == [
        pytest.approx(v, abs=0.06) for v in rows.mean((0, 2, 3)).tolist()
    ]
    digits = check("digits", timed=False)
    assert digits.remarks[0] == "4 of 10,000 pictures were looked at, evenly spread"


def test_a_named_set_and_points_are_checked_too() -> None:
    digits = check("digits", timed=False)
    assert digits.facts["rows"] == 10_000
    rows = digits.plan.data.arrays["real"].double()
    assert digits.facts["mean"] == [pytest.approx(float(rows.mean()), abs=0.06)]
    assert digits.facts["deviation"] == [pytest.approx(float(rows.std()), abs=0.06)]
    assert sum(digits.facts["classes"].values()) == 10_000
    assert "formats" not in digits.facts
    ring = check("2d:ring", timed=False)
    assert ring.picture is None
    assert "mean" not in ring.facts


def test_nothing_to_use_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no picture that can be used"):
        check(lay(tmp_path / "none", {"a.txt": b""}))


# Look-alikes


def small(image: Image.Image) -> np.ndarray:
    return np.asarray(image.convert("RGB").resize((32, 32), Image.Resampling.BOX), dtype=np.uint8)


def test_edits_that_hardly_show_are_found_and_other_pictures_are_not() -> None:
    originals = [photo(seed, (128, 128)) for seed in range(40)]
    edits = []
    for seed, image in enumerate(originals[:10]):
        held = io.BytesIO(encoded(image, "JPEG", quality=60))
        edits.append(Image.open(held).resize((96, 96)))
        shifted = np.asarray(image).astype(int) + (3 if seed % 2 else -3)
        edits.append(Image.fromarray(shifted.clip(0, 255).astype(np.uint8)))
    copies = np.stack([small(image) for image in [*originals, *edits]])
    groups = duplicates.alike(copies)
    wanted = [[seed, 40 + 2 * seed, 41 + 2 * seed] for seed in range(10)]
    assert sorted(sorted(group) for group in groups) == wanted


def test_digits_of_one_kind_are_not_copies() -> None:
    data = open_data("digits")
    images = data.arrays["real"].permute(0, 2, 3, 1).numpy()
    padded = np.pad(images, ((0, 0), (2, 2), (2, 2), (0, 0))).repeat(3, axis=3)
    extra = sum(len(group) - 1 for group in duplicates.alike(padded))
    assert extra < 20  # of 10,000


def test_equal_contents_are_grouped_in_order() -> None:
    assert duplicates.same(["a", "b", "a", "c", "b", "a"]) == [[0, 2, 5], [1, 4]]


def test_blank_pages_do_not_take_for_ever() -> None:
    blank = np.full((3000, 32, 32, 3), 255, dtype=np.uint8)
    assert [len(group) for group in duplicates.alike(blank)] == [3000]

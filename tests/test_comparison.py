"""Comparisons: one protocol for all, a best one only beyond noise, a page that asks no network."""

import shutil
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

import mulligan
from judged import evaluation, figure
from mulligan import comparison
from mulligan.comparison import compare
from mulligan.comparison_page import PICTURE_BYTES
from mulligan.comparison_result import Comparison, Side, rows_compared
from mulligan.errors import UsageError
from mulligan.evaluation.explained import explain
from mulligan.run import Run
from test_report import EVIL, Page, grid

COUNT = 100


def side(name, *figures, **more):
    return Side(name, evaluation(name, *figures), **more)


def three(name, *values, half=0.1):
    """A comparison of one figure between as many sides as there are values."""
    return Comparison(
        tuple(side(f"run{at}", figure(name, value, half)) for at, value in enumerate(values))
    )


def progress(*values):
    return [
        {"images": 64 * at, "progress/KD-digits": value, "progress/low": value - 0.1,
         "progress/high": value + 0.1}
        for at, value in enumerate(values, 1)
    ]  # fmt: skip


def test_a_value_is_the_best_only_where_its_interval_lies_apart():
    assert three("FD-digits", 3.0, 2.0).verdict("FD-digits") == "run1"
    assert three("FD-digits", 2.15, 2.0).verdict("FD-digits") == "no difference beyond noise"
    assert three("FD-digits", 2.25, 2.0).verdict("FD-digits") == "run1"
    assert three("recall-digits", 0.7, 0.3).verdict("recall-digits") == "run0"


def test_of_three_those_that_noise_cannot_tell_apart_are_named_together():
    found = three("FD-digits", 2.0, 5.0, 2.1)
    assert found.leaders("FD-digits") == ["run0", "run2"]
    assert found.verdict("FD-digits") == "run0, run2: no difference beyond noise"
    assert found.table()[1][-1] == found.verdict("FD-digits")


def test_nobody_wins_where_neither_way_is_better_or_nobody_else_has_the_figure():
    assert three("copies-digits", 0.0, 0.9).verdict("copies-digits") == ""
    one = Comparison((side("a", figure("FD-digits", 1.0)), side("b", figure("KD-digits", 1.0))))
    assert one.verdict("FD-digits") == one.verdict("KD-digits") == ""
    assert [row[0] for row in one.table()] == ["figure", "FD-digits", "KD-digits"]
    assert one.table()[1][1:3] == ["1.00 (0.90 to 1.10)", ""]


def test_the_column_of_training_images_says_what_zero_means():
    zero = figure("FD-digits", 0.25)
    first = Side("a", evaluation("a", figure("FD-digits", 3.0), baseline=(zero,)))
    found = Comparison((first, side("b", figure("FD-digits", 4.0))))
    assert found.table()[0] == ["figure", "a", "b", "training images", "best"]
    assert found.table()[1][3] == "0.25"


def test_only_settings_that_differ_are_listed():
    found = Comparison(
        (
            side("a", figure("FD-x", 1.0), settings={"rate": 0.1, "batch": 64, "slope": 0.2}),
            side("files", figure("FD-x", 1.0)),
            side("b", figure("FD-x", 1.0), settings={"rate": 0.2, "batch": 64}),
        )
    )
    assert found.differing() == [["rate", 0.1, 0.2], ["slope", 0.2, None]]
    assert found.to_json()["settings"] == {
        "a": {"rate": 0.1, "slope": 0.2},
        "b": {"rate": 0.2, "slope": None},
    }
    assert "setting    a    b" in str(found)
    assert "batch" not in str(found)


def test_a_remark_on_several_sides_is_said_once():
    sides = [
        Side(name, evaluation(name, figure("FD-x", 1.0), verdicts=("v",), notes=(name,)))
        for name in ("a", "b")
    ]
    assert Comparison(tuple(sides), ("n",)).remarks() == ["a, b: v", "a: a", "b: b", "note: n"]


def test_the_page_shows_tables_samples_and_curves_and_reaches_no_network(tmp_path):
    found = Comparison(
        (
            Side("one", evaluation("one", figure("KD-digits", 3.0), images=128), grid(1),
                 {"rate": 0.1}, progress(5.0, 3.0)),
            Side("two", evaluation("two", figure("KD-digits", 2.0), images=64), grid(2),
                 {"rate": 0.2}, progress(2.0)),
        )
    )  # fmt: skip
    page = Page(found.save(tmp_path / "new" / "c.html"))
    for words in (
        "500 rows of each against real rows of digits (held out of training), extractor digits "
        "(abababababab), resize antialiased, seed 7",
        "KD-digits 3.00 2.90 to 3.10 2.00 1.90 to 2.10 – two",
        "Progress: KD-digits",
        "one 3.00 (2.90 to 3.10)",
        "two 2.00 (1.90 to 2.10)",
        "setting one two rate 0.1 0.2",
        explain("KD-digits"),
    ):
        assert words in page.text, words
    (best,) = (attrs for attrs in page.all("td") if "best" in attrs.get("class", ""))
    assert best
    assert [attrs["alt"] for attrs in page.all("img")] == ["one", "two"]
    assert all(attrs["src"].startswith("data:image/png;base64,") for attrs in page.all("img"))
    assert page.all("meta")[1]["content"].startswith("default-src 'none'")
    assert "http" not in page.source.replace("http-equiv", "")


def test_texts_are_shown_and_never_run(tmp_path):
    one = figure(EVIL, 1.0, extractor=EVIL, data=EVIL)
    evil = Side(
        EVIL, evaluation(EVIL, one, verdicts=(EVIL,)), grid(), {EVIL: EVIL},
        [{**row, f"progress/{EVIL}": 1.0} for row in progress(1.0)],
    )  # fmt: skip
    other = replace(evil, name="b", settings={EVIL: "x"})
    page = Page(Comparison((evil, other), (EVIL,)).save(tmp_path / "c.html"))
    assert page.text.count(EVIL) >= 8
    assert "<script>alert" not in page.source
    assert page.scripts == []  # ours is empty


def test_large_pictures_are_shrunk(tmp_path):
    big = grid(side=900, count=4)
    found = Comparison((side("a", figure("FD-x", 1.0), picture=big),))
    page = Page(found.save(tmp_path / "c.html"))
    assert len(page.all("img")[0]["src"]) < 1.4 * PICTURE_BYTES


def test_a_page_is_replaced_only_by_force(tmp_path):
    found, path = three("FD-x", 1.0, 2.0), tmp_path / "c.html"
    path.write_text("mine")
    with pytest.raises(UsageError, match="exists"):
        found.save(path)
    assert path.read_text() == "mine"
    found.save(path, force=True)
    assert "Comparison" in path.read_text()
    assert [file.name for file in tmp_path.iterdir()] == ["c.html"]


def folder_of_pictures(path, count, seed):
    """Grey noise of 8x8 pixels, brighter with each class of two."""
    draw = np.random.default_rng(seed)
    for at in range(count):
        (path / f"class{at % 2}").mkdir(parents=True, exist_ok=True)
        pixels = draw.integers(0, 100, (8, 8), dtype=np.uint8) + np.uint8(100 * (at % 2))
        Image.fromarray(pixels).save(path / f"class{at % 2}" / f"{at:03d}.png")
    return path


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """Tiny runs: a and b, and c without held-out rows, on pictures; p on points."""
    folder = tmp_path_factory.mktemp("runs")
    pictures = folder_of_pictures(folder / "pictures", 300, seed=0)
    small = {"log": "none", "runs_dir": str(folder), "batch": 32, "tick": 5, "width": 8}
    small |= {"recipe": "gan", "size": 8, "extractor": "random", "images": 320}
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MULLIGAN_CACHE", str(folder / "cache"))
        mulligan.train(pictures, name="a", held_out=0.4, evaluate_every=1, **small)
        mulligan.train(pictures, name="b", held_out=0.4, seed=1, **small)
        mulligan.train(pictures, name="c", held_out=0, **small)
        points = {**small, "images": 32, "size": "auto", "extractor": "auto"}
        mulligan.train("1d:gauss", name="p", evaluate_every=0, **points)
        yield folder


@pytest.fixture
def calls(monkeypatch):
    """The evaluations that are made, as (target, count)."""
    made = []

    def counting(target, *rest, **more):
        made.append((str(getattr(target, "name", target)), more["count"]))
        return evaluate(target, *rest, **more)

    evaluate = comparison.evaluate
    monkeypatch.setattr(comparison, "evaluate", counting)
    return made


def stamps(found):
    return [entry.evaluation.figures[0].stamp for entry in found.sides]


def test_runs_are_compared_under_one_protocol_and_kept_figures_are_used_again(runs, calls):
    found = compare(["a", "b"], runs_dir=runs, count=COUNT, extractor="random")
    assert [entry.name for entry in found.sides] == ["a", "b"]
    assert stamps(found)[0] == stamps(found)[1]
    assert stamps(found)[0]["split"] == "held-out"
    assert [rows_compared(entry.evaluation) for entry in found.sides] == [COUNT, COUNT]
    assert calls == [("a", COUNT), ("b", COUNT)]
    assert all(explain(name) for name in found.figures)
    assert found.zero["KD-random"].value < found.sides[0].figure("KD-random").value
    assert [entry.picture.size for entry in found.sides] == [found.sides[0].picture.size] * 2
    assert found.sides[0].rows[0]["progress/KD-random"] > 0
    assert ["seed", 0, 1] in found.differing()
    assert found.notes == ()

    again = compare(["a", "b"], runs_dir=runs, count=COUNT, extractor="random")
    assert calls[2:] == [("a", COUNT)]  # the first sets the protocol, the second is there
    assert [entry.evaluation.figures for entry in again.sides] == [
        entry.evaluation.figures for entry in found.sides
    ]


@pytest.mark.parametrize("change", [{"count": COUNT - 10}, {"seed": 1}, {"split": "train"}])
def test_kept_figures_of_another_protocol_are_not_used(runs, calls, change):
    asked = {"runs_dir": runs, "count": COUNT, "extractor": "random"}
    mulligan.evaluate("b", **asked)
    compare(["a", "b"], **{**asked, **change})
    assert [name for name, _ in calls] == ["a", "b"]


def test_kept_figures_of_another_checkpoint_are_not_used(runs, calls):
    asked = {"runs_dir": runs, "count": COUNT, "extractor": "random"}
    mulligan.evaluate("b", **asked, checkpoint="last")
    compare(["a", "b"], **asked, checkpoint="0")
    assert [name for name, _ in calls] == ["a", "b"]


def test_files_are_compared_by_as_many_rows_and_do_not_replace_what_a_run_keeps(runs, tmp_path):
    asked = {"runs_dir": runs, "count": COUNT, "extractor": "random"}
    mulligan.evaluate("a", **asked)
    kept = {path.name: path.read_bytes() for path in (runs / "a" / "evaluations").iterdir()}
    file = mulligan.load("a", runs_dir=runs).sample(60, seed=5).save(tmp_path / "x.npz")
    found = compare(["a", file], **asked)
    assert [entry.name for entry in found.sides] == ["a", str(file)]
    assert [rows_compared(entry.evaluation) for entry in found.sides] == [60, 60]
    assert stamps(found)[0] == stamps(found)[1]
    assert [entry.settings == {} for entry in found.sides] == [False, True]
    assert {p.name: p.read_bytes() for p in (runs / "a" / "evaluations").iterdir()} == kept


def test_files_of_different_lengths_are_compared_by_the_shorter(runs, tmp_path):
    model = mulligan.load("a", runs_dir=runs)
    files = [model.sample(size).save(tmp_path / f"{size}.npz") for size in (80, 60)]
    found = compare(files, runs / "pictures", count=COUNT, extractor="random")
    assert [rows_compared(entry.evaluation) for entry in found.sides] == [60, 60]


def test_the_grid_of_a_folder_shows_all_of_its_classes(runs, tmp_path):
    folder = folder_of_pictures(tmp_path / "x", 128, seed=3)  # files come class by class
    found = compare(["a", folder], runs_dir=runs, count=COUNT, extractor="random")
    tiles = np.asarray(found.sides[1].picture)
    side = len(tiles) // 8
    assert tiles[:side].mean() < 100 < tiles[-side:].mean()


def test_who_held_nothing_out_is_compared_with_training_rows_and_so_is_the_other(runs):
    found = compare(["a", "c"], runs_dir=runs, count=COUNT, extractor="random")
    assert [stamp["split"] for stamp in stamps(found)] == ["train", "train"]
    assert "not all hold out the same rows" in found.notes[0]


def test_runs_on_other_data_are_refused_unless_the_data_are_named(runs, tmp_path):
    with pytest.raises(
        UsageError, match=r"a and p were trained on .*pictures \(grey.* on 1d"
    ) as no:
        compare(["a", "p"], runs_dir=runs)
    assert "--data" in no.value.suggestion
    other = folder_of_pictures(tmp_path / "other", 90, seed=3)
    found = compare(["a", "c"], other, runs_dir=runs, count=COUNT, extractor="random")
    assert [stamp["data"] for stamp in stamps(found)] == ["other", "other"]
    assert [rows_compared(entry.evaluation) for entry in found.sides] == [90, 90]
    assert found.notes == ()


def test_points_are_drawn_over_the_real_ones(runs, tmp_path):
    file = mulligan.load("p", runs_dir=runs).sample(60, seed=5).save(tmp_path / "x.npz")
    found = compare(["p", file], runs_dir=runs, count=60)
    assert found.sides[0].picture.size == found.sides[1].picture.size
    assert "Samples" in Page(found.save(tmp_path / "c.html")).text


def test_what_cannot_be_compared_is_refused_in_one_line(runs, tmp_path):
    for targets, words in (
        (["a"], "nothing to compare"),
        (["a", runs / "a"], "named twice"),
        ([tmp_path, runs], "no run is among them"),
    ):
        with pytest.raises(UsageError, match=words) as refusal:
            compare(targets, runs_dir=runs)
        assert "\n" not in refusal.value.message
        assert refusal.value.suggestion
    with pytest.raises(UsageError, match="compare takes no probe, speed"):
        compare(["a", "b"], runs_dir=runs, probe=True, speed=1)


def test_runs_of_one_name_are_told_apart_by_their_paths(runs, tmp_path):
    shutil.copytree(runs / "a", tmp_path / "a")
    found = compare([Run(runs / "a"), tmp_path / "a"], count=60, extractor="random")
    assert [entry.name for entry in found.sides] == [str(runs / "a"), str(tmp_path / "a")]
    assert [entry.evaluation.target for entry in found.sides] == [s.name for s in found.sides]
    first, second = (entry.evaluation.figures for entry in found.sides)
    assert first == second
    assert {found.verdict(name) for name in found.figures} <= {"", "no difference beyond noise"}

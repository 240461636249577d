"""The evaluation part of a report: what it says of progress and of each stored evaluation."""

import numpy as np
import pytest

from judged import evaluation, figure
from mulligan import pictures
from mulligan.appraisal import keep, kept
from mulligan.evaluation.explained import explain
from mulligan.report import write_report
from mulligan.report_evaluation import MOST_EVALUATIONS, stored
from mulligan.run import Run
from test_report import EVIL, Page, fill


@pytest.fixture
def run(tmp_path):
    made = Run.create(tmp_path, "digits-gan-001", "x")
    fill(made)
    return made


def mark(run, images, value, split="held-out", name="KD-digits"):
    """What an evaluation during training writes into the logs."""
    one = figure(name, value, 0.01, split=split)
    words = {name: one.value, "low": one.low, "high": one.high}
    row = {"round": images // 64, "images": images, "seconds": 1.0}
    run.log({**row, **{f"progress/{word}": number for word, number in words.items()}})
    run.figure({"round": images // 64, "images": images, "figures": [one.to_json()]})


def best(run, images, value):
    run.update(best={"round": images // 64, "images": images, "value": value,
                     "low": value - 0.01, "high": value + 0.01})  # fmt: skip


def pairs():
    noise = np.random.default_rng(0).integers(0, 255, (8, 1, 8, 8), dtype=np.uint8)
    return pictures.grid(noise, columns=4)


def test_a_run_without_evaluations_has_no_such_part(run):
    page = Page(write_report(run))
    assert "Evaluation" not in page.text
    assert "What the figures mean" not in page.text


def test_progress_says_where_it_stands_and_which_checkpoint_is_the_best(run):
    for images, value in ((6400, 0.30), (12_800, 0.12), (19_200, 0.15)):
        mark(run, images, value)
    best(run, 12_800, 0.12)
    page = Page(write_report(run))
    for words in (
        "Progress: KD-digits",
        "Lower is better. The band is the 95 % interval. Each point compares 500 samples with 500 "
        "real rows (held out of training), extractor digits; a ring marks the best.",
        "newest KD-digits 0.150 (0.140 to 0.160) 19,200 images",
        "best so far KD-digits 0.120 (0.110 to 0.130) 12,800 images step-0000200 (round 200)",
    ):
        assert words in page.text, words
    assert "progress/" not in page.text  # neither among the values nor as a loss
    assert explain("KD-digits") in page.text


def test_training_reals_are_called_so(run):
    mark(run, 640, 0.3, split="train")
    assert "500 real rows (trained on)" in Page(write_report(run)).text


def test_evaluations_are_tables_with_their_protocol_and_the_nearest_pairs(run):
    zero = figure("FD-digits", 0.25, 0.05)
    found = evaluation(
        "x", figure("FD-digits", 3.0), figure("label accuracy of 7", 0.5, 0.04),
        images=12_800, baseline=(zero,), verdicts=("no sign of memorisation",),
        notes=("few samples",), seconds=3.2,
    )  # fmt: skip
    keep(run, found, pairs())
    page = Page(write_report(run))
    for words in (
        "Evaluation by the extractor digits, after 12,800 images",
        "against real rows of digits (held out of training), extractor digits (abababababab), "
        "resize antialiased, seed 7, 3 s",
        "FD-digits 3.00 2.90 to 3.10 0.25 500 500",
        "label accuracy of 7 0.500 0.460 to 0.540 – 500 500",
        "no sign of memorisation",
        "Note: few samples",
        "Each generated image, then its nearest training image.",
    ):
        assert words in page.text, words
    hints = {attrs.get("title") for attrs in page.all("abbr")}
    assert hints == {explain("FD-digits"), explain("label accuracy")}
    (path,) = run.evaluations.glob("*-nearest.png")
    shown = [attrs for attrs in page.all("img") if attrs.get("alt") == "Nearest training images"]
    assert len(shown) == 1
    assert path.stat().st_size > 0


def test_the_newest_evaluations_are_shown_and_the_page_stays_small(run):
    count = MOST_EVALUATIONS + 3
    for place in range(1, count + 1):
        many = [figure(f"label accuracy of {row}", 0.5) for row in range(100)]
        keep(run, evaluation("x", *many, images=place), None)
    page = Page(write_report(run))
    shown = [place for place in range(1, count + 1) if f", after {place} images" in page.text]
    assert shown == list(range(4, count + 1))
    assert page.text.index(f"after {count} images") < page.text.index("after 4 images")
    assert "and 3 earlier ones in evaluations/" in page.text
    assert page.text.count("40 more figures in evaluations/") == MOST_EVALUATIONS
    assert len(page.source) < 1_000_000


def test_texts_of_evaluations_are_shown_and_never_run(run):
    mark(run, 640, 0.3, name=EVIL)
    one = figure(EVIL, 1.0, extractor=EVIL, split="test", resize=EVIL, weights=EVIL, data=EVIL)
    found = evaluation(EVIL, one, verdicts=(EVIL,), notes=(EVIL,), baseline=(one,))
    run.evaluations.mkdir()
    run.write_json("evaluations/000000640-x.json", found.to_json())
    page = Page(write_report(run))
    assert page.text.count(EVIL) >= 9
    assert "<script>alert" not in page.source
    assert len(page.scripts) == 1


def test_damaged_files_are_left_out_and_the_rest_is_shown(run):
    keep(run, evaluation("x", figure("FD-digits", 3.0), images=1), None)
    keep(run, evaluation("x", figure("FD-digits", 4.0), images=2), None)
    first, second = sorted(run.evaluations.glob("*.json"))
    (run.evaluations / "000000003-empty.json").write_text(
        first.read_text().replace('"figures": [', '"figures": [], "old": [')
    )
    second.write_text(second.read_text()[:100])
    (run.evaluations / f"{first.stem}-nearest.png").write_bytes(b"no picture")
    run.update(best={"round": "?"})
    mark(run, 640, 0.3)
    run.figure({"round": 10, "images": 640, "figures": [{"name": "?"}]})
    page = Page(write_report(run))
    assert page.text.count("Evaluation by the extractor") == 1
    assert "newest KD-digits" in page.text
    assert "best so far" not in page.text


def test_the_report_finds_the_same_evaluations_as_the_rest(run):
    for images in (1, 2):
        keep(run, evaluation("x", figure("FD-digits", 3.0), images=images), None)
    assert [entry for _, entry in stored(run)] == kept(run) != []

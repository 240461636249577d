"""The report: complete, escaped, small, and without a single request to a network."""

import base64
import hashlib
import io
import os
import re
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mulligan import pictures, report_images
from mulligan.errors import StorageError
from mulligan.report import write_report
from mulligan.run import Run

EVIL = "<script>alert(1)</script>\"'&"


class Page(HTMLParser):
    """What a browser would see: the tags, the text outside scripts, and every frame."""

    def __init__(self, path):
        super().__init__()
        self.tags, self.words, self.inside, self.scripts = [], [], "", []
        self.source = path.read_text(encoding="utf-8")
        self.feed(self.source)
        self.text = " ".join(" ".join(self.words).split())

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        self.inside = tag

    def handle_endtag(self, tag):
        self.inside = ""

    def handle_data(self, data):
        if self.inside == "script":
            self.scripts.append(data)
        elif self.inside != "style":
            self.words.append(data)

    def all(self, tag):
        return [attrs for name, attrs in self.tags if name == tag]

    def frames(self):
        return [int(attrs["data-seen"]) for attrs in self.all("img") if "data-seen" in attrs]


@pytest.fixture
def run(tmp_path):
    return Run.create(tmp_path, "digits-gan-001", "x")


def grid(seed=0, side=8, count=16):
    noise = np.random.default_rng(seed).integers(0, 255, (count, 1, side, side), dtype=np.uint8)
    return pictures.grid(noise, scale=1)


def fill(run, ticks=5, suffixes=("",)):
    """A run as training leaves it: rows, events, samples, settings."""
    run.command.write_text("mulligan train digits --penalty 0.5\n")
    run.write_config(
        {
            "penalty": {"value": 0.5, "origin": "flag", "reason": ""},
            "batch": {"value": 64, "origin": "default", "reason": "fits the cache"},
        }
    )
    run.write_json("env.json", {"torch": "2.13.0", "threads": 2})
    run.write_json("data.json", {"name": "digits", "count": 10_000, "skipped": []})
    run.update(status="running", recipe="gan", data="digits", total=640)
    for tick in range(1, ticks + 1):
        run.log({"round": tick, "images": 64 * tick, "seconds": 1.0 * tick,
                 "generator/score": 1.0 / tick, "rate/images_per_second": 64.0})  # fmt: skip
        for suffix in suffixes:
            grid(tick).save(run.samples / f"{64 * tick:09d}{suffix}.png")
    run.event("save", round=ticks)
    grid().save(run.first_batch)


def test_a_report_holds_everything_a_reader_asks_for(run):
    fill(run)
    assert write_report(run) == run.report
    page = Page(run.report)
    for words in (
        "digits-gan-001",
        "Running",
        "recipe gan",
        "320 of 640 images seen",
        "5 s left",
        "mulligan train digits --penalty 0.5",
        "generator/ score 0.2 0.2 1",
        "penalty 0.5 flag",
        "batch 64 default fits the cache",
        "10,000",
        "2.13.0",
        "save",
        "First batch",
    ):
        assert words in page.text, words
    assert page.frames() == [64, 128, 192, 256, 320]
    assert [attrs for attrs in page.all("img") if "hidden" not in attrs and "data-seen" in attrs]
    (slider,) = page.all("input")
    assert slider["data-stops"] == "64,128,192,256,320"
    assert [file.name for file in run.path.iterdir() if "tmp" in file.name] == []


def test_nothing_in_the_page_can_reach_a_network(run):
    fill(run)
    page = Page(write_report(run))
    for tag, attrs in page.tags:
        assert tag not in ("iframe", "object", "embed", "base", "form", "audio", "video")
        for name in ("src", "href", "data", "action", "srcset", "xlink:href"):
            assert attrs.get(name, "data:").startswith(("data:", "#")), (tag, name)
    assert not re.search(r"https?://|url\((?!#)|@import|fetch\(|XMLHttp", page.source)
    policy = page.all("meta")[1]["content"]
    assert "default-src 'none'" in policy
    assert "img-src data:" in policy


def test_only_our_script_may_run_because_the_policy_names_its_hash(run):
    fill(run)
    page = Page(write_report(run))
    assert len(page.all("script")) == len(page.scripts) == 1
    digest = base64.b64encode(hashlib.sha256(page.scripts[0].encode()).digest()).decode()
    assert f"script-src 'sha256-{digest}';" in page.source


def test_texts_from_files_are_shown_and_never_run(tmp_path):
    run = Run.create(tmp_path, "x", "x")
    fill(run)
    run.update(recipe=EVIL, data=EVIL, status="crashed", reason=EVIL)
    run.command.write_text(EVIL)
    run.log({"round": 9, "images": 600, "seconds": 9.0, f"generator/{EVIL}": 1.0})
    run.event(EVIL, text=EVIL)
    run.write_config({EVIL: {"value": EVIL, "origin": EVIL, "reason": EVIL}})
    run.write_json("env.json", {EVIL: EVIL})
    run.write_json("data.json", {EVIL: EVIL, "skipped": [{"file": EVIL, "reason": EVIL}]})
    if os.name == "posix":
        name = "<script>alert(1)<"
        grid().save(run.samples / f"000000064-{name}.png")
        run.path.rename(run.path.with_name(name))
        run = Run(run.path.with_name(name))
    page = Page(write_report(run))
    assert len(page.scripts) == 1
    assert "alert" not in page.scripts[0]
    assert page.text.count(EVIL) >= 12
    assert "1 files were left out" in page.text
    assert "<script>alert" not in page.source


@pytest.mark.parametrize("status", ["created", "running", "done", "stopped", "crashed", "diverged"])
def test_a_run_without_anything_yet_has_a_report(run, status):
    run.update(status=status, reason="")
    page = Page(write_report(run))
    assert "None yet" in page.text
    assert page.frames() == []
    assert "<svg" not in page.source


def test_how_a_run_ended_is_said_in_words(run):
    fill(run)
    run.update(status="stopped", reason="Ctrl-C")
    text = Page(write_report(run)).text
    assert "Stopped" in text
    assert "Reason: Ctrl-C." in text
    assert "mulligan resume digits-gan-001" in text
    assert "left at the last tick" not in text


def test_damaged_files_are_left_out_and_the_rest_is_shown(run):
    fill(run, ticks=3)
    whole = (run.samples / "000000128.png").read_bytes()
    (run.samples / "000000128.png").write_bytes(whole[: len(whole) // 2])
    (run.samples / "000000064.png").write_bytes(b"")
    (run.samples / "notes.txt").write_text("not a sample")
    (run.path / "config.toml").write_text("this is no TOML")
    (run.path / "data.json").write_text("{")
    (run.path / "animation.gif").write_bytes(b"GIF8")
    assert Page(write_report(run)).frames() == [192]


def test_many_grids_become_sixty_frames_with_the_first_and_the_last(run):
    fill(run, ticks=1)
    content = (run.samples / "000000064.png").read_bytes()
    for place in range(2, 150):
        (run.samples / f"{64 * place:09d}.png").write_bytes(content)
    frames = Page(write_report(run)).frames()
    assert len(frames) == 60
    assert frames[0] == 64
    assert frames[-1] == 64 * 149
    assert frames == sorted(frames)


def test_every_family_of_samples_moves_with_the_one_slider(run):
    fill(run, ticks=3, suffixes=("", "-codes"))
    grid().save(run.samples / "000000100-input-output.png")
    page = Page(write_report(run))
    assert len(page.all("input")) == 1
    assert page.all("input")[0]["data-stops"] == "64,100,128,192"
    assert sum(attrs.get("class") == "film" for attrs in page.all("figure")) == 3
    assert page.frames() == [64, 128, 192, 64, 128, 192, 100]
    assert "Input output" in page.text


def test_large_grids_are_shrunk_to_their_share_and_the_newest_stays_large(tmp_path, monkeypatch):
    monkeypatch.setattr(report_images, "FRAMES_BYTES", 60 * 8_000)
    noise = np.random.default_rng(0).integers(0, 255, (300, 300, 3), dtype=np.uint8)
    paths = [tmp_path / f"{place:09d}.png" for place in (1, 2)]
    for path in paths:
        Image.fromarray(noise).save(path)

    first, last = report_images.film(paths, share=1.0)

    shrunk = base64.b64decode(first.address.partition(",")[2])
    assert first.address.startswith("data:image/jpeg")
    assert len(shrunk) <= 8_000
    with Image.open(io.BytesIO(shrunk)) as image:
        assert image.width == image.height > 60
    assert last.address.startswith("data:image/png")
    assert base64.b64decode(last.address.partition(",")[2]) == paths[1].read_bytes()
    assert first.width == last.width == 300


def test_a_changed_picture_is_read_again(tmp_path):
    path = tmp_path / "a.png"
    grid(1).save(path)
    before = report_images.picture(path, 10**6)
    grid(2, side=9).save(path)
    assert report_images.picture(path, 10**6) != before
    assert report_images.picture(tmp_path / "none.png", 10**6) == ""


def test_a_report_that_cannot_be_written_leaves_the_old_one_whole(run, monkeypatch):
    fill(run)
    before = write_report(run).read_bytes()

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(StorageError, match="No space left"):
        write_report(run)
    assert run.report.read_bytes() == before


def test_a_run_that_ended_for_want_of_gain_says_so() -> None:
    from mulligan.report_page import header

    info = {"status": "done", "images": 900, "total": 1000, "reason": "it gained nothing"}
    page = header(info, "demo", {"images": 900}, 1000)
    assert "Ended early: it gained nothing." in page
    assert "meant to see" not in page
    whole = header({**info, "images": 1000, "reason": "all images seen"}, "demo", {}, 1000)
    assert "saw all the images it was meant to see" in whole

"""Screens: what a terminal, a pipe and a program are told; a closed pipe stops nothing."""

import io
import json
import subprocess
import sys

import pytest
from rich.console import Console

from mulligan import screen as screens
from mulligan.errors import UsageError
from mulligan.screen import JsonLines, Lines, Panel, Screen, make_screen
from mulligan.words import (
    duration,
    event_line,
    measured,
    percent,
    progress,
    short_number,
    shown,
    speed,
)

FACTS = {"run": "runs/[red]x", "recipe": "gan", "folder": "over/there"}
ROW = {
    "round": 40,
    "images": 12_800,
    "seconds": 10.0,
    "discriminator/real": 0.5213,
    "discriminator/accuracy_real": 0.75,
    "generator/gradient": 3.0,
    "rate/images_per_second": 1234.4,
}

EVALUATED = {
    **ROW,
    "progress/KD-digits": 0.0123,
    "progress/low": 0.0110,
    "progress/high": 0.0136,
}
PHRASE = "KD-digits 0.0123 (0.0110 to 0.0136)"


def play(screen, status="done"):
    screen.start(FACTS, 400_000)
    screen.progress(6_400, None)
    screen.row(ROW)
    screen.event({"event": "save", "time": "2026-01-01T00:00:00", "round": 40})
    screen.finish(status, ["report over/there/report.html"])


def panel(width=100):
    out = io.StringIO()
    return Panel(Console(file=out, force_terminal=True, width=width, color_system=None)), out


def test_a_line_a_tick_says_where_the_run_stands():
    out = io.StringIO()
    play(Lines(out))
    lines = out.getvalue().splitlines()
    assert lines[0].split() == ["run", "runs/[red]x"]
    assert lines[3:] == [
        "images 12,800/400,000    3 %  1,234 images/s  eta 6 min"
        "  discriminator/real 0.5213  discriminator/accuracy_real 0.75",
        "event save round=40",
        "status done",
        "report over/there/report.html",
    ]


def test_json_lines_are_one_object_each_with_its_type():
    out = io.StringIO()
    screen = JsonLines(out)
    play(screen)
    screen.event({"event": "alert", "value": float("nan"), "values": [float("inf")], "type": "x"})
    found = [json.loads(line, parse_constant=pytest.fail) for line in out.getvalue().splitlines()]
    assert [entry["type"] for entry in found] == ["start", "row", "event", "finish", "event"]
    assert found[0] == {"type": "start", "facts": FACTS, "total": 400_000}
    assert found[1] == {"type": "row", **ROW}
    assert found[3] == {
        "type": "finish",
        "status": "done",
        "lines": ["report over/there/report.html"],
    }
    assert found[4]["value"] == "nan"


def test_the_panel_shows_progress_values_and_the_last_event():
    screen, out = panel()
    play(screen)
    drawn = out.getvalue()
    last = drawn[drawn.rindex("╭") :]
    for words in (
        "runs/[red]x",  # no markup
        "over/there",
        "12,800 of 400,000 images",
        "3 %",
        "1,234 images/s",
        "6 min left",
        "accuracy on real 0.750",
        "save round=40",
    ):
        assert words in last, words
    assert "gradient" not in last
    assert drawn.endswith("status done\nreport over/there/report.html\n")
    assert drawn.count("\x1b[?25l") == drawn.count("\x1b[?25h") == 1  # the cursor came back


def test_an_evaluation_is_one_phrase_on_a_line_and_in_json():
    out = io.StringIO()
    Lines(out).row(EVALUATED)
    assert out.getvalue().strip().endswith(f"discriminator/accuracy_real 0.75  {PHRASE}")
    out = io.StringIO()
    JsonLines(out).row(EVALUATED)
    assert json.loads(out.getvalue()) == {"type": "row", **EVALUATED, "progress": PHRASE}


def test_the_panel_keeps_the_last_evaluation_until_the_next():
    screen, out = panel()
    screen.start(FACTS, 400_000)
    screen.row(ROW)
    screen._draw()
    assert "progress" not in out.getvalue()
    screen.row(EVALUATED)
    screen.row(ROW)
    screen._draw()
    assert f"progress    {PHRASE}" in out.getvalue()
    later = {**EVALUATED, "progress/KD-digits": 0.0121}
    screen.row(later)
    screen.finish("done", [])
    last = out.getvalue()[out.getvalue().rindex("╭") :]
    assert "KD-digits 0.0121 (0.0110 to 0.0136)" in last
    assert PHRASE not in last


def test_evaluations_are_no_losses():
    assert shown(EVALUATED) == shown(ROW)
    assert len(shown(ROW)) == 2


def test_an_evaluation_has_no_digits_that_are_only_noise():
    assert measured(0.0123, 0.0110, 0.0136) == "0.0123 (0.0110 to 0.0136)"
    assert measured(123.456, 118.1, 128.7) == "123.5 (118.1 to 128.7)"
    assert measured(1234.5, 1181.2, 1287.9) == "1234 (1181 to 1288)"
    assert measured(-0.0004, -0.0021, 0.0012) == "-0.0004 (-0.0021 to 0.0012)"
    assert measured(0.0, 0.0, 0.0) == "0 (0 to 0)"
    assert measured(3e-9, 1e-9, 5e-9) == "3.00e-09 (1.00e-09 to 5.00e-09)"
    assert progress({}) == progress({"progress/low": 1.0, "progress/high": 2.0}) == ""
    assert progress({"progress/KD-x": "?", "progress/low": 1.0, "progress/high": 2.0}) == ""


def test_the_panel_is_drawn_at_most_four_times_a_second(monkeypatch):
    now = [100.0]
    monkeypatch.setattr(screens.time, "monotonic", lambda: now[0])
    screen, out = panel()
    screen.start(FACTS, 1000)
    drawn = [out.getvalue().count("╭")]
    for seen in range(1000):
        now[0] += 0.01
        screen.progress(seen, 100.0)
    drawn.append(out.getvalue().count("╭"))
    screen.close()
    assert 35 <= drawn[1] - drawn[0] <= 40


def test_leaving_by_an_error_gives_the_terminal_back():
    screen, out = panel()

    def fail():
        with screen:
            screen.start(FACTS, 10)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fail()
    assert "\x1b[?25h" in out.getvalue()
    assert not screen.live.is_started


class Broken(io.StringIO):
    def write(self, text):
        raise BrokenPipeError(32, "Broken pipe")


@pytest.mark.parametrize("make", [Lines, JsonLines])
def test_a_closed_stream_silences_the_screen_and_stops_nothing(make):
    screen = make(Broken())
    play(screen)
    assert screen.gone
    closed = io.StringIO()
    closed.close()
    play(make(closed))


SCRIPT = """
import sys
from mulligan.screen import Panel, make_screen
kind = sys.argv[1]
if kind == "rich":
    from mulligan.screen_panel import SteadyConsole
    screen = Panel(SteadyConsole(force_terminal=True))
else:
    screen = make_screen(kind)
screen.start({"run": "x"}, 100)
sys.stdin.readline()
for seen in range(100):
    screen.next_draw = 0.0
    screen.progress(seen, 1.0)
    screen.row({"images": seen})
screen.finish("done", ["the end"])
print("trained to the end", file=sys.stderr)
"""


@pytest.mark.parametrize("kind", ["plain", "json", "rich"])
def test_training_goes_on_when_the_reader_of_its_output_is_gone(kind):
    command = [sys.executable, "-c", SCRIPT, kind]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe, text=True) as process:
        process.stdout.readline()
        process.stdout.close()
        process.stdin.write("go\n")
        process.stdin.close()
        errors = process.stderr.read()
        assert process.wait(30) == 0
    assert errors.strip() == "trained to the end"


def test_screens_are_chosen_by_name_and_pipes_get_lines(monkeypatch):
    assert type(make_screen("none")) is Screen
    assert type(make_screen("json")) is JsonLines
    assert type(make_screen("rich")) is Panel
    monkeypatch.setattr(sys, "stdout", io.StringIO())
    assert type(make_screen("auto")) is Lines
    with pytest.raises(UsageError, match="auto, rich, plain, json, none"):
        make_screen("loud")


def test_the_silent_screen_is_silent(capfd):
    play(Screen())
    assert capfd.readouterr() == ("", "")


def test_numbers_and_times_in_words():
    assert [duration(s) for s in (0, 44.2, 200, 2 * 3600 + 600, 3 * 86400 + 4 * 3600)] == [
        "0 s",
        "45 s",
        "4 min",
        "2 h 10 min",
        "3 d 4 h",
    ]
    assert [percent(seen, 1000) for seen in (0, 999, 1000)] == [0, 99, 100]
    assert percent(0, 0) == 100
    assert [speed(rate) for rate in (0.5, 12.34, 12345.6)] == [
        "0.5 images/s",
        "12 images/s",
        "12,346 images/s",
    ]
    assert [short_number(n) for n in (0, 0.25, 950, 12_800, 1_500_000)] == [
        "0",
        "0.25",
        "950",
        "12.8k",
        "1.5M",
    ]
    assert event_line({"event": "a", "time": 1, "text": "two\nlines"}) == "a text=two lines"

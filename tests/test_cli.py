"""What a user types, what is answered, and with which exit code."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from mulligan.cli import main
from mulligan.cli.tokens import VERBS, tidy
from mulligan.engine.options import OPTIONS

HEAVY = ("torch", "pydantic", "numpy", "PIL", "matplotlib")
TINY = ["--images", "40", "--batch", "20", "--latent", "2", "--width", "4", "--log", "none"]


@dataclass
class Answer:
    """What a command left: exit code, and both streams."""

    code: int
    out: str
    err: str


@pytest.fixture
def call(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    """Run a command in this process, in an empty folder."""
    monkeypatch.chdir(tmp_path)

    def run(*words: str) -> Answer:
        code = main(list(words))
        caught = capsys.readouterr()
        return Answer(code, caught.out, caught.err)

    return run


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of runs with one short run called ring."""
    runs = tmp_path_factory.mktemp("cli") / "runs"
    words = ["train", "2d:ring", "--recipe", "gan", *TINY, "--name", "ring"]
    words += ["--runs-dir", str(runs)]
    assert main(words) == 0
    return runs


@pytest.mark.parametrize(
    "words",
    [["--help"], ["train", "--help"], ["recipes"], ["recipes", "gan"], ["--version"], ["trian"]],
)
def test_help_imports_nothing_heavy(words: list[str]) -> None:
    code = (
        "import sys; from mulligan.cli import main; main(sys.argv[1:]);"
        f"print('heavy:', [name for name in {HEAVY} if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, *words], capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines()[-1] == "heavy: []"


def test_help_shows_every_option_with_its_sentence(call) -> None:
    shown = " ".join(call("train", "--help").out.split())
    for option in OPTIONS:
        assert f"{option.flag} " in shown or f"{option.flag}:" in shown
        assert " ".join(option.sentence.split()) in shown
    assert all(verb in call("--help").out for verb in VERBS)


@pytest.mark.parametrize(
    "words",
    [
        ["--recipe", "lsgan", "--help"],
        ["--help", "--recipe=lsgan"],
        ["2d:ring", "-h", "--recipe", "lsgan"],
    ],
)
def test_help_with_a_recipe_lists_its_knobs(call, words: list[str]) -> None:
    answer = call("train", *words)
    assert answer.code == 0
    assert re.search(r"--rate +0.0002 +Adam's learning rate.*\(above 0 and at most 1\)", answer.out)


def test_recipes_are_listed_and_described(call) -> None:
    assert "LSGAN: least squares" in call("recipes").out
    described = call("recipes", "gan").out
    assert "arXiv:1406.2661" in described
    assert "Departs" in described
    assert re.search(r"  --layers +3 ", described)
    assert re.search(r"  classic  +", described)


@pytest.mark.parametrize(
    ("words", "code", "complaint"),
    [
        (["trian", "digits"], 2, "unknown verb 'trian'.*did you mean `mulligan train`"),
        (["--bogus"], 2, "unknown option --bogus.*verbs come first"),
        (["train"], 2, "train needs DATA"),
        (["resume"], 2, "resume needs RUN"),
        (["train", "digits", "mnist"], 2, "too many words.*'mnist'"),
        (["train", "2d:ring", "--penalty"], 2, "--penalty needs a value"),
        (["train", "2d:ring", "--seed", "1", "--seed", "2"], 2, "--seed is given twice"),
        (["train", "2d:ring", "--bacth", "3"], 2, "unknown option --bacth.*did you mean --batch"),
        (["train", "2d:ring", "--recipe", "ganN"], 2, "unknown recipe 'gann'.*did you mean gan"),
        (["train", "2d:ring", "--rate", "-3"], 2, "--rate -3 is too low: it must be above 0"),
        (["train", "2d:ring", "--images", "5", "--time", "9s"], 2, "both say how long"),
        (["train", "2d:ring", "--preset", "x"], 2, "no preset 'x'"),
        (["train", "2d:ring", "--size", "huge"], 2, "--size huge is no size"),
        (["train", "2d:ring", "--config", "no.toml"], 2, "cannot read no.toml"),
        (["train", "2d:ring", "--compile=maybe"], 2, "--compile.*maybe"),
        (["train", "./no/such/folder"], 4, "no/such/folder"),
        (["train", "digts"], 4, "'digts'.*did you mean digits"),
        (["train", "2d:ring", "--recipe", "./no.py"], 2, "no recipe file at ./no.py"),
        (["recipes", "dcgn"], 2, "unknown recipe 'dcgn'.*did you mean dcgan"),
        (["sample", "nothing"], 2, "no run 'nothing'"),
        (["sample", "x", "--cuont", "3"], 2, "unknown option --cuont.*did you mean --count"),
        (["sample", "x", "--count", "0"], 2, "--count 0 is too low"),
        (["sample", "x", "--seed", "one"], 2, "--seed one is not a whole number"),
        (["resume", "nothing"], 2, "no run 'nothing'"),
        (["resume", "x", "--images", "more"], 2, "--images more is no number"),
        (["resume", "x", "--device", "tpu"], 2, "--device tpu is none of"),
        (["doctor", "please"], 2, "too many words for doctor"),
    ],
)
def test_wrong_invocations(
    call, tmp_path: Path, words: list[str], code: int, complaint: str
) -> None:
    answer = call(*words)
    assert answer.code == code
    assert answer.out == ""
    assert re.search(complaint, answer.err, re.DOTALL), answer.err
    assert len(answer.err.splitlines()) == 2, answer.err  # what is wrong, what to do
    assert "Traceback" not in answer.err
    assert list(tmp_path.iterdir()) == []


def test_two_problems_are_reported_at_once(call) -> None:
    answer = call("train", "digts", "--batch", "many", "--rate", "-1", "--recipe", "gan")
    assert answer.code == 2
    assert all(part in answer.err for part in ("3 problems", "digts", "--batch many", "--rate -1"))


def test_an_error_inside_is_one_line_and_a_traceback_only_with_debug(
    call, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*words: object) -> None:
        raise RuntimeError("first\nsecond")

    monkeypatch.setattr("mulligan.cli.train.run_training", fail)
    answer = call("train", "2d:ring")
    assert answer.code == 1
    assert answer.err.splitlines() == [
        "mulligan: internal error: RuntimeError: first second",
        "  run again with --debug for the traceback",
    ]
    for words in (["--debug", "train", "2d:ring"], ["train", "2d:ring", "--debug", "true"]):
        assert "Traceback" in call(*words).err
    assert "Traceback" not in call("train", "2d:ring", "--debug=false").err


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (KeyboardInterrupt(), 130),
        (OSError(28, "No space left on device", "runs/x"), 74),
        (SystemExit(7), 7),
    ],
)
def test_other_ends_have_their_codes(
    call, monkeypatch: pytest.MonkeyPatch, error: BaseException, code: int
) -> None:
    def fail(*words: object) -> None:
        raise error

    monkeypatch.setattr("mulligan.cli.train.run_training", fail)
    assert call("train", "2d:ring").code == code


@pytest.mark.parametrize(
    ("typed", "read"),
    [
        ("train x --compile", "train x --compile=true"),
        ("train --compile x", "train --compile=true x"),
        ("train x --compile true --seed 1", "train x --compile=true --seed 1"),
        ("train x --dry_run False", "train x --dry-run=false"),
        ("train x --no-trace", "train x --trace=false"),
        ("train x --compile=true", "train x --compile=true"),
        ("train x --flag true", "train x --flag true"),
        ("train -- --compile", "train -- --compile"),
    ],
)
def test_switches_are_spelled_out(typed: str, read: str) -> None:
    assert tidy(typed.split()) == read.split()


def test_a_dry_run_shows_the_table_and_writes_nothing(call, tmp_path: Path) -> None:
    answer = call("train", "2d:ring", "--dry-run", "--rate", "1e-3", "--batch", "10")
    assert answer.code == 0
    assert re.search(r"^rate +0\.001 +flag +given$", answer.out, re.MULTILINE)
    assert re.search(r"^recipe +r3gan +default +it finds all modes", answer.out, re.MULTILINE)
    plain = call("train", "2d:ring", "--dry-run", "true", "--log", "json", "--held_out", "0.1")
    values = json.loads(plain.out)["values"]
    assert values["held_out"] == {"value": 0.1, "origin": "flag", "reason": "given"}
    assert list(tmp_path.iterdir()) == []


def test_what_was_typed_is_kept_and_types_back(trained: Path) -> None:
    typed = (trained / "ring" / "command.txt").read_text()
    assert typed.startswith("mulligan train 2d:ring ")
    assert "--latent 2" in typed
    assert "--name ring" in typed


def test_a_second_run_of_a_name_needs_force(call, trained: Path) -> None:
    words = ["train", "2d:ring", *TINY, "--name", "ring", "--runs-dir", str(trained)]
    answer = call(*words)
    assert answer.code == 2
    assert "exists" in answer.err
    assert "--force" in answer.err


def test_samples_are_drawn_and_never_overwritten(call, trained: Path, tmp_path: Path) -> None:
    words = ["sample", "ring", "--runs-dir", str(trained), "--count", "5", "--out", "x.npz"]
    answer = call(*words)
    assert (answer.code, answer.out) == (0, "5 samples in x.npz\n")
    first = (tmp_path / "x.npz").read_bytes()
    again = call(*words, "--seed", "1")
    assert again.code == 2
    assert "x.npz exists" in again.err
    assert (tmp_path / "x.npz").read_bytes() == first
    assert call(*words, "--seed", "1", "--force").code == 0
    assert (tmp_path / "x.npz").read_bytes() != first


def test_runs_are_listed(call, trained: Path) -> None:
    assert call("runs", "--runs-dir", "none").out.startswith("no runs in none")
    listed = call("runs", "--runs-dir", str(trained)).out.splitlines()
    assert listed[0].split() == ["run", "status", "recipe", "data", "images", "size", "age"]
    assert re.match(r"ring +done +gan +2d:ring +\d+/\d+ +[\d.]+ [kM]?B +\d+ (s|min)$", listed[1])


def test_a_resume_refuses_changed_settings_and_takes_equal_ones(call, trained: Path) -> None:
    words = ["resume", "ring", "--runs-dir", str(trained), "--log", "none"]
    answer = call(*words, "--rate", "2e-3")
    assert answer.code == 2
    assert "a resumed run keeps its settings: rate is 0.001 in this run" in answer.err
    assert re.search(r"mulligan train 2d:ring --config .*config.toml --rate 2e-3", answer.err)
    several = call(*words, "--rate", "2e-3", "--seed", "4", "--raet", "2", "--compile")
    assert "seed is 0 in this run" in several.err
    assert "compile is false in this run" in several.err
    assert "unknown option --raet: did you mean --rate?" in several.err
    equal = ["--rate", "1e-3", "--latent", "2", "--batch", "20", "--compile", "false"]
    assert call(*words, *equal, "--body", "mlp").code == 0


def test_a_resume_goes_on(call, trained: Path) -> None:
    words = ["train", "2d:ring", *TINY, "--name", "longer", "--runs-dir", str(trained)]
    assert call(*words).code == 0
    resume = ["resume", "longer", "--runs-dir", str(trained), "--log", "none"]
    assert call(*resume, "--images", "+40").code == 0
    info = json.loads((trained / "longer" / "run.json").read_text())
    assert (info["status"], info["images"]) == ("done", 80)


def test_doctor_describes_this_machine(call, tmp_path: Path) -> None:
    import torch

    answer = call("doctor")
    assert answer.code == 0
    found = dict(line.split(maxsplit=1) for line in answer.out.splitlines())
    assert torch.__version__ in found["packages"]
    assert "digits" in answer.out
    assert "exact resume" in answer.out
    assert "writable" in answer.out
    assert list(tmp_path.iterdir()) == []


def test_the_module_runs_and_ctrl_c_leaves_a_run_that_resumes(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "mulligan"]
    words = ["train", "2d:ring", "--width", "4", "--tick", "1", "--log", "json", "--name", "long"]
    process = subprocess.Popen(
        [*command, *words], cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    for line in process.stdout:
        if json.loads(line)["type"] == "row":
            break
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "stopped by SIGINT, checkpoint written" in err
    assert "mulligan resume" in err
    assert json.loads((tmp_path / "runs/long/run.json").read_text())["status"] == "stopped"


def test_a_reader_that_leaves_ends_a_listing_quietly(tmp_path: Path) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run(
        [sys.executable, "-m", "mulligan", "recipes"],
        stdout=writer,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
    )
    os.close(writer)
    assert done.returncode == 141
    assert done.stderr == ""

"""The run folder: names, finding, the one writer, and logs that survive a crash."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mulligan import jsonl
from mulligan.errors import StorageError, UsageError
from mulligan.run import Run

HOLD = """
import sys, time
from pathlib import Path
from mulligan.run import Run
with Run(Path(sys.argv[1])).lock():
    print("held", flush=True)
    time.sleep(60)
"""


def contents(folder: Path) -> dict[str, bytes]:
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


@pytest.fixture
def run(tmp_path):
    return Run.create(tmp_path / "runs", "first", "digits")


# making and finding


def test_unnamed_runs_are_numbered_and_never_share_a_folder(tmp_path):
    names = [Run.create(tmp_path, None, "digits-gan").name for _ in range(3)]
    assert names == ["digits-gan-001", "digits-gan-002", "digits-gan-003"]
    (tmp_path / "digits-gan-007").write_text("a file in the way")
    assert Run.create(tmp_path, None, "digits-gan").name == "digits-gan-008"


def test_many_processes_that_create_at_once_get_a_run_each(tmp_path):
    code = "import sys; from pathlib import Path; from mulligan.run import Run\n"
    code += "for _ in range(5): print(Run.create(Path(sys.argv[1]), None, 'x').name)"
    command = [sys.executable, "-c", code, str(tmp_path)]
    children = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(3)]
    names = [name for child in children for name in child.communicate()[0].split()]
    assert sorted(names) == [f"x-{number:03d}" for number in range(1, 16)]
    assert sorted(entry.name for entry in tmp_path.iterdir()) == sorted(names)


def test_a_new_run_says_what_it_is(run):
    info = run.info()
    assert info["schema"] == 1
    assert info["status"] == "created"
    assert len(info["id"]) == 16
    assert run.samples.is_dir()
    assert run.checkpoints.is_dir()
    run.update(status="done", reason="all images seen")
    assert run.info() == {**info, "status": "done", "reason": "all images seen"}


@pytest.mark.parametrize(
    "name", ["", ".", "..", ".hidden", "-rf", "a/b", "a\\b", "@last", " x", "a\nb", "x" * 201, "~x"]
)
def test_a_name_that_could_do_harm_is_refused(tmp_path, name):
    with pytest.raises(UsageError, match="name"):
        Run.create(tmp_path, name, "stem")
    assert list(tmp_path.iterdir()) == []


def test_a_stem_is_tidied_because_it_comes_from_the_data(tmp_path):
    assert Run.create(tmp_path, None, "2d:ring/../x").name == "2d-ring-..-x-001"
    assert Run.create(tmp_path, None, "...").name == "run-001"


def test_an_existing_run_is_kept_without_force_and_replaced_with_it(run):
    run.log({"round": 1})
    before = contents(run.path)
    with pytest.raises(UsageError, match="first exists") as caught:
        Run.create(run.path.parent, "first", "digits")
    assert "mulligan resume" in caught.value.suggestion
    assert "--force" in caught.value.suggestion
    assert contents(run.path) == before
    again = Run.create(run.path.parent, "first", "digits", force=True)
    assert again.rows() == []
    assert [entry.name for entry in run.path.parent.iterdir()] == ["first"]


def test_force_never_removes_what_is_no_run(tmp_path):
    photos = tmp_path / "photos"
    photos.mkdir()
    (photos / "cat.png").write_text("precious")
    with pytest.raises(UsageError, match="not a run"):
        Run.create(tmp_path, "photos", "digits", force=True)
    assert contents(tmp_path) == {"photos/cat.png": b"precious"}


def test_force_never_removes_a_run_that_is_being_written(run):
    with run.lock():
        with pytest.raises(UsageError, match=f"process {os.getpid()}"):
            Run.create(run.path.parent, "first", "digits", force=True)
        assert run.info()["writer"]["pid"] == os.getpid()


def test_a_folder_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "runs").write_text("a file where the folder should be")
    with pytest.raises(StorageError, match="runs") as caught:
        Run.create(tmp_path / "runs", None, "digits")
    assert caught.value.exit_code == 74


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_read_only_folder_is_named(tmp_path):
    tmp_path.chmod(0o500)
    with pytest.raises(StorageError, match="Permission denied"):
        Run.create(tmp_path, None, "digits")


def test_a_run_is_found_by_name_path_beginning_and_as_the_last(tmp_path, monkeypatch):
    runs = [Run.create(tmp_path, name, "x") for name in ("ring", "digits-b", "digits-a")]
    (tmp_path / "notes").mkdir()
    (tmp_path / "zzz").mkdir()
    (tmp_path / "zzz" / "run.json").write_text("[not a run]")
    assert Run.all(tmp_path) == runs
    assert Run.find("ring", tmp_path) == runs[0]
    assert Run.find("ri", tmp_path) == runs[0]
    assert Run.find("@last", tmp_path) == runs[2]
    assert Run.find(str(tmp_path / "digits-b"), tmp_path / "elsewhere") == runs[1]
    monkeypatch.chdir(runs[0].path)
    assert Run.find(".", tmp_path).name == "ring"


def test_a_name_is_found_before_longer_names_that_begin_with_it(tmp_path):
    for name in ("ring", "ring-2"):
        Run.create(tmp_path, name, "x")
    assert Run.find("ring", tmp_path).name == "ring"
    assert Run.find("ring-", tmp_path).name == "ring-2"
    with pytest.raises(UsageError, match="2 runs begin with 'rin': ring, ring-2"):
        Run.find("rin", tmp_path)


@pytest.mark.parametrize("word", ["rign", "", "@last", "x" * 300, "a\0b", "/no/where", "folder"])
def test_what_is_no_run_is_answered_with_a_way_on(tmp_path, word):
    Run.create(tmp_path / "runs", "ring", "x")
    (tmp_path / "folder").mkdir()
    place = tmp_path / ("empty" if word == "@last" else "runs")
    with pytest.raises(UsageError) as caught:
        Run.find(tmp_path / word if word == "folder" else word, place)
    assert "mulligan runs" in caught.value.suggestion
    assert ("is ring" in caught.value.suggestion) == (word == "rign")
    assert ("has no run.json" in caught.value.message) == (word == "folder")


def test_a_run_of_a_newer_version_is_refused_with_both_numbers(run):
    run.write_json("run.json", {**run.info(), "schema": 99})
    with pytest.raises(UsageError, match="schema 99, this version reads up to 1"):
        Run.find("first", run.path.parent)
    assert Run.all(run.path.parent) == []


# the one writer


def test_a_second_writer_is_told_who_writes_and_gets_the_lock_after_a_kill(run):
    command = [sys.executable, "-c", HOLD, str(run.path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as child:
        try:
            assert child.stdout.readline() == "held\n"
            before = contents(run.path)
            with pytest.raises(UsageError) as caught, run.lock():
                pass
            assert f"process {child.pid} on {os.uname().nodename}" in caught.value.message
            assert caught.value.exit_code == 2
            assert contents(run.path) == before
            assert not run.abandoned()
        finally:
            child.send_signal(signal.SIGKILL)
    assert run.abandoned()
    with run.lock():
        assert run.info()["writer"]["pid"] == os.getpid()
        assert not run.abandoned()
    assert run.info()["writer"] is None


def test_the_lock_is_free_after_an_error_in_its_body(run):
    with pytest.raises(RuntimeError), run.lock():
        raise RuntimeError
    with run.lock():
        pass


# files


def test_config_comes_back_as_written_and_in_its_order(run):
    values = {
        "rate": {"value": 0.1 + 0.2, "origin": "flag", "reason": ""},
        "size": {"value": [64, 32], "origin": "default", "reason": "the median side is \"64\""},
        "only_label": {"value": None, "origin": "default", "reason": "all labels"},
        "images": {"value": 10**12, "origin": "config", "reason": "größer"},
        "force": {"value": True, "origin": "preset", "reason": ""},
    }  # fmt: skip
    run.write_config(values)
    del values["only_label"]
    assert run.config() == values
    assert list(run.config()) == list(values)
    before = (run.path / "config.toml").read_bytes()
    run.write_config(run.config())
    assert (run.path / "config.toml").read_bytes() == before
    (run.path / "config.toml").write_text("values = 3")
    with pytest.raises(UsageError, match=r"config\.toml cannot be read"):
        run.config()


def test_a_failed_replacement_leaves_the_old_file(run, monkeypatch):
    run.write_json("env.json", {"threads": 2})

    def full(handle):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(StorageError, match=r"env\.json: No space left on device"):
        run.write_json("env.json", {"threads": 3})
    assert run.read_json("env.json") == {"threads": 2}


def test_a_reader_of_a_replaced_file_reads_the_old_one_to_its_end(run):
    run.write_json("env.json", {"threads": 2})
    with (run.path / "env.json").open() as reader:
        run.write_json("env.json", {"threads": 3})
        assert json.load(reader) == {"threads": 2}
    assert run.read_json("env.json") == {"threads": 3}


def test_a_missing_or_damaged_file_is_named(run):
    with pytest.raises(StorageError, match=r"data\.json: No such file"):
        run.read_json("data.json")
    (run.path / "data.json").write_text("{")
    with pytest.raises(StorageError, match=r"data\.json is not JSON"):
        run.read_json("data.json")


# logs


def test_rows_come_back_exactly(run):
    rows = [{"round": n, "images": 8 * n, "discriminator/real": 0.1 * n} for n in range(5)]
    for row in rows:
        run.log(row)
    assert run.rows() == rows
    with pytest.raises(ValueError):
        run.log({"round": 6, "loss": float("nan")})
    assert run.rows() == rows


def test_a_chain_of_resumes_shows_each_round_once(run):
    for last, resume in ((5, 3), (4, 2), (6, None)):
        start = run.rows()[-1]["round"] + 1 if run.rows() else 1
        for number in range(start, last + 1):
            run.log({"round": number, "part": last})
            run.event("save", round=number)
        if resume:
            run.event("resume", round=resume)
    assert [(row["round"], row["part"]) for row in run.rows()] == [
        (1, 5), (2, 5), (3, 6), (4, 6), (5, 6), (6, 6)
    ]  # fmt: skip
    assert [event["round"] for event in run.events() if event["event"] == "save"] == [
        1, 2, 3, 4, 5, 6
    ]  # fmt: skip
    assert [event["round"] for event in run.events() if event["event"] == "resume"] == [2]


def test_a_line_that_does_not_fit_leaves_no_trace(run, monkeypatch):
    run.log({"round": 1})
    real_write = os.write
    monkeypatch.setattr(os, "write", lambda handle, data: real_write(handle, data[:5]))
    with pytest.raises(StorageError, match=r"metrics\.jsonl: No space left"):
        run.log({"round": 2})
    monkeypatch.undo()
    run.log({"round": 3})
    assert run.rows() == [{"round": 1}, {"round": 3}]


@settings(deadline=None)  # another process may have the disk
@given(rounds=st.lists(st.integers(0, 50), min_size=1, max_size=8), data=st.data())
def test_any_prefix_of_a_log_reads_as_its_whole_lines(tmp_path_factory, rounds, data):
    file = tmp_path_factory.mktemp("log") / "metrics.jsonl"
    rows = [{"round": number, "text": "é\n" * number} for number in rounds]
    for row in rows:
        jsonl.append(file, row)
    whole = file.read_bytes()
    cut = data.draw(st.integers(0, len(whole)))
    file.write_bytes(whole[:cut])
    expected = rows[: whole[:cut].count(b"\n")]
    assert jsonl.read(file) == expected
    jsonl.mend(file)
    jsonl.append(file, {"round": 99})
    assert jsonl.read(file) == [*expected, {"round": 99}]


def test_a_line_counts_once_its_end_is_written(run):
    (run.path / "metrics.jsonl").write_text('{"round": 1}\n{"round": 2}')
    assert run.rows() == [{"round": 1}]
    run.mend_logs()
    run.log({"round": 2})
    assert run.rows() == [{"round": 1}, {"round": 2}]


def test_a_line_of_zero_bytes_is_left_out_as_after_a_power_loss(run):
    run.log({"round": 1})
    with (run.path / "metrics.jsonl").open("ab") as file:
        file.write(b"\0" * 40 + b"\n\xff\n[1]\n")
    run.log({"round": 2})
    assert run.rows() == [{"round": 1}, {"round": 2}]


row_or_resume = st.tuples(st.sampled_from(["row", "row", "event", "resume"]), st.integers(0, 9))


@settings(deadline=None)
@given(st.lists(row_or_resume, max_size=25))
def test_readers_see_what_a_simple_model_sees(tmp_path_factory, steps):
    run = Run(tmp_path_factory.mktemp("run"))
    rows, events = [], []
    for number, (kind, at) in enumerate(steps):
        if kind == "row":
            run.log({"round": at, "number": number})
            rows.append((at, number))
        else:
            run.event(kind, round=at, number=number)
            if kind == "resume":
                rows = [row for row in rows if row[0] <= at]
                events = [event for event in events if event[0] <= at]
            events.append((at, number))
    assert [(row["round"], row["number"]) for row in run.rows()] == rows
    assert [(event["round"], event["number"]) for event in run.events()] == events


def test_events_without_a_round_outlive_a_resume(run):
    run.event("warning", text="16-bit images")
    run.event("resume", round=0)
    assert [event["event"] for event in run.events()] == ["warning", "resume"]
    assert run.events()[0]["time"] <= run.events()[1]["time"]


def test_the_trace_is_purged_like_the_rows(run):
    run.trace_row({"round": 4})
    run.trace_row({"event": "resume", "round": 3})
    run.trace_row({"round": 4, "again": True})
    assert run.trace_rows() == [{"round": 4, "again": True}]
    assert len(run.trace.read_text().splitlines()) == 3


def test_importing_run_loads_nothing_heavy():
    heavy = ("torch", "numpy", "pydantic", "filelock", "tomli_w", "tomllib", "PIL")
    code = f"import sys, mulligan.run; print([m for m in {heavy} if m in sys.modules])"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, text=True)
    assert json.loads(out.stdout.replace("'", '"')) == []

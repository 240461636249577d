"""Evaluation during training: it changes nothing, keeps the best checkpoint, and ends a run that
gains nothing any more; killed, stopped or resumed, the run ends where it would have.

Pictures and reports are left out here: they cost ten times what the rounds do.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image as Picture

import mulligan
from acceptance_tools import TIMES, call, damage, refusal, result
from engine.runner import context
from engine.test_ranks import free_port
from looking import DIGITS, digits, quiet
from mulligan.data import open as opening
from mulligan.engine import checkpoint, judge, reopening
from mulligan.engine import train as engine
from mulligan.engine.choose import EVALUATIONS, LEAST_APART, settle
from mulligan.engine.job import Job
from mulligan.engine.judge import Judge
from mulligan.engine.layers import Value
from mulligan.engine.parallel import World
from mulligan.engine.plan import Plan, make_plan
from mulligan.errors import DataError, UsageError
from mulligan.evaluation import lens as lenses
from mulligan.evaluation.progress import Standing
from mulligan.features.names import figure_name
from mulligan.metrics.figure import Figure
from mulligan.run import Run
from mulligan.screen import Screen

BATCH, TICK, ROUNDS = 16, 10, 120
A_TICK = BATCH * TICK
"""Images between two evaluations of these runs."""

SMALL: dict[str, Any] = {
    "recipe": "gan", "batch": BATCH, "images": BATCH * ROUNDS, "tick": TICK, "save_every": 3,
    "evaluate_every": 1, "patience": 0, "trace": True, "width": 8, "latent": 2, "device": "cpu",
}  # fmt: skip


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    quiet(monkeypatch)
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def train(folder: Path, name: str, data: str = "2d:ring", **options: Any) -> Run:
    return mulligan.train(data, runs_dir=folder, name=name, log="none", **{**SMALL, **options})


def scripted(monkeypatch: pytest.MonkeyPatch, values: list[float], half: float = 0.1) -> None:
    """Let the figure of progress be these values, one a tick, each plus or minus half."""

    def figure(real: object, made: object, lens: object, stamp: dict[str, Any]) -> Figure:
        value = values[stamp["images"] // A_TICK - 1]
        return Figure("MIND-points", value, value - half, value + half, "", "", 200, 200, stamp)

    monkeypatch.setattr(judge, "progress_figure", figure)


GAINS = [9.0, 8.0, 7.0]
"""Three gains; what follows in a script is noise, or is not."""


def standing(run: Run) -> Standing:
    newest = checkpoint.load_newest(run.checkpoints, print)
    return Standing.from_state(newest.state["judge"])


def plain_rows(run: Run) -> list[dict[str, Any]]:
    """The log without times and evaluations."""
    return [
        {k: v for k, v in row.items() if k not in TIMES and not k.startswith("progress/")}
        for row in run.rows()
    ]


def weights(run: Run) -> dict[str, dict[str, torch.Tensor]]:
    return checkpoint.load_newest(run.checkpoints, print).tensors


def same(first: dict[str, dict[str, torch.Tensor]], second: dict[str, dict[str, torch.Tensor]]):
    return first.keys() == second.keys() and all(
        torch.equal(first[file][name], second[file][name]) for file in first for name in first[file]
    )


# Looking changes nothing


@pytest.mark.parametrize(
    ("data", "options"),
    [
        ("2d:ring", {}),
        ("digits", {"recipe": "dcgan", "width": 4, "images": 30 * BATCH, "extractor": DIGITS}),
    ],
)
def test_evaluating_changes_no_loss_no_sample_and_no_weight(
    tmp_path: Path, data: str, options: dict[str, Any]
) -> None:
    looked = train(tmp_path, "looked", data, **options)
    alone = train(tmp_path, "alone", data, **options, evaluate_every=0)
    assert looked.trace_rows() == alone.trace_rows()
    assert plain_rows(looked) == plain_rows(alone)
    assert same(weights(looked), weights(alone))
    assert len(looked.figure_rows()) == len(looked.rows())
    assert alone.figure_rows() == []
    assert alone.info()["best"] is None


def small_plan(**options: Any) -> Plan:
    return make_plan("2d:ring", {**SMALL, **options})


def look(job: Job, round: int, images: int) -> judge.Verdict:
    """An evaluation of the twin, as one rank makes it."""
    twin = job.shown()
    return job.judge.look(twin, job.judge.made(twin, World()), round, images)


def test_looking_leaves_random_states_modes_and_graphs_alone() -> None:
    job = Job(small_plan(), World())
    twin = job.shown()
    plain = twin.generate
    twin.generate = lambda batch: plain(batch) + 0 * torch.rand(1)  # draws, as dropout would
    modes = [module.training for module in twin.modules()]
    torch.manual_seed(7)
    before = torch.get_rng_state()
    first = look(job, 1, 1)
    assert torch.equal(torch.get_rng_state(), before)
    assert [module.training for module in twin.modules()] == modes
    assert torch.is_grad_enabled()
    torch.rand(5)
    assert look(job, 1, 1).figure == first.figure  # the same noise, the same rows


def test_looking_asks_for_conditions_of_the_rows_it_compares_with() -> None:
    job = Job(small_plan(recipe="cgan"), World())
    seen = []
    twin = job.shown()
    plain = twin.generate

    def generate(batch):
        seen.append(batch["label"])
        return plain(batch)

    twin.generate = generate
    look(job, 1, 1)
    assert torch.equal(torch.cat(seen), job.plan.data.arrays["label"][job.judge.rows])


def test_ranks_share_the_samples() -> None:
    job = Job(small_plan(recipe="cgan"), World())
    twin, alone = job.shown(), job.judge.made(job.shown(), World())
    for size in (2, 3, 9):  # 500 rows are eight chunks: of nine ranks one draws nothing
        parts = [job.judge.made(twin, World(rank, size)) for rank in range(size)]
        assert {len(part) for part in parts} != {len(alone)}
        assert torch.equal(lenses.joined(parts).features, alone.features)


# What is compared


def judge_of(monkeypatch: pytest.MonkeyPatch, rows: torch.Tensor, held_out: float) -> Judge:
    """The judge of a run on these digits."""
    arrays = {name: array[rows] for name, array in digits().arrays.items()}
    given = replace(digits(), arrays=arrays)
    monkeypatch.setattr(opening, "open_data", lambda name, **shape: given)
    options = {**SMALL, "held_out": held_out, "extractor": DIGITS}
    plan = make_plan("digits", {**options, "images": 3200, "evaluate_every": "auto"})
    return Job(plan, World()).judge


def test_the_compared_rows_are_held_out_and_of_every_class_in_sorted_files(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    by_class = digits().arrays["label"].argsort(stable=True)[::2]
    found = judge_of(monkeypatch, by_class, 0.2)
    assert found.split == "held-out"
    assert len(found.rows) == 500
    assert set(found.rows.tolist()) <= set(found.feed.held_out.tolist())
    shares = found.plan.data.arrays["label"][found.rows].bincount(minlength=10) / 500
    assert shares.min() > 0.05


@pytest.mark.parametrize(
    ("held_out", "split", "count"), [(0.2, "held-out", 60), (0.1, "train", 270)]
)
def test_with_less_than_fifty_held_out_rows_training_rows_are_compared(
    monkeypatch: pytest.MonkeyPatch, held_out: float, split: str, count: int
) -> None:
    found = judge_of(monkeypatch, torch.arange(300), held_out)
    assert (found.split, len(found.rows)) == (split, count)


def test_copies_may_leave_too_few_rows_and_then_nothing_is_compared(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    two = torch.tensor([0] * 30 + [1] * 45)  # the copies of one picture stay on one side
    found = judge_of(monkeypatch, two, 0.3)
    assert len(found.rows) in (30, 45)
    assert not found.due(1, last=True)


@given(st.integers(0, 7), st.integers(1, 60), st.booleans())
def test_an_evaluation_is_due_every_so_many_ticks_and_at_the_end(
    every: int, tick: int, last: bool
) -> None:
    found = Judge.__new__(Judge)
    found.every, found.rows = every, torch.arange(50)
    assert found.due(tick, last) == (every > 0 and (last or tick % every == 0))


def test_rows_and_figures_say_what_was_found(tmp_path: Path) -> None:
    run = train(tmp_path, "ring", evaluate_every=5, seed=4)
    told = [row for row in run.rows() if "progress/MIND-points" in row]
    assert [row["round"] for row in told] == [50, 100, 120]  # and at the end
    for row, entry in zip(told, run.figure_rows(), strict=True):
        figure = Figure.from_json(entry["figures"][0])
        assert (entry["round"], entry["images"]) == (row["round"], row["images"])
        found = [row[f"progress/{word}"] for word in ("MIND-points", "low", "high")]
        assert found == [figure.value, figure.low, figure.high]
        assert (figure.real_count, figure.generated_count) == (200, 200)
        data = Job(small_plan(), World()).plan.data
        assert figure.stamp == {
            "extractor": "points", "weights": "scale 1", "resize": "none", "split": "held-out",
            "data": "2d:ring", "data_sha256": data.manifest["sha256"], "seed": 4,
            "images": row["images"], "averaged": True,
        }  # fmt: skip


def test_the_figure_sees_whether_the_twin_learns(tmp_path: Path) -> None:
    run = train(tmp_path, "ring", images=600 * BATCH, tick=20, width=64, latent=4, layers=2)
    figures = [Figure.from_json(row["figures"][0]) for row in run.figure_rows()]
    assert figures[-1].high < figures[0].low
    assert mulligan.load(run).state["counters"]["round"] > 200


def test_an_extractor_is_opened_once_and_a_look_is_quick() -> None:
    lenses._opened.cache_clear()
    options = {**SMALL, "recipe": "dcgan", "width": 4, "extractor": DIGITS}
    job = Job(make_plan("digits", options), World())
    look(job, 1, 1)
    again = Job(make_plan("digits", options), World())
    look(again, 1, 1)
    assert lenses._opened.cache_info().misses == 1
    began = time.process_time()
    verdict = look(job, 2, 2)
    assert time.process_time() - began < 1
    assert verdict.figure is not None
    assert verdict.figure.name == figure_name("KD", DIGITS)


# The best checkpoint


def test_the_best_checkpoint_is_kept_and_loaded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    values = [9.0, 5.0, 3.0, 4.0, 3.0, 8.0, 9.0, 9.0, 7.0, 6.0, 7.0, 8.0]
    scripted(monkeypatch, values)
    run = train(tmp_path, "ring", save_every=1)
    rounds = checkpoint.published(run.checkpoints)
    best = TICK * (1 + int(np.argmin(values)))
    assert best == 30
    assert rounds == [0, best, 100, 110, 120]  # the start, the lowest, the newest three
    assert run.info()["best"] == {
        "round": best, "images": best * BATCH, "value": 3.0, "low": 2.9, "high": 3.1,
    }  # fmt: skip
    for words, round in (({}, best), ({"checkpoint": "last"}, 120), ({"checkpoint": 110}, 110)):
        model = mulligan.load(run, **words)
        kept = checkpoint.load(run.checkpoints / f"step-{round:07d}").tensors["twin"]
        loaded = model.recipe.generator.state_dict()
        assert all(torch.equal(kept[f"generator.{name}"], loaded[name]) for name in loaded)
        assert model.state["counters"]["round"] == round


def test_a_best_between_two_saves_is_saved(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    scripted(monkeypatch, [9.0, 9.0, 9.0, 1.0] + [9.0] * 8)
    run = train(tmp_path, "ring", save_every=100)
    assert checkpoint.published(run.checkpoints)[-2:] == [40, 120]
    assert mulligan.load(run).state["counters"]["round"] == 40


def test_the_best_of_a_real_run_is_the_lowest_of_its_figures(tmp_path: Path) -> None:
    run = train(tmp_path, "ring")
    values = {row["round"]: row["figures"][0]["value"] for row in run.figure_rows()}
    best = run.info()["best"]
    assert best["value"] == min(values.values()) == values[best["round"]]
    assert best["round"] in checkpoint.published(run.checkpoints)
    assert standing(run).state()["best"] == best


def test_a_best_checkpoint_that_is_damaged_gives_way_to_the_newest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scripted(monkeypatch, [3.0] + [9.0] * 11)
    run = train(tmp_path, "ring")
    for hurt in (damage, shutil.rmtree):
        hurt(run.checkpoints / "step-0000010")
        said: list[str] = []
        assert mulligan.load(run, warn=said.append).state["counters"]["round"] == 120
        assert said[0].startswith("the best checkpoint cannot be used, the newest is:")


def test_the_best_is_mended_where_newer_checkpoints_are_damaged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scripted(monkeypatch, [9.0, 8.0, 7.0, 6.0, 5.0, 4.0] + [9.0] * 6)
    run = train(tmp_path, "ring", save_every=1, images=6 * A_TICK)
    assert run.info()["best"]["round"] == 60
    for round in (50, 60):
        damage(run.checkpoints / f"step-{round:07d}")
    job = reopening.reopen(run, World(), Screen(), None, None)
    assert job.counters.round == 40
    assert run.info()["best"]["round"] == 40
    assert mulligan.load(run).state["counters"]["round"] == 40


# A run that gains nothing any more


def test_a_run_that_gains_nothing_stops_and_says_why(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    noise = [7.05, 6.95, 6.93, 7.01, 7.2, 7.0, 7.0, 7.0, 7.0]
    scripted(monkeypatch, [*GAINS, *noise])
    run = train(tmp_path, "ring", patience=4)
    info = run.info()
    assert info["status"] == "done"
    assert info["images"] == (3 + 4) * A_TICK
    assert info["reason"] == (
        "MIND-points gained nothing beyond noise in 4 evaluations; the best was 6.93 (6.83 to "
        f"7.03) at {6 * A_TICK:,} images, and its checkpoint is kept"
    )
    assert run.events()[-1]["event"] == "done"
    assert checkpoint.published(run.checkpoints)[-1] == 70
    assert mulligan.load(run).state["counters"]["round"] == 60


@pytest.mark.parametrize("patience", [1, 3])
@pytest.mark.parametrize("every", [1, 2])
def test_a_stop_comes_as_soon_as_patience_ends(tmp_path: Path, patience: int, every: int) -> None:
    run = train(tmp_path, "still", rate=1e-9, patience=patience, evaluate_every=every)
    assert run.info()["images"] == (1 + patience) * every * A_TICK  # the first one is a gain
    gained = standing(run).gained
    assert gained is not None
    assert gained.round == every * TICK


def test_a_run_that_gains_or_has_no_patience_plays_to_its_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scripted(monkeypatch, [12.0 - place for place in range(12)])
    assert train(tmp_path, "gains", patience=1).info()["reason"] == "all images seen"
    scripted(monkeypatch, [5.0] * 12)
    assert train(tmp_path, "patient", patience=0).info()["reason"] == "all images seen"
    assert train(tmp_path, "long", patience=12).info()["images"] == ROUNDS * BATCH


def ending(run: Run) -> dict[str, Any]:
    """All that must be equal of a run that stopped for want of gain."""
    found = result(run.path)
    rows = [row for row in found["rows"] if "event" not in row]
    info = run.info()
    return {
        **found, "rows": rows, "figures": run.figure_rows(), "best": info["best"],
        "status": info["status"], "reason": info["reason"], "images": info["images"],
        "standing": standing(run), "trace": run.trace_rows(),
    }  # fmt: skip


def real_stop(folder: Path, name: str) -> Run:
    """A run that stops for want of gain, at its fifth evaluation of twelve."""
    return train(folder, name, rate=1e-9, patience=4, save_every=2)


def test_a_run_that_is_stopped_and_resumed_ends_where_it_would_have(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = ending(real_stop(tmp_path, "whole"))
    assert expected["round"] == 50
    plain = engine.play_round

    for last in (7, 20, 33):

        def until(job: Job, note: Any, last: int = last) -> None:
            plain(job, note)
            if job.counters.round == last:
                os.kill(os.getpid(), signal.SIGTERM)

        with monkeypatch.context() as patch:
            patch.setattr(engine, "play_round", until)
            with pytest.raises(engine.Stopped):
                real_stop(tmp_path, f"stopped-{last}")
        run = Run(tmp_path / f"stopped-{last}")
        assert checkpoint.latest_round(run.checkpoints) == last
        mulligan.resume(run, log="none")
        found = ending(run)
        assert found == expected


def copied_at_every_write(
    patch: pytest.MonkeyPatch, run: Run, folder: Path, within: Callable[[], bool]
) -> list[Path]:
    """Copy the run just before each of its writes: what a kill at that moment would leave."""
    copies: list[Path] = []

    def copying(plain: Callable[..., Any]) -> Callable[..., Any]:
        def write(*words: Any, **named: Any) -> Any:
            if within():
                copies.append(folder / f"killed-{len(copies):02d}")
                shutil.copytree(run.path, copies[-1])
            return plain(*words, **named)

        return write

    for name in ("log", "event", "figure", "update"):
        patch.setattr(Run, name, copying(getattr(Run, name)))
    patch.setattr(checkpoint, "save", copying(checkpoint.save))
    return copies


def test_a_run_killed_at_any_write_of_its_last_ticks_ends_where_it_would_have(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = ending(real_stop(tmp_path, "whole"))
    run = Run(tmp_path / "run")
    with monkeypatch.context() as patch:
        late = lambda: run.path.is_dir() and len(run.rows()) >= 3  # noqa: E731
        copies = copied_at_every_write(patch, run, tmp_path, late)
        real_stop(tmp_path, "run")
    assert len(copies) > 8
    for path in copies:
        if Run(path).info()["status"] != "done":  # else it has ended, and says so
            mulligan.resume(path, log="none")
        assert ending(Run(path)) == expected, path


def test_a_run_that_stopped_for_want_of_gain_goes_on_if_it_is_resumed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = real_stop(tmp_path, "ring")
    assert run.info()["images"] == 5 * A_TICK
    best = standing(run).best
    first = shutil.copytree(run.path, tmp_path / "first")
    mulligan.resume(run, log="none")
    assert run.info()["images"] == (5 + 1 + 4) * A_TICK  # the next one is a gain, then patience
    assert run.info()["status"] == "done"
    gained = standing(run).gained
    assert gained is not None
    assert gained.round == 60
    assert standing(run).best is not None
    assert best is not None
    assert run.info()["best"]["value"] <= best.value

    again = Run(first)  # killed right after it was resumed, and resumed again
    with monkeypatch.context() as patch:
        patch.setattr(engine, "play_round", lambda *words: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            mulligan.resume(again, log="none")
    again.update(status="running")
    mulligan.resume(again, log="none")
    assert ending(again) == ending(run)


def test_more_images_for_a_run_that_was_finished(tmp_path: Path) -> None:
    run = train(tmp_path, "ring", images=3 * A_TICK)
    mulligan.resume(run, images=f"+{2 * A_TICK}", log="none")
    assert [row["round"] for row in run.figure_rows()] == [10, 20, 30, 40, 50]
    assert ending(run)["figures"] == train(tmp_path, "long", images=5 * A_TICK).figure_rows()


def kill_child(runs_dir: Path, name: str, resume: bool) -> None:
    """In a child process: play until the end, or until killed."""
    with pytest.MonkeyPatch.context() as patch:
        quiet(patch)
        torch.set_num_threads(1)
        run = Run(runs_dir / name)
        mulligan.resume(run, log="none") if resume else real_stop(runs_dir, name)


def test_a_killed_process_is_resumed_to_the_same_end(tmp_path: Path) -> None:
    expected = ending(real_stop(tmp_path, "whole"))
    run = Run(tmp_path / "killed")
    child = context().Process(target=kill_child, args=(tmp_path, "killed", False))
    child.start()
    while child.is_alive() and not (run.path.is_dir() and run.figure_rows()):
        time.sleep(0.002)
    child.kill()
    child.join(60)
    child = context().Process(target=kill_child, args=(tmp_path, "killed", True))
    child.start()
    child.join(60)
    assert child.exitcode == 0
    assert ending(run) == expected


# Two ranks


def rank(place: int, port: int, folder: Path) -> None:
    """One of two processes that train one run; it writes down how many rounds it played."""
    os.environ.update(RANK=str(place), LOCAL_RANK=str(place), WORLD_SIZE="2")
    os.environ.update(MASTER_ADDR="127.0.0.1", MASTER_PORT=str(port))
    rounds = 0
    plain = engine.play_round

    def counted(job: Job, note: Any) -> None:
        nonlocal rounds
        plain(job, note)
        rounds += 1

    with pytest.MonkeyPatch.context() as patch:
        quiet(patch)
        torch.set_num_threads(1)
        patch.setattr(engine, "play_round", counted)
        real_stop(folder, "two")
    (folder / f"{place}.json").write_text(json.dumps(rounds))


def test_two_ranks_stop_at_the_same_round(tmp_path: Path) -> None:
    port = free_port()
    ranks = [context().Process(target=rank, args=(place, port, tmp_path)) for place in (0, 1)]
    for child in ranks:
        child.start()
    alone = real_stop(tmp_path, "one")
    for child in ranks:
        child.join(120)
        assert child.exitcode == 0
    played = [json.loads((tmp_path / f"{place}.json").read_text()) for place in (0, 1)]
    assert played == [50, 50]
    two = Run(tmp_path / "two")
    assert two.info()["status"] == "done"
    rows = [[row["figures"][0]["value"] for row in run.figure_rows()] for run in (two, alone)]
    assert rows[0] == pytest.approx(rows[1], rel=1e-3)


# What goes wrong


def test_an_evaluation_that_fails_is_said_and_stops_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    errors = [DataError("9 rows are not finite"), RuntimeError("no memory")] * 2
    given = iter(errors)

    def fail(*words: Any) -> Figure:
        raise next(given)

    options = {"images": 4 * A_TICK}
    alone = train(tmp_path, "alone", evaluate_every=0, **options)
    monkeypatch.setattr(judge, "progress_figure", fail)
    run = train(tmp_path, "ring", patience=1, **options)
    assert run.info()["status"] == "done"
    assert run.trace_rows() == alone.trace_rows()
    failures = [event for event in run.events() if event["event"] == "evaluation failed"]
    assert [event["round"] for event in failures] == [10, 20, 30, 40]
    for event, error in zip(failures, errors, strict=True):
        assert str(error) in event["reason"]
    assert run.figure_rows() == []


def test_an_extractor_without_weights_is_refused_with_all_other_problems(tmp_path: Path) -> None:
    runs = tmp_path / "runs"
    words = "--recipe gan --rate -1 --batch many --images 64"
    answer = call(f"train digits --extractor inception {words} --runs-dir {runs}")
    assert answer.code == 2
    for part in ("3 problems", "inception", "--rate -1", "--batch many"):
        assert part in answer.err
    assert not runs.exists()
    alone = call(f"train digits --extractor inception --images 64 --runs-dir {runs}")
    assert alone.code == 2
    assert "inception" in refusal(alone)[0]
    assert not runs.exists()


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        ({"extractor": "inceptoin"}, "no extractor 'inceptoin'"),
        ({"extractor": "points"}, "--extractor points does not fit grey images"),
        ({"extractor": "squeezenet", "weights": "no/such.npz"}, "no/such.npz"),
    ],
)
def test_other_wrong_extractors_are_refused(options: dict[str, str], complaint: str) -> None:
    with pytest.raises(UsageError, match=complaint):
        make_plan("digits", {**SMALL, **options})
    given = {**SMALL, **options, "evaluate_every": 0}
    assert make_plan("digits", given)["evaluate_every"] == 0  # it is never looked through


def test_weights_are_found_from_anywhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    options = {**SMALL, "extractor": "squeezenet", "weights": "some.npz", "evaluate_every": 0}
    assert make_plan("digits", options)["weights"] == str(tmp_path / "some.npz")
    assert make_plan("digits", SMALL)["weights"] == ""


def pictures(folder: Path, count: int) -> Path:
    folder.mkdir()
    draw = np.random.default_rng(0)
    for index in range(count):
        pixels = draw.integers(0, 256, (16, 16, 3), dtype=np.uint8)
        Picture.fromarray(pixels).save(folder / f"{index:03d}.png")
    return folder


def test_a_few_pictures_train_without_evaluation_unless_it_is_asked_for(tmp_path: Path) -> None:
    folder, reason = str(pictures(tmp_path / "pictures", 24)), "23 rows are too few to evaluate"
    options = {**SMALL, "batch": 8, "images": 160, "body": "mlp", "evaluate_every": "auto"}
    plan = make_plan(folder, options)
    assert plan["evaluate_every"] == 0
    assert reason in plan.values["evaluate_every"].reason
    run = mulligan.train(folder, runs_dir=tmp_path, name="few", log="none", **options)
    assert run.info()["status"] == "done"
    assert run.figure_rows() == []
    assert mulligan.load(run).state["counters"]["seen"] == 160
    for asked in ({"evaluate_every": 2}, {"extractor": "random"}):
        with pytest.raises(UsageError, match=reason):
            make_plan(folder, {**options, **asked})


# How often


@given(st.integers(1, 10**9), st.integers(1, 4096), st.integers(1, 10**6))
def test_evaluations_are_about_twenty_and_not_too_close(images: int, batch: int, tick: int) -> None:
    given = {"images": images, "batch": batch, "tick": tick, "evaluate_every": "auto"}
    values = {name: Value(value, "default", "") for name, value in given.items()}
    settle(values)
    every = values["evaluate_every"].value
    apart = every * tick * batch
    assert every >= 1
    assert apart >= LEAST_APART / 2
    assert images / apart <= 2 * EVALUATIONS
    if tick * batch <= LEAST_APART / 4 and images > LEAST_APART * EVALUATIONS:
        assert images / apart == pytest.approx(EVALUATIONS, rel=0.15)
    assert f"{apart:,} images apart" in values["evaluate_every"].reason


def test_the_default_run_is_evaluated_twenty_times() -> None:
    plan = make_plan("2d:ring", {"device": "cpu", "recipe": "gan"})
    rounds = -(-plan["images"] // plan["batch"])
    assert rounds // (plan["tick"] * plan["evaluate_every"]) in range(18, 23)
    assert plan["patience"] == 10

"""What a CUDA GPU must agree on with the processor; skipped where there is none."""

from __future__ import annotations

import os
import random

import pytest
import torch

from engine.killing import kill_and_resume
from helpers import TINY, batch_for, build
from mulligan import evaluate, train
from mulligan.catalogue import recipe_names
from mulligan.engine import checkpoint
from mulligan.engine.job import Job
from mulligan.engine.parallel import World
from mulligan.engine.plan import make_plan
from mulligan.engine.precision import place
from mulligan.engine.rounds import play_round
from mulligan.engine.step import Stepper

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA GPU")

os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # for deterministic algorithms

every_recipe = pytest.mark.parametrize("recipe", recipe_names())


@pytest.fixture(autouse=True)
def full_precision():
    """float32 means float32: no 19-bit products, which would hide a difference of formulas."""
    with torch.backends.cudnn.flags(allow_tf32=False):
        yield


@pytest.fixture
def chance_of_the_processor(monkeypatch):
    """What losses draw is drawn on the processor: a GPU has other random numbers."""
    for name, draw in (("rand_like", torch.rand), ("randn_like", torch.randn)):
        monkeypatch.setattr(
            torch, name, lambda t, draw=draw: draw(t.shape, dtype=t.dtype).to(t.device)
        )


def gradients(recipe, device, precision, backend=""):
    """Terms and gradients of every turn, as if each player stood still: {name: tensor}."""
    torch.manual_seed(0)
    subject = build(recipe, TINY["16x16 grey"])
    place(subject, device, precision)
    dtype = torch.float64 if precision == "float64" else torch.float32
    batch = {
        name: values.to(device, dtype if values.is_floating_point() else None)
        for name, values in batch_for(subject).items()
    }
    stepper = Stepper(subject, precision, device, 1, World())
    if backend:
        stepper.compile(backend)
    found = {}
    for number, turn in enumerate(subject.turns()):
        stepper._activate(stepper.players[turn.player])
        torch.manual_seed(1)
        terms = stepper._loss(turn, batch)
        sum(terms.values()).backward()
        found |= {f"{number} {name}": value for name, value in terms.items()}
        for name, weight in subject.named_parameters():
            if weight.grad is not None:
                found[f"{number} {name}"] = weight.grad
                weight.grad = None
    return {name: value.detach().double().cpu() for name, value in found.items()}


@every_recipe
@pytest.mark.usefixtures("chance_of_the_processor")
def test_losses_and_gradients_equal_the_processors(recipe):
    here, there = gradients(recipe, "cpu", "float64"), gradients(recipe, "cuda", "float64")
    assert here.keys() == there.keys()
    for name, value in here.items():
        torch.testing.assert_close(there[name], value, rtol=1e-8, atol=1e-10, msg=name)


@every_recipe
@pytest.mark.filterwarnings("ignore")  # what the compiler says of itself
def test_compiled_gradients_equal_eager_ones(recipe):
    torch._dynamo.reset()
    eager = gradients(recipe, "cuda", "float32")
    compiled = gradients(recipe, "cuda", "float32", backend="inductor")
    assert eager.keys() == compiled.keys()
    largest = max(float(value.norm()) for value in eager.values())
    for name, value in eager.items():  # a bias before batch norm has a gradient of rounding errors
        error = (compiled[name] - value).norm() / (value.norm() + 1e-4 * largest)
        assert error < 1e-3, f"{name}: {error}"


@pytest.mark.parametrize("recipe", ["gan", "dcgan", "cgan", "r3gan"])
@pytest.mark.filterwarnings("ignore")
def test_rounds_replayed_as_graphs_equal_eager_ones(recipe):
    torch._dynamo.reset()
    given = {"recipe": recipe, "device": "cuda", "precision": "float32", "batch": 32}
    losses = {}
    for graphs in (False, True):
        job = Job(make_plan("digits", given), World())
        if graphs:
            job.stepper.compile("inductor", graphs=True)
        seen = losses.setdefault(graphs, [])
        for _ in range(8):  # the first ones warm up and record
            play_round(job, lambda turn, place, rows, logged, seen=seen: seen.append(
                {f"{place} {turn.player}/{name}": float(value) for name, value in logged.items()}
            ))  # fmt: skip
    for eager, replayed in zip(losses[False], losses[True], strict=True):
        assert replayed == pytest.approx(eager, rel=0.02, abs=1e-3)


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_a_loss_that_is_not_finite_moves_no_weight_and_is_counted(bad):
    torch.manual_seed(0)
    subject = build("gan", TINY["16x16 grey"])
    place(subject, "cuda", "float32")
    stepper = Stepper(subject, "float32", "cuda", 1, World())
    batch = {name: values.cuda() for name, values in batch_for(subject).items()}
    turn = subject.turns()[0]
    stepper.update(turn, batch, 6)
    before = {name: weight.clone() for name, weight in subject.named_parameters()}
    stepper.update(turn, {**batch, "real": batch["real"] * bad}, 6)
    for name, weight in subject.named_parameters():
        assert torch.equal(weight, before[name]), name
    assert stepper.skipped_updates() == 1
    stepper.update(turn, batch, 6)
    assert stepper.skipped_updates() == 0
    assert any(not torch.equal(w, before[name]) for name, w in subject.named_parameters())


@every_recipe
def test_a_killed_run_goes_on_exactly(recipe, tmp_path):
    """With PyTorch's deterministic algorithms, which cost speed and are not the default."""
    kill_and_resume(recipe, tmp_path, 2, random.Random(recipe), device="cuda")


def played(job: Job, rounds: int) -> dict[str, torch.Tensor]:
    """What a job holds once it stands at this round, and the means of its log."""
    while job.counters.round < rounds:
        play_round(job)
    found = {f"mean of {name}": torch.tensor(value) for name, value in job.tally.means().items()}
    for file, tensors in job.tensors().items():
        found |= {f"{file}/{name}": tensor.cpu().clone() for name, tensor in tensors.items()}
    return found


@every_recipe
def test_a_job_restored_between_two_ticks_goes_on_exactly(recipe, tmp_path):
    """In one process, where the kills above have several: what differs is not the machine's."""
    given = {"recipe": recipe, "batch": 8, "images": 8 * 40, "width": 4, "latent": 4, "tick": 40}
    plan = make_plan("digits", {**given, "device": "cuda"})
    torch.use_deterministic_algorithms(True)
    try:
        job = Job(plan, World())
        played(job, 20)
        saved = checkpoint.save(tmp_path, 20, job.tensors(), job.state())
        whole, restored = played(job, 40), Job(plan, World())
        restored.restore(checkpoint.load(saved))
        resumed = played(restored, 40)
    finally:
        torch.use_deterministic_algorithms(False)
    assert whole.keys() == resumed.keys()
    assert [name for name in whole if not torch.equal(whole[name], resumed[name])] == []


def test_a_run_in_mixed_precision_learns_and_is_measured_alike_on_both_devices(tmp_path):
    given = {"recipe": "dcgan", "images": 60_000, "runs_dir": str(tmp_path), "log": "none"}
    run = train("digits", device="cuda", name="mixed", **given)
    figures = {}
    for device in ("cpu", "cuda"):
        found = evaluate(run, device=device, count=1000)
        figures[device] = {one.name: one.value for one in found.figures}
    assert figures["cuda"]["FD-digits"] == pytest.approx(figures["cpu"]["FD-digits"], rel=0.02)
    assert figures["cuda"]["FD-digits"] < 60


def test_data_lie_on_the_device_where_they_fit(monkeypatch):
    given = {"recipe": "dcgan", "device": "cuda", "images": 6400, "precision": "float32"}
    plan = make_plan("digits", given)
    near = Job(plan, World()).feed
    monkeypatch.setattr("mulligan.engine.feed.RESIDENT", 0.0)
    far = Job(plan, World()).feed
    assert near.arrays["real"].is_cuda
    assert not far.arrays["real"].is_cuda
    rows = torch.tensor([5, 0, 700, 5])
    for name in ("real", "label"):
        assert torch.equal(near.field(rows, name), far.field(rows, name))

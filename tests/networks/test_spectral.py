"""Spectral normalisation: what the engine needs of it, and that the singular value is one."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import Tensor, nn
from torch._dynamo.utils import counters

from mulligan.networks import compact, labelled, resnet
from mulligan.networks.spectral import LAYERS, spectral


def judge(seed: int = 0) -> nn.Module:
    """A labelled discriminator in which linear, convolution and embedding are normalised."""
    torch.manual_seed(seed)
    inner = spectral(resnet.Discriminator(1, (8, 8), 8, outputs=4))
    return spectral(labelled.Projection(inner, 5, 4))


IMAGES = torch.rand(4, 1, 8, 8, generator=torch.Generator().manual_seed(1)) * 2 - 1
LABELS = torch.tensor([0, 1, 2, 4])


def layers(network: nn.Module) -> list[nn.Module]:
    return [layer for layer in network.modules() if isinstance(layer, LAYERS)]


def largest(layer: nn.Module) -> float:
    """The largest singular value of the weight that the layer uses; out x everything else."""
    return float(torch.linalg.svdvals(layer.weight.detach().flatten(1))[0])


def vectors(network: nn.Module) -> list[Tensor]:
    return [buffer.clone() for buffer in network.buffers()]


def test_the_largest_singular_value_of_every_layer_is_one() -> None:
    network = judge()
    assert {type(layer).__name__[12:] for layer in layers(network)} == {
        kind.__name__ for kind in LAYERS
    }
    for _ in range(10):
        network(IMAGES, LABELS)
    network.eval()
    for layer in layers(network):
        assert largest(layer) == pytest.approx(1, abs=0.1)


def test_the_estimate_follows_a_weight_that_has_changed() -> None:
    torch.manual_seed(0)
    layer = spectral(nn.Linear(12, 7))
    with torch.no_grad():
        layer.parametrizations.weight.original.copy_(torch.randn(7, 12) * 30)  # type: ignore
    for _ in range(30):
        layer(torch.zeros(1, 12))
    assert largest(layer.eval()) == pytest.approx(1, abs=0.02)


def test_normalising_twice_is_normalising_once() -> None:
    network = judge()
    names = list(network.state_dict())
    assert list(spectral(network).state_dict()) == names
    assert sum(name.endswith("original") for name in names) == len(layers(network))
    assert not any(name.endswith(".weight") for name in names)


def test_the_seed_decides_weights_and_vectors() -> None:
    first, same, other = (judge(seed).state_dict() for seed in (3, 3, 4))
    assert all(torch.equal(first[name], same[name]) for name in first)
    assert not any(torch.equal(first[name], other[name]) for name in first if "._u" in name)


def test_vectors_move_in_training_mode_only_and_when_frozen_too() -> None:
    network = judge().requires_grad_(False)
    before = vectors(network)
    network.eval()(IMAGES, LABELS)
    assert all(map(torch.equal, before, vectors(network)))
    assert not network.train()(IMAGES, LABELS).requires_grad
    assert not all(map(torch.equal, before, vectors(network)))


def test_freezing_and_thawing_reaches_the_weights() -> None:
    network = judge().requires_grad_(False).requires_grad_(True)
    network(IMAGES, LABELS).sum().backward()
    for name, weight in network.named_parameters():
        assert weight.grad is not None, name
        assert weight.grad.isfinite().all(), name


def test_a_copy_is_equal_and_independent() -> None:
    network = judge()
    twin = copy.deepcopy(network)
    assert torch.equal(network(IMAGES, LABELS), twin(IMAGES, LABELS))
    before = vectors(twin)
    network(IMAGES, LABELS)
    assert all(map(torch.equal, before, vectors(twin)))


def test_the_state_holds_the_vectors() -> None:
    network, other = judge(0), judge(1)
    network(IMAGES, LABELS)
    other.load_state_dict(network.state_dict())
    for _ in range(2):
        assert torch.equal(network(IMAGES, LABELS), other(IMAGES, LABELS))


def test_float64_and_channels_last_give_the_same_scores() -> None:
    network = judge()
    scores = copy.deepcopy(network)(IMAGES, LABELS)
    network.to(torch.float64)
    network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    exact = network(IMAGES.double(), LABELS)
    assert exact.dtype == torch.float64
    assert all(vector.dtype == torch.float64 for vector in network.buffers())
    torch.testing.assert_close(scores.double(), exact, rtol=1e-4, atol=1e-5)


def test_it_can_be_built_without_memory() -> None:
    with torch.device("meta"):
        network = judge()
    assert all(entry.is_meta for entry in network.state_dict().values())


def test_double_backward_agrees_with_finite_differences() -> None:
    network = judge().double().eval()
    images = IMAGES.double().requires_grad_()

    def penalty() -> Tensor:
        (slope,) = torch.autograd.grad(network(images, LABELS).sum(), images, create_graph=True)
        return slope.square().sum()

    penalty().backward()
    weight = network.embed.parametrizations.weight.original  # type: ignore[union-attr,index]
    found = weight.grad[0, 0].item()  # type: ignore[index,union-attr]
    values = []
    for step in (1e-5, -1e-5):
        with torch.no_grad():
            weight[0, 0] += step  # type: ignore[index,operator]
        values.append(penalty().item())
        with torch.no_grad():
            weight[0, 0] -= step  # type: ignore[index,operator]
    assert found == pytest.approx((values[0] - values[1]) / 2e-5, rel=1e-3, abs=1e-7)


def test_two_forward_passes_before_one_backward() -> None:
    """The vectors move in place in between, and autograd must not notice."""
    network = judge()
    (network(IMAGES, LABELS).mean() - network(-IMAGES, LABELS).mean()).backward()
    assert all(weight.grad is not None for weight in network.parameters())


@pytest.mark.filterwarnings("ignore::DeprecationWarning:torch")
def test_compiled_equals_eager_with_moving_vectors() -> None:
    torch._dynamo.reset()
    counters.clear()
    eager = judge()
    compiled = copy.deepcopy(eager)
    compiled.compile(backend="eager")
    for _ in range(3):
        scores = [network(IMAGES, LABELS) for network in (eager, compiled)]
        assert torch.equal(*scores)
        assert all(map(torch.equal, eager.buffers(), compiled.buffers()))
        for score in scores:
            score.sum().backward()
    assert counters["stats"]["unique_graphs"] > 0
    assert not counters["graph_break"]
    for one, other in zip(eager.parameters(), compiled.parameters(), strict=True):
        torch.testing.assert_close(one.grad, other.grad)


def test_zero_weights_have_no_direction() -> None:
    """Why the blocks of `compact` start near zero and not at it."""
    layer = nn.Linear(3, 3)
    nn.init.zeros_(layer.weight)
    assert spectral(layer)(torch.ones(1, 3)).isnan().all()
    network = spectral(compact.Discriminator(1, (8, 8), 8))
    assert network(IMAGES).isfinite().all()

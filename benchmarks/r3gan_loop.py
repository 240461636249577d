"""R3GAN's own public code, round by round: their networks, losses and precisions, unmodified.

Nothing of theirs is part of this project: the user names a copy (github.com/brownvc/R3GAN). Around
it lies what their training loop does between two ticks, written anew: a batch and noise for each
player, one flat vector of gradients, Adam, the averaged generator. Left out, in their favour: their
loader (a batch is gathered where ours is), statistics, augmentation, schedules. The networks are
their CIFAR-10 preset's, bfloat16 in its last three stages, at another width.

Their operators are compiled where there is a CUDA compiler; elsewhere their own plain ones serve.
`requests` and `pkg_resources`, which they import, are a line each here: they fetch nothing in it.
"""

from __future__ import annotations

import copy
import importlib
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import torch
from torch import Tensor, nn
from torch.torch_version import TorchVersion

STAGES, NOISE, GAMMA = 4, 64, 0.05
RATE, BETAS, EMA = 2e-4, (0.0, 0.9), 0.999
BFLOAT16 = {"Generator": [-1, -2, -3], "Discriminator": [0, 1, 2]}
"""The stages at larger sizes than 4."""


def module(folder: Path, name: str) -> Any:
    """A module of their copy."""
    if str(folder) not in sys.path:
        sys.path.insert(0, str(folder))
        sys.modules.setdefault("requests", ModuleType("requests"))
        versions = sys.modules.setdefault("pkg_resources", ModuleType("pkg_resources"))
        versions.__dict__.setdefault("parse_version", TorchVersion)
    return importlib.import_module(name)


def use_plain_operators(folder: Path) -> None:
    """Their reference operators in place of those that have to be compiled."""
    networks = module(folder, "R3GAN.Networks")
    resamplers = module(folder, "R3GAN.Resamplers")
    networks.BiasedActivation = module(folder, "R3GAN.FusedOperators").BiasedActivationReference
    networks.InterpolativeUpsampler = resamplers.InterpolativeUpsamplerReference
    networks.InterpolativeDownsampler = resamplers.InterpolativeDownsamplerReference


def compiled_operators(folder: Path, device: str) -> bool:
    """Whether their operators are had here; where not, the plain ones are put in their place."""
    if device == "cuda":
        try:
            return all(
                module(folder, f"torch_utils.ops.{name}")._init()
                for name in ("bias_act", "upfirdn2d")
            )
        except Exception as reason:  # whatever their build raises: no compiler, no ninja, old code
            print(f"R3GAN's operators do not compile here: {reason}", file=sys.stderr)
    use_plain_operators(folder)
    return False


def networks(folder: Path, width: int, device: str) -> tuple[nn.Module, nn.Module]:
    """Their generator and discriminator, frozen."""
    theirs = module(folder, "training.networks")
    shape: dict[str, Any] = {
        "WidthPerStage": [width] * STAGES,
        "BlocksPerStage": [2] * STAGES,
        "CardinalityPerStage": [width // 8] * STAGES,
        "ExpansionFactor": 2,
        "c_dim": 0,
        "img_resolution": 32,
    }
    generator = theirs.Generator(NoiseDimension=NOISE, FP16Stages=BFLOAT16["Generator"], **shape)
    made = generator, theirs.Discriminator(FP16Stages=BFLOAT16["Discriminator"], **shape)
    first, second = (one.train().requires_grad_(False).to(device) for one in made)
    return first, second


def rounds(
    folder: Path, width: int, batch: int, images: Tensor, device: str
) -> tuple[Callable[[], None], int]:
    """What plays a round, and the number of weights. images: (N, 3, 32, 32) uint8, on the device.

    Call `compiled_operators` before.
    """
    generator, discriminator = networks(folder, width, device)
    average = copy.deepcopy(generator).eval()
    game = module(folder, "R3GAN.Trainer").AdversarialTraining(generator, discriminator)

    def adam(network: nn.Module) -> torch.optim.Optimizer:
        return torch.optim.Adam(network.parameters(), lr=RATE, betas=BETAS, eps=1e-8)

    players = [(discriminator, adam(discriminator)), (generator, adam(generator))]

    def play() -> None:
        for network, optimizer in players:
            rows = torch.randint(len(images), (batch,), device=device)
            real = images[rows].to(torch.float32) / 127.5 - 1
            noise = torch.randn(batch, NOISE, device=device)
            optimizer.zero_grad(set_to_none=True)
            network.requires_grad_(True)
            if network is discriminator:
                game.AccumulateDiscriminatorGradients(noise, real, None, GAMMA)
            else:
                game.AccumulateGeneratorGradients(noise, real, None)
            network.requires_grad_(False)
            step(network, optimizer)
        for kept, live in zip(average.parameters(), generator.parameters(), strict=True):
            kept.copy_(live.lerp(kept, EMA))

    count = sum(one.numel() for network, _ in players for one in network.parameters())
    return play, count


def step(network: nn.Module, optimizer: torch.optim.Optimizer) -> None:
    """As theirs, which lays all gradients in one vector for the ranks."""
    moved = [one for one in network.parameters() if one.grad is not None]
    flat = torch.cat([one.grad.flatten() for one in moved if one.grad is not None])
    for one, slope in zip(moved, flat.split([one.numel() for one in moved]), strict=True):
        one.grad = slope.reshape(one.shape)
    optimizer.step()

"""The twin: a recipe whose averaged networks are exponential moving averages of the live ones.

Previews, metrics, sampling and export use the twin. Averaged weights with live batch-norm
statistics do not match, so the statistics are estimated anew before the twin is shown or saved.
"""

from __future__ import annotations

import copy
from collections.abc import Callable

import torch
from torch import Tensor, nn

from mulligan.recipe import Batch, Recipe

RAMP = 0.05  # the half-life is at most this share of the images seen: early averages are not stale


def decay(half_life: float, seen: int, batch: int) -> float:
    """The factor on the old average after an update of `batch` images; 0 copies.

    half_life, seen, batch: in images. 0.5^(batch / half-life), ramped up from 0 (StyleGAN2-ADA).
    """
    ramped = min(half_life, RAMP * seen)
    return 0.5 ** (batch / ramped) if ramped > 0 else 0.0


def make_twin(recipe: Recipe) -> Recipe:
    """A shallow copy of the recipe in which the averaged children are copies of their own."""
    twin = copy.copy(recipe)
    twin._modules = dict(recipe._modules)
    for name in recipe.averaged:
        child = copy.deepcopy(recipe.get_submodule(name))
        twin._modules[name] = child.requires_grad_(False).eval()
    return twin


class Twin:
    """Keeps a recipe's twin up to date."""

    def __init__(self, recipe: Recipe) -> None:
        self.live = recipe
        self.recipe = make_twin(recipe)
        live, kept = self._children(recipe), self._children(self.recipe)
        self._live: list[Tensor] = [weight for child in live for weight in child.parameters()]
        self._kept: list[Tensor] = [weight for child in kept for weight in child.parameters()]
        self._buffers = [
            (mine, theirs)
            for old, new in zip(live, kept, strict=True)
            for theirs, mine in zip(old.buffers(), new.buffers(), strict=True)
        ]

    def _children(self, recipe: Recipe) -> list[nn.Module]:
        return [recipe.get_submodule(name) for name in self.live.averaged]

    @torch.no_grad()
    def update(self, half_life: float, seen: int, batch: int) -> None:
        """Move the averages towards the live weights; nothing to do for a half-life of 0."""
        if half_life > 0 and self._kept:
            torch._foreach_lerp_(self._kept, self._live, 1 - decay(half_life, seen, batch))

    @torch.no_grad()
    def refresh(self, half_life: float, batches: Callable[[], list[Batch]]) -> Recipe:
        """The twin, ready to be shown, measured or saved.

        batches: fixed batches from which batch-norm statistics are estimated. Without averaging
        the twin is an exact copy, whose running statistics already belong to its weights.
        """
        self.recipe.now = self.live.now
        for mine, theirs in self._buffers:
            mine.copy_(theirs)
        if half_life > 0:
            self._estimate_statistics(batches)
        else:
            for kept, live in zip(self._kept, self._live, strict=True):
                kept.copy_(live)
        return self.recipe

    def _estimate_statistics(self, batches: Callable[[], list[Batch]]) -> None:
        norms = [
            module
            for child in self._children(self.recipe)
            for module in child.modules()
            if isinstance(module, nn.modules.batchnorm._BatchNorm) and module.track_running_stats
        ]
        if not norms:
            return
        before = [_statistics(norm) for norm in norms]
        momenta = [norm.momentum for norm in norms]
        for norm in norms:
            norm.reset_running_stats()
            norm.momentum = None  # a plain mean over the batches
            norm.train()
        for batch in batches():
            self.recipe.generate(batch)
        for norm, old, momentum in zip(norms, before, momenta, strict=True):
            norm.momentum = momentum
            norm.eval()
            assert norm.num_batches_tracked is not None
            if norm.num_batches_tracked == 0:  # not a part of generate: keeps the live statistics
                for mine, kept in zip(norm.buffers(), old, strict=True):
                    mine.copy_(kept)


def _statistics(norm: nn.Module) -> list[Tensor]:
    return [buffer.clone() for buffer in norm.buffers()]

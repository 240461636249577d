"""A player: the parameters of one optimizer, what a schedule says of them, and their step."""

from __future__ import annotations

from typing import Any

import torch
from torch.optim import Adam, Optimizer

ASIDE = ("_optimizer_step_pre_hooks", "_optimizer_step_post_hooks", "found_inf")
"""What an optimizer may have been given that its step minds besides its own state."""


class Player:
    """The parameters of one optimizer, with the rates and betas they started from."""

    def __init__(self, name: str, optimizer: Optimizer) -> None:
        self.name = name
        self.optimizer = optimizer
        self.parameters = [p for group in optimizer.param_groups for p in group["params"]]
        self.base_rates = [float(group["lr"]) for group in optimizer.param_groups]

    def apply(self, now: dict[str, float]) -> None:
        """Set what the schedule says of rates and betas; leave the rest alone."""
        factor = now.get(f"rate/{self.name}", now.get("rate", 1.0))
        for group, base in zip(self.optimizer.param_groups, self.base_rates, strict=True):
            group["lr"] = base * factor
            if "beta2" in now and "betas" in group:
                group["betas"] = (group["betas"][0], now["beta2"])

    def step(self) -> None:
        """Move the parameters by their gradients, and drop the gradients.

        Around its one kernel, Adam's own step on a CPU spends twice that kernel's time on hooks
        and on sorting tensors: a tenth of a round of small networks.
        """
        if self._plain():
            with torch.no_grad():
                for group in self.optimizer.param_groups:
                    self._kernel(group)
        else:
            self.optimizer.step()
        for parameter in self.parameters:
            parameter.grad = None

    def _plain(self) -> bool:
        """Whether `_kernel` is all that a step does: a fused Adam on a CPU, after its first."""
        optimizer = self.optimizer
        if type(optimizer) is not Adam or any(getattr(optimizer, name, 0) for name in ASIDE):
            return False
        return all(p.is_cpu and p in optimizer.state for p in self.parameters) and all(
            group["fused"] and not (group["amsgrad"] or group["decoupled_weight_decay"])
            for group in optimizer.param_groups
        )

    def _kernel(self, group: dict[str, Any]) -> None:
        moved = [p for p in group["params"] if p.grad is not None]
        states = [self.optimizer.state[p] for p in moved]
        steps = [state["step"] for state in states]
        torch._foreach_add_(steps, 1)
        torch._fused_adam_(
            moved,
            [p.grad for p in moved],
            [state["exp_avg"] for state in states],
            [state["exp_avg_sq"] for state in states],
            [],
            steps,
            lr=group["lr"],
            beta1=group["betas"][0],
            beta2=group["betas"][1],
            weight_decay=group["weight_decay"],
            eps=group["eps"],
            amsgrad=False,
            maximize=group["maximize"],
        )

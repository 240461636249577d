"""The state of any torch optimizer as named tensors and plain JSON, so that no pickle is needed."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.optim import Optimizer

from mulligan.errors import CorruptCheckpoint, UsageError

MACHINE = ("fused", "foreach", "capturable")
"""Options of a group that choose a code path for the device at hand, not the algorithm."""


def encode_optimizer(optimizer: Optimizer) -> tuple[dict[str, Tensor], list[dict[str, Any]]]:
    """(state tensors, groups) of an optimizer.

    Tensors are named by parameter position, "0/exp_avg"; they are the optimizer's own, not
    copies. Groups hold all but the parameters (lr, betas, ...) as plain JSON.
    Raises UsageError for an optimizer whose state is more than tensors (LBFGS).
    """
    plain = optimizer.state_dict()
    tensors = {}
    for position, state in plain["state"].items():
        for name, value in state.items():
            if value is None:  # SGD without momentum; absent means the same
                continue
            if not isinstance(value, Tensor):
                raise UsageError(
                    f"{type(optimizer).__name__} keeps {name!r} as {type(value).__name__}, "
                    "not as a tensor, so it cannot be saved",
                    "use an optimizer such as Adam, SGD or RMSprop",
                )
            tensors[f"{position}/{name}"] = value
    groups = [
        {key: _plain(value) for key, value in group.items() if key not in ("params", "param_names")}
        for group in plain["param_groups"]
    ]
    return tensors, groups


def _plain(value: Any) -> Any:
    if isinstance(value, Tensor):
        return value.item()
    return list(value) if isinstance(value, tuple) else value


def decode_optimizer(
    optimizer: Optimizer, tensors: dict[str, Tensor], groups: list[dict[str, Any]]
) -> None:
    """Give a freshly built optimizer the state that `encode_optimizer` took.

    The tensors are copied to the parameters' devices. Raises CorruptCheckpoint if the optimizer
    has other groups or parameters than the saved one.
    """
    fresh = optimizer.state_dict()["param_groups"]
    if len(groups) != len(fresh):
        raise CorruptCheckpoint(
            f"the checkpoint has {len(groups)} groups of parameters, the optimizer {len(fresh)}"
        )
    params = [param for group in optimizer.param_groups for param in group["params"]]
    state: dict[int, dict[str, Tensor]] = {}
    for key, value in tensors.items():
        position, _, name = key.partition("/")
        if not position.isdecimal() or int(position) >= len(params):
            raise CorruptCheckpoint(
                f"the checkpoint has {key!r}, the optimizer {len(params)} parameters"
            )
        state.setdefault(int(position), {})[name] = _shaped_like(value, params[int(position)])
    merged = [_merge(saved, own) for saved, own in zip(groups, fresh, strict=True)]
    optimizer.load_state_dict({"state": state, "param_groups": merged})


def _merge(saved: dict[str, Any], own: dict[str, Any]) -> dict[str, Any]:
    """The saved group with the types, the parameters and the code path of the fresh one."""
    merged = dict(own)
    for key, value in saved.items():
        if key in MACHINE and key in own:
            continue
        if isinstance(own.get(key), Tensor):
            merged[key] = torch.full_like(own[key], value)
        else:
            merged[key] = tuple(value) if isinstance(own.get(key), tuple) else value
    return merged


def _shaped_like(value: Tensor, param: Tensor) -> Tensor:
    """A copy with the parameter's memory layout: fused kernels walk both in step."""
    if value.shape != param.shape:
        return value.clone()
    return torch.empty_like(param, dtype=value.dtype, device=value.device).copy_(value)

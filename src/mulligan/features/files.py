"""Files of weights that the user names: their hash, and whether they fit a network."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path

from torch import Tensor, nn

from mulligan.errors import UsageError


def file_sha256(path: Path) -> str:
    """The hexadecimal sha256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def load_weights(network: nn.Module, arrays: Mapping[str, Tensor], path: Path) -> None:
    """Set all weights of a network, from arrays by name. path: for the message.

    Raises UsageError unless names and shapes are those of the network, none more and none less, and
    all numbers are finite.
    """
    wanted = {name: tuple(tensor.shape) for name, tensor in network.state_dict().items()}
    found = {name: tuple(tensor.shape) for name, tensor in arrays.items()}
    missing, unknown = sorted(set(wanted) - set(found)), sorted(set(found) - set(wanted))
    wrong = [name for name in wanted if name in found and wanted[name] != found[name]]
    broken = [name for name, tensor in arrays.items() if not bool(tensor.isfinite().all())]
    if missing:
        what = f"lacks {missing[0]}" + (f" and {len(missing) - 1} more" if missing[1:] else "")
    elif unknown:
        what = f"has {unknown[0]}, which the network has not"
    elif wrong:
        what = f"has {wrong[0]} in the shape {found[wrong[0]]} instead of {wanted[wrong[0]]}"
    elif broken:
        what = f"has numbers in {broken[0]} that are not finite"
    else:
        network.load_state_dict(dict(arrays))
        return
    raise UsageError(f"{path} does not fit the network: it {what}", "name another file: --weights")

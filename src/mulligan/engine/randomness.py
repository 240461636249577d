"""All randomness of a run as a pure function of (seed, attempt, place in the run).

Before each update the engine reseeds torch's generators, so whatever a recipe or a layer draws
(dropout, a mixing weight) depends on its place only. Everything outside an update has a private
generator keyed by a named stream and leaves torch's generators as it found them.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import blake2b

import torch

KEY_BITS = 63  # torch takes a signed 64-bit seed


def key(seed: int, attempt: int, stream: str, *place: int) -> int:
    """A seed in [0, 2^63) for one place of one stream; the same in every process."""
    text = f"{seed}/{attempt}/{stream}/" + "/".join(map(str, place))
    digest = blake2b(text.encode(), digest_size=8).digest()
    return int.from_bytes(digest, "little") >> (64 - KEY_BITS)


def generator(seed: int, attempt: int, stream: str, *place: int) -> torch.Generator:
    """A private CPU generator for one place of one stream."""
    return torch.Generator().manual_seed(key(seed, attempt, stream, *place))


def reseed(value: int) -> None:
    """Set torch's own generators, on the CPU and on every accelerator in use."""
    torch.default_generator.manual_seed(value)  # torch.manual_seed itself costs ten times as much
    if torch.cuda.is_initialized():
        torch.cuda.manual_seed_all(value)


@contextmanager
def undisturbed(value: int) -> Iterator[None]:
    """Reseed inside the block; afterwards torch's generators are as they were before it."""
    state = torch.get_rng_state()
    states = torch.cuda.get_rng_state_all() if torch.cuda.is_initialized() else []
    reseed(value)
    try:
        yield
    finally:
        torch.set_rng_state(state)
        if states:
            torch.cuda.set_rng_state_all(states)

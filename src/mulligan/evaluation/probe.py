"""The probe: a fresh critic is trained on the output of a frozen generator, then tested.

The critic of a run has taken part in the duel and may have gone blind. This one starts anew, sees
real and generated rows until it learns no more, and is then asked about rows that it has not seen.
Its AUC is the share of pairs, one real and one generated, of which it ranks the real one higher:
0.5 means that fresh eyes cannot tell, 1 that they always can. Lopez-Paz and Oquab 2017,
"Revisiting classifier two-sample tests", arXiv:1610.06545, with the AUC in place of the accuracy.
"""

from __future__ import annotations

from copy import deepcopy
from hashlib import blake2b

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mulligan.errors import UsageError
from mulligan.features.extractor import as_float
from mulligan.metrics.arrays import as_pair
from mulligan.metrics.auc import auc, auc_interval
from mulligan.metrics.figure import Figure
from mulligan.networks import mlp, strided

LEAST = 200
"""Rows of each side below which the interval would span most of what is possible."""

SHARES = (0.5, 0.15)
"""Shares of the rows for training and for validation; the rest is the test part."""

STEPS, CHECK, PATIENCE = 600, 20, 8
"""Updates at most, updates from one look at the validation part to the next, and how many looks
without a better AUC end the training."""

HALF_BATCH = 64
"""Rows of each side in one update."""

RATE, DECAY = 2e-3, 1e-2
"""Adam's learning rate, and its decoupled weight decay (Loshchilov and Hutter, 1711.05101)."""

CHUNK = 512
"""Rows scored at a time."""

Sides = tuple[Tensor, Tensor]
"""Real and generated rows."""


def probe(real: Tensor, generated: Tensor, *, seed: int = 0, device: str = "cpu") -> Figure:
    """The AUC of a fresh critic on its test part, in [0, 1], with a 95 % interval.

    real, generated: images, uint8 (N, C, H, W), or points, float (N, d); equally many rows are
    taken from both, and more rows make a better critic: compare at equal N. The counts in the
    figure are those of the test part. Deterministic in seed on one machine; torch's generators
    are left as they were.
    Raises UsageError for other shapes, for shapes that differ, and below `LEAST` rows.
    """
    real, generated = _checked(real, generated)
    draw = torch.Generator().manual_seed(_key(seed))
    train, validation, test = split(real, generated, draw)
    critic = _fresh(train, _key(seed)).to(device)
    steps = _train(critic, _on(train, device), _on(validation, device), draw)
    interval = auc_interval(*_scores(critic, _on(test, device)))
    stamp: dict[str, str | int | float | bool | None] = {
        "seed": seed,
        "train_rows": len(train[0]),
        "validation_rows": len(validation[0]),
        "steps": steps,
    }
    return Figure.of("probe AUC", interval, (len(test[0]), len(test[1])), stamp)


def split(real: Tensor, generated: Tensor, draw: torch.Generator) -> tuple[Sides, Sides, Sides]:
    """Random rows for training, validation and test, equally many of both sides.

    A generated row that repeats a real one goes to the part of that row, as long as there is room.
    Elsewhere it would be judged by what the critic knows of its original by heart: a generator
    that copies would seem better than perfect, with an AUC below 0.5.
    """
    count = min(len(real), len(generated))
    real = real[torch.randperm(len(real), generator=draw)[:count]]
    generated = generated[torch.randperm(len(generated), generator=draw)[:count]]
    first, second = round(SHARES[0] * count), round((SHARES[0] + SHARES[1]) * count)
    sizes = (first, second - first, count - second)
    part_of = torch.arange(3).repeat_interleave(torch.tensor(sizes))
    home = dict(zip(_contents(real), part_of.tolist(), strict=True))
    rows: list[list[int]] = [[], [], []]
    others = []
    for row, content in enumerate(_contents(generated)):
        part = home.get(content)
        if part is not None and len(rows[part]) < sizes[part]:
            rows[part].append(row)
        else:
            others.append(row)
    for part, size in enumerate(sizes):
        missing = size - len(rows[part])
        rows[part] += others[:missing]
        others = others[missing:]
    one, two, three = zip(real.split(sizes), (generated[part] for part in rows), strict=True)
    return one, two, three


def _contents(rows: Tensor) -> list[bytes]:
    """The bytes of each row."""
    flat = rows.flatten(1).cpu().contiguous().view(torch.uint8).numpy()
    return [row.tobytes() for row in flat]


def _checked(real: Tensor, generated: Tensor) -> Sides:
    """Both sides as uint8 images, or as float32 points in units of the real rows' deviation."""
    for rows in (real, generated):
        images = rows.ndim == 4 and rows.dtype == torch.uint8
        if not images and not (rows.ndim == 2 and rows.is_floating_point()):
            raise UsageError(
                f"the probe takes uint8 images (N, C, H, W) or float points (N, d); it was given "
                f"{rows.dtype} {tuple(rows.shape)}"
            )
    if real.shape[1:] != generated.shape[1:]:
        raise UsageError(
            f"real rows have the shape {tuple(real.shape[1:])} and generated ones "
            f"{tuple(generated.shape[1:])}"
        )
    if min(len(real), len(generated)) < LEAST:
        raise UsageError(
            f"the probe needs {LEAST} rows of each or more; there are {len(real)} real and "
            f"{len(generated)} generated ones"
        )
    if real.ndim == 4:
        return real.detach().cpu(), generated.detach().cpu()
    real, generated = as_pair(real, generated)
    centre, deviation = real.mean(dim=0), real.std(dim=0).clamp(min=1e-12)
    return ((real - centre) / deviation).float(), ((generated - centre) / deviation).float()


def _key(seed: int) -> int:
    """A seed of 63 bits. Data may come from a generator with the same small seed."""
    digest = blake2b(f"probe/{seed}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, "little") >> 1


def _fresh(rows: Sides, key: int) -> nn.Module:
    """A critic with its first weights; torch's own generator is put back."""
    shape = tuple(rows[0].shape[1:])
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(key)
        if len(shape) == 1:
            return mlp.Discriminator(shape)
        channels, height, width = shape
        # from 64 px on, side x width and with it the cost of an image stay about the same
        maps = min(16, max(8, 1024 // max(height, width)))
        return strided.Discriminator(channels, (height, width), maps, norm=False)


def _on(rows: Sides, device: str) -> Sides:
    return rows[0].to(device), rows[1].to(device)


def _train(critic: nn.Module, train: Sides, validation: Sides, draw: torch.Generator) -> int:
    """Train the critic and leave it with the weights best on the validation part.

    Returns how many updates these weights have had.
    """
    optimizer = torch.optim.AdamW(critic.parameters(), RATE, weight_decay=DECAY)
    best, best_step, weights = -1.0, 0, deepcopy(critic.state_dict())
    for step in range(1, STEPS + 1):
        optimizer.zero_grad()
        _loss(critic, train, draw).backward()
        optimizer.step()
        if step % CHECK == 0:
            found = auc(*_scores(critic, validation))
            if found > best:
                best, best_step, weights = found, step, deepcopy(critic.state_dict())
            if best == 1.0 or step - best_step >= PATIENCE * CHECK:
                break
    critic.load_state_dict(weights)
    return best_step


@torch.enable_grad()
def _loss(critic: nn.Module, train: Sides, draw: torch.Generator) -> Tensor:
    """Binary cross-entropy of one batch, half of it real: mean softplus(-s(x)) + softplus(s(y))."""
    real, generated = (
        as_float(rows[torch.randint(len(rows), (HALF_BATCH,), generator=draw).to(rows.device)])
        for rows in train
    )
    scores_real, scores_generated = critic(torch.cat([real, generated])).split(HALF_BATCH)
    return (F.softplus(-scores_real) + F.softplus(scores_generated)).mean()


@torch.no_grad()
def _scores(critic: nn.Module, sides: Sides) -> Sides:
    """The scores of both sides, (N,) each, on the CPU; higher for what seems real."""
    real, generated = (
        torch.cat([critic(as_float(part)) for part in rows.split(CHUNK)]).cpu() for rows in sides
    )
    return real, generated

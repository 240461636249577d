"""One update of one player: loss, backward, averaged gradients, the finite gate, the step."""

from __future__ import annotations

import math
from collections.abc import Iterator
from functools import reduce
from operator import add

import torch
from torch import Tensor

from mulligan.engine.parallel import World
from mulligan.engine.player import Player
from mulligan.engine.precision import autocast
from mulligan.engine.reading import Reading
from mulligan.errors import Diverged
from mulligan.recipe import Batch, Recipe, Terms, Turn

Logged = dict[str, Tensor | float]
"""What an update logs, by name: numbers on a CPU, scalars that nobody waited for elsewhere."""


class Stepper:
    """Plays turns on a recipe: only the moving player's parameters carry gradients.

    Freezing everybody else is what keeps `detach` out of recipes: no graph is built through a
    network whose weights do not move unless the moving player lies behind it.
    """

    def __init__(
        self, recipe: Recipe, precision: str, device: str, pieces: int, world: World
    ) -> None:
        self.recipe = recipe
        self.precision, self.device = precision, torch.device(device)
        self.pieces, self.world = pieces, world
        self.players = {name: Player(name, opt) for name, opt in recipe.optimizers().items()}
        self._trainable = {p for player in self.players.values() for p in player.parameters}
        self._shared = [recipe.get_buffer(name) for name in recipe.shared_memory]
        self._active: Player | None = None
        self.compiled = self.graphs = False
        self.gate_on_device = self.device.type != "cpu"  # there no step waits for the host
        self.skipped = torch.zeros((), device=device)  # gated updates since the last tick
        recipe.requires_grad_(False)

    def compile(self, backend: str, graphs: bool = False) -> None:
        """Compile the networks in place; second-order turns still run as written.

        graphs: on a GPU, also replay each network's kernels as one CUDA graph (only "inductor").
        """
        _see_frozen_weights()
        for network in self.recipe.children():
            network.compile(backend=backend, **({"mode": "reduce-overhead"} if graphs else {}))
        self.compiled, self.graphs = True, graphs

    def update(self, turn: Turn, batch: Batch, rows: int) -> Logged:
        """Play one turn on one batch; returns what was logged, by name, without the player.

        rows: size of the global batch, of which `batch` is this rank's part.
        Raises Diverged, before any weight has moved, naming the term or the gradient that is not
        finite. On an accelerator the step is gated there instead, and counted in `skipped`.
        """
        player = self.players[turn.player]
        self._activate(player)
        self.recipe.watched.clear()
        sums: dict[str, Tensor] = {}
        if self.graphs:  # what the last update's graphs gave may be overwritten from here on
            torch.compiler.cudagraph_mark_step_begin()
        for piece, weight in self._pieces(batch, rows):
            with autocast(self.precision, self.device.type):
                terms = self._loss(turn, piece)
            loss = reduce(add, terms.values())
            (loss if weight == 1 else loss * weight).backward()
            self._tally(sums, {**terms, **self.recipe.watched}, weight)
        gradients = [p.grad for p in player.parameters if p.grad is not None]
        self.world.sum([*gradients, *sums.values()])
        logged: Logged = dict(sums)
        if not self.gate_on_device:  # read once, for the gate and for the log
            logged = {name: value.item() for name, value in sums.items()}
        logged["gradient"] = self._norm(gradients)
        self._gate(player, logged, list(terms))
        player.step()
        if turn.after is not None or self._shared:
            self.world.sum(self._shared)
        self.recipe.after(turn)
        return logged

    def skipped_updates(self) -> int:
        """How many updates the gate on the device has held back since the last call."""
        if not self.gate_on_device:  # there every update is checked at once
            return 0
        count = int(self.skipped.item())
        self.skipped.zero_()
        return count

    def _activate(self, player: Player) -> None:
        if self._active is player:
            return
        if self._active is not None:
            for parameter in self._active.parameters:
                parameter.requires_grad_(False)
        for parameter in player.parameters:
            parameter.requires_grad_(True)
        self._active = player

    def _loss(self, turn: Turn, batch: Batch) -> Terms:
        if self.compiled and turn.second_order:  # double backward through compiled code is wrong
            with torch.compiler.set_stance("force_eager"):
                return turn.loss(batch)
        return turn.loss(batch)

    def _pieces(self, batch: Batch, rows: int) -> Iterator[tuple[Batch, float]]:
        mine = len(batch.rows if isinstance(batch, Reading) else batch["noise"])
        for index in range(self.pieces):
            cut = slice(index * mine // self.pieces, (index + 1) * mine // self.pieces)
            count = cut.stop - cut.start
            if count == mine:
                yield batch, mine / rows
            elif count:
                yield _part(batch, cut), count / rows

    def _tally(self, sums: dict[str, Tensor], values: dict[str, Tensor], weight: float) -> None:
        for name, value in values.items():
            part = value.detach() if weight == 1 else value.detach() * weight
            sums[name] = sums[name] + part if name in sums else part

    def _norm(self, gradients: list[Tensor]) -> Tensor | float:
        """Of all gradients together."""
        if self.gate_on_device:
            norm: Tensor = torch.linalg.vector_norm(torch.stack(torch._foreach_norm(gradients)))
            return norm
        # as plain numbers: two kernels less, 2 % of a round of small networks
        return math.hypot(*(torch.linalg.vector_norm(grad).item() for grad in gradients))

    def _gate(self, player: Player, logged: Logged, terms: list[str]) -> None:
        """Keep a non-finite update from the weights: at once on a CPU, on the device elsewhere."""
        optimizer = player.optimizer
        values = [logged[name] for name in (*terms, "gradient")]
        if self.gate_on_device and all(group.get("fused") for group in optimizer.param_groups):
            finite = torch.isfinite(torch.as_tensor(reduce(add, values)))
            optimizer.found_inf = (~finite).float()  # type: ignore[attr-defined]
            optimizer.grad_scale = None  # type: ignore[attr-defined]
            self.skipped += optimizer.found_inf  # type: ignore[attr-defined]
        elif not all(math.isfinite(value) for value in values):
            raise Diverged(
                f"{self._culprit(player, logged, terms)} is not finite in the turn of the "
                f"{player.name}",
                "lower the rate (--rate), or start again with another --seed",
            )

    def _culprit(self, player: Player, logged: Logged, terms: list[str]) -> str:
        for name in terms:
            if not math.isfinite(logged[name]):
                return f"the term {player.name}/{name}"
        names = {parameter: name for name, parameter in self.recipe.named_parameters()}
        for parameter in player.parameters:
            if parameter.grad is not None and not bool(torch.isfinite(parameter.grad).all()):
                return f"the gradient of {names[parameter]}"
        return "the norm of the gradients"


GUARD_SHORTCUTS = (
    "skip_tensor_guards_with_matching_dict_tags",
    "use_recursive_dict_tags_for_guards",
)


def _see_frozen_weights() -> None:
    """Make compiled code notice that weights were frozen or thawed.

    PyTorch may skip that check for weights whose module looks unchanged. With 2.11 the code
    compiled while the generator was frozen ran in its own turn too, and gave it no gradient.
    """
    for name in GUARD_SHORTCUTS:
        if hasattr(torch._dynamo.config, name):
            setattr(torch._dynamo.config, name, False)


def _part(batch: Batch, cut: slice) -> Batch:
    if isinstance(batch, Reading):
        return batch.part(cut)
    return {name: values[cut] for name, values in batch.items()}


def check_players(recipe: Recipe, turns: list[Turn], players: dict[str, Player]) -> None:
    """Refuse a recipe whose turns name players that have no optimizer."""
    for turn in turns:
        if turn.player not in players:
            known = ", ".join(players)
            raise ValueError(
                f"{type(recipe).__name__}.turns() names the player {turn.player!r}, "
                f"optimizers() has {known}"
            )

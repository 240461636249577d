"""A run in memory: networks, players, twin, counters, feed; and their way into a checkpoint."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import Tensor

from mulligan import places
from mulligan.data.dataset import DataSet
from mulligan.engine.checkpoint import Checkpoint
from mulligan.engine.ema import Twin
from mulligan.engine.feed import Feed
from mulligan.engine.judge import Judge
from mulligan.engine.memory import keep_freed_memory
from mulligan.engine.optimizer_state import decode_optimizer, encode_optimizer
from mulligan.engine.parallel import World
from mulligan.engine.plan import Plan
from mulligan.engine.precision import parameter_dtype, place
from mulligan.engine.randomness import key, undisturbed
from mulligan.engine.step import Stepper, check_players
from mulligan.engine.tally import Tally
from mulligan.fields import fields_to_json
from mulligan.recipe import Batch, Recipe

SCHEMA = 2
"""Of a checkpoint's state. 2: rows are cut from maps with the channels last; weights of 1 would fit
by their shapes, and draw noise."""

STATISTICS_BATCHES = 8  # of the batch's size: what batch-norm statistics are estimated from


@dataclass
class Counters:
    """Where a run stands. All are saved, none is derived from another.

    seen: images, the clock of everything. round: rounds played. drawn: position in the data.
    attempt: 0, and one more for each automatic retry. seconds: time spent training, for display.
    """

    seen: int = 0
    round: int = 0
    drawn: int = 0
    attempt: int = 0
    seconds: float = 0.0


class Job:
    """Everything that a round reads and changes."""

    def __init__(self, plan: Plan, world: World) -> None:
        self.plan, self.world = plan, world
        self.seed, self.batch, self.total = plan["seed"], plan["batch"], plan["images"]
        self.tick, self.save_every, self.traced = plan["tick"], plan["save_every"], plan["trace"]
        self.device, self.precision = own_device(plan["device"], world), plan["precision"]
        dtype = parameter_dtype(self.precision)
        torch.set_num_threads(plan["threads"])
        with undisturbed(key(self.seed, 0, "init")):
            recipe = plan.recipe(plan.settings, plan.data.fields)
        if self.device == "cpu":
            keep_freed_memory()
        place(recipe, self.device, self.precision)
        self.recipe: Recipe = recipe
        self.stepper = Stepper(self.recipe, self.precision, self.device, plan["pieces"], world)
        self.turns = self.recipe.turns()
        check_players(self.recipe, self.turns, self.stepper.players)
        self.feed = Feed(plan.data, self.recipe, plan["held_out"], self.device, dtype)
        self.twin = Twin(self.recipe)
        self.counters, self.tally = Counters(), Tally()
        self.judge = Judge(plan, self.feed)
        self._shown_at = -1  # the round whose twin is ready
        self.last_tick = (0, 0.0)  # images and seconds, for the rate that the log shows
        self.recipe.now = self.recipe.schedule(0, self.total)
        if plan["compile"]:
            self.stepper.compile("inductor")

    def shown(self) -> Recipe:
        """The twin, ready to be looked at or saved."""
        if self._shown_at != self.counters.round:
            self.twin.refresh(self.recipe.now.get("ema", 0.0), self._statistics_batches)
            self._shown_at = self.counters.round
        return self.twin.recipe

    def _statistics_batches(self) -> list[Batch]:
        """The same batches at every call, so that a resume shows the same twin."""
        count, batches = self.batch, []
        for index in range(STATISTICS_BATCHES):
            rows = self.feed.training[torch.arange(count) % len(self.feed.training)]
            batch = self.feed.fields(rows, self.recipe.conditions)
            batch["noise"] = self.feed.noise(count, key(self.seed, 0, "statistics", index))
            batches.append(batch)
        return batches

    def tensors(self) -> dict[str, dict[str, Tensor]]:
        """What a checkpoint holds, by file. Collective: every rank must call it."""
        twin = self.shown()
        files = {
            "recipe": dict(self.recipe.state_dict()),
            "twin": {
                f"{name}.{inner}": tensor
                for name in self.recipe.averaged
                for inner, tensor in twin.get_submodule(name).state_dict().items()
            },
        }
        for name, player in self.stepper.players.items():
            files[f"optimizer-{name}"] = encode_optimizer(player.optimizer)[0]
        memory = {name: buffer.cpu() for name, buffer in self.recipe.named_buffers()}
        for rank, buffers in enumerate(self.world.gather(memory)):
            if rank > 0:
                files[f"memory-rank{rank}"] = buffers
        return files

    def state(self) -> dict[str, Any]:
        """What a checkpoint holds besides tensors: enough to go on, and to sample without data."""
        plan = self.plan
        return {
            "schema": SCHEMA,
            "recipe": {"name": plan.recipe_name, "file": plan.recipe_file},
            "settings": plan.settings.model_dump(mode="json"),
            "fields": fields_to_json(plan.data.fields),
            "values": {name: entry["value"] for name, entry in plan.stored().items()},
            "data": {"name": data_address(plan.data), "sha256": plan.data.manifest["sha256"]},
            "counters": asdict(self.counters),
            "now": self.recipe.now,
            "tally": self.tally.state(),
            "judge": self.judge.state(),
            "ranks": self.world.size,
            "optimizers": {
                name: encode_optimizer(player.optimizer)[1]
                for name, player in self.stepper.players.items()
            },
        }

    def restore(self, checkpoint: Checkpoint) -> None:
        """Go back to a checkpoint of this very plan; exact if the number of ranks is the same."""
        tensors, state = checkpoint.tensors, checkpoint.state
        self.recipe.load_state_dict(tensors["recipe"])
        memory = tensors.get(f"memory-rank{self.world.rank}", {})
        self.recipe.load_state_dict(memory, strict=False)
        restore_twin(self.twin.recipe, tensors["twin"])
        for name, player in self.stepper.players.items():
            groups = state["optimizers"][name]
            decode_optimizer(player.optimizer, tensors[f"optimizer-{name}"], groups)
        self.counters = Counters(**state["counters"])
        self.recipe.now = dict(state["now"])
        self.tally.restore(state["tally"])
        self.judge.restore(state["judge"])
        self._shown_at = -1
        self.last_tick = (self.counters.seen, self.counters.seconds)


def own_device(device: str, world: World) -> str:
    """This rank's device: one GPU a rank on each machine."""
    return f"cuda:{world.local}" if device == "cuda" and world.size > 1 else device


def data_address(data: DataSet) -> str:
    """The data's name, or its absolute path or address, which a resume finds anywhere."""
    source = str(data.manifest["source"])
    return source if places.is_found_anywhere(source) else data.name


def restore_twin(twin: Recipe, tensors: dict[str, Tensor]) -> None:
    """Load the averaged children of a recipe from a checkpoint's file `twin`."""
    for name in twin.averaged:
        prefix = f"{name}."
        own = {k[len(prefix) :]: v for k, v in tensors.items() if k.startswith(prefix)}
        twin.get_submodule(name).load_state_dict(own)

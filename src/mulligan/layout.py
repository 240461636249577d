"""What a run folder holds: the only module that knows its file names and formats.

    run.json         id, schema version, status, reason, recipe, data, created, writer
    config.toml      every resolved value with its origin;   command.txt   what was typed
    env.json         what exact resume depends on;   data.json   what was trained on
    metrics.jsonl    one object a row;   events.jsonl   alerts, saves, resumes;   trace.jsonl
    figures.jsonl    evaluations during training;   evaluations/   those that were asked for
    samples/  checkpoints/  report.html  first_batch.png

Logs are appended to; run.json, config.toml and the other tables are replaced in one step.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from mulligan import jsonl
from mulligan.disk import replace, reporting
from mulligan.errors import StorageError, UsageError

LOGS = ("metrics.jsonl", "events.jsonl", "trace.jsonl", "figures.jsonl")


@dataclass(frozen=True)
class Layout:
    """The files of one run, whether or not they are there yet."""

    path: Path

    @property
    def name(self) -> str:
        """The name of the folder."""
        return self.path.name or self.path.resolve().name

    def log(self, row: dict[str, Any]) -> None:
        """Append a row to metrics.jsonl."""
        self._append("metrics.jsonl", row)

    def event(self, kind: str, **values: Any) -> None:
        """Append an event with its time (UTC). A "resume" takes back what lies above its round."""
        if kind == jsonl.RESUME:  # each log must show where in it the resume happened
            for log in ("metrics.jsonl", "figures.jsonl"):
                self._append(log, {"event": kind, "round": values["round"]})
        self._append("events.jsonl", {"event": kind, "time": now(), **values})

    def trace_row(self, row: dict[str, Any]) -> None:
        """Append a row to trace.jsonl."""
        self._append("trace.jsonl", row)

    def figure(self, row: dict[str, Any]) -> None:
        """Append an evaluation during training to figures.jsonl."""
        self._append("figures.jsonl", row)

    def figure_rows(self) -> list[dict[str, Any]]:
        """The rows of figures.jsonl that count, as for `rows`."""
        return [row for row in self._read("figures.jsonl") if "event" not in row]

    def _append(self, name: str, row: dict[str, Any]) -> None:
        with reporting(self.path / name):
            jsonl.append(self.path / name, row)

    def rows(self) -> list[dict[str, Any]]:
        """The rows of metrics.jsonl that count: no torn line, nothing that a resume took back."""
        return [row for row in self._read("metrics.jsonl") if "event" not in row]

    def events(self) -> list[dict[str, Any]]:
        """The events that count, as for `rows`."""
        return self._read("events.jsonl")

    def trace_rows(self) -> list[dict[str, Any]]:
        """The rows of trace.jsonl that count, as for `rows`."""
        return [row for row in self._read("trace.jsonl") if "event" not in row]

    def _read(self, name: str) -> list[dict[str, Any]]:
        with reporting(self.path / name):
            return jsonl.without_undone(jsonl.read(self.path / name))

    def mend_logs(self) -> None:
        """Cut torn last lines off. For the writer, before it resumes."""
        for name in LOGS:
            with reporting(self.path / name):
                jsonl.mend(self.path / name)

    def write_config(self, values: dict[str, dict[str, Any]]) -> None:
        """Write config.toml. values: "value", "origin" and "reason" of each option and knob.

        TOML has no null: an option whose value is None is left out.
        """
        import tomli_w

        tables = {
            table: {
                name: entry[key] for name, entry in values.items() if entry["value"] is not None
            }
            for table, key in (("values", "value"), ("origin", "origin"), ("reason", "reason"))
        }
        replace(self.path / "config.toml", tomli_w.dumps(tables).encode())

    def config(self) -> dict[str, dict[str, Any]]:
        """What `write_config` wrote. Raises UsageError if it was edited into something else."""
        import tomllib

        file = self.path / "config.toml"
        with reporting(file):
            content = file.read_bytes()
        try:
            tables = tomllib.loads(content.decode())
            origin, reason = tables.get("origin", {}), tables.get("reason", {})
            return {
                name: {
                    "value": value,
                    "origin": origin.get(name, ""),
                    "reason": reason.get(name, ""),
                }
                for name, value in tables["values"].items()
            }
        except (ValueError, KeyError, AttributeError) as problem:
            raise UsageError(f"{file} cannot be read: {problem}", "undo the edit") from problem

    def write_json(self, name: str, value: Any) -> None:
        """Write a file such as env.json or data.json in one step."""
        text = json.dumps(value, indent=2, allow_nan=False)
        replace(self.path / name, (text + "\n").encode())

    def read_json(self, name: str) -> Any:
        """What such a file holds. Raises StorageError if it is missing or damaged."""
        with reporting(self.path / name):
            content = (self.path / name).read_bytes()
        try:
            return json.loads(content)
        except ValueError as problem:
            raise StorageError(f"{self.path / name} is not JSON: {problem}") from problem

    @property
    def evaluations(self) -> Path:
        """The folder of evaluations that were asked for."""
        return self.path / "evaluations"

    @property
    def samples(self) -> Path:
        """The folder of previews."""
        return self.path / "samples"

    @property
    def checkpoints(self) -> Path:
        """The folder of checkpoints."""
        return self.path / "checkpoints"

    @property
    def report(self) -> Path:
        """report.html"""
        return self.path / "report.html"

    @property
    def first_batch(self) -> Path:
        """first_batch.png: what training sees."""
        return self.path / "first_batch.png"

    @property
    def command(self) -> Path:
        """command.txt: what was typed."""
        return self.path / "command.txt"

    @property
    def trace(self) -> Path:
        """trace.jsonl: one row an update, where it was asked for."""
        return self.path / "trace.jsonl"


def now() -> str:
    """The time, UTC, as in 2026-01-31T12:00:00.000000+00:00."""
    return datetime.now(UTC).isoformat(timespec="microseconds")

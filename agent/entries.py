"""The agent's list: stages and entries as it knows them, and which of them may start."""

import json
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from agent.messages import Launch
from scheduling.indexes import IndexSet


Inputs = dict[int, list[str | None]]


@dataclass(slots=True)
class Stage:
    """A stage with tasks on the list. `inputs` holds result texts by producer; `missing` counts those yet to come."""

    id: int
    described: Mapping[str, Any]
    inputs: Inputs = field(default_factory=dict)
    missing: int = 0

    @property
    def key(self) -> tuple[Any, ...]:
        """What its workers must have in common."""
        spec = self.described["spec"]
        return ("python" if spec.get("python") else "command", *sorted(spec.get("env", {}).items()))

    def describe(self) -> bytes:
        """Return the line that tells a worker of this stage."""
        spec = self.described["spec"]
        told = {
            "id": self.id,
            "parallelism": self.described["parallelism"],
            "python": spec.get("python"),
            "args": spec.get("args", []),
            "kwargs": spec.get("kwargs", {}),
            "inputs": {item["name"]: self.inputs[item["stage"]] for item in self.described["inputs"]},
        }
        return json.dumps(told).encode() + b"\n"

    def fetched(self, inputs: Inputs) -> None:
        """Take what the server knows of the inputs; the rest ends here and is given."""
        for producer, texts in inputs.items():
            for index, text in enumerate(texts):
                if text is not None:
                    self.give(producer, index, text)

    def give(self, producer: int, index: int, result: str | None) -> None:
        """Take the result of a task that this stage waits for."""
        values = self.inputs.get(producer)
        if values is not None and values[index] is None:
            values[index] = result
            self.missing -= 1


@dataclass(slots=True)
class Entry:
    """A run of alike tasks on the list; `pending` have not been handed to a worker."""

    number: int
    stage: Stage
    attempt: int
    pending: IndexSet
    demand: dict[str, int]

    @property
    def waiting(self) -> int:
        return len(self.pending)

    @property
    def startable(self) -> bool:
        return not self.stage.missing


class Entries:
    """The list in its order, and the stages that it names."""

    def __init__(self) -> None:
        self.stages: dict[int, Stage] = {}
        self.entries: list[Entry] = []
        self.followers: dict[int, list[Stage]] = {}
        self._numbers: set[int] = set()

    def learn(self, id_: int, described: Mapping[str, Any]) -> list[int]:
        """Note a stage; return the producers of which results are still missing."""
        if id_ in self.stages:
            return []
        stage = self.stages[id_] = Stage(id_, described)
        missing = []
        for item in described["inputs"]:
            values: list[str | None] = [None] * item["parallelism"]
            for index, text in item["known"]:
                values[index] = text
            stage.inputs[item["stage"]] = values
            lacking = item["parallelism"] - len(item["known"])
            if lacking:
                stage.missing += lacking
                missing.append(item["stage"])
                self.followers.setdefault(item["stage"], []).append(stage)
        return missing

    def add(self, launch: Launch) -> None:
        """Put an entry on the list; one that is known already changes nothing."""
        if launch.entry in self._numbers:
            return
        self._numbers.add(launch.entry)
        self.entries.append(
            Entry(launch.entry, self.stages[launch.stage], launch.attempt, IndexSet.of(launch.ranges), launch.demand)
        )

    def ended(self, stage: int, index: int, result: str | None) -> None:
        """Hand the result of a task to the stages that wait for it here."""
        for follower in self.followers[stage]:
            follower.give(stage, index, result)

    def prune(self) -> None:
        """Drop entries of which nothing is pending."""
        self.entries = [entry for entry in self.entries if entry.pending]


def by_stage(values: list[tuple[int, int, int]]) -> dict[tuple[int, int], list[int]]:
    """Group (stage, attempt, index) by stage and attempt."""
    groups: dict[tuple[int, int], list[int]] = defaultdict(list)
    for stage, attempt, index in values:
        groups[stage, attempt].append(index)
    return groups

"""What travels between the scheduler and an agent, as plain JSON values: the one module that both sides import.

A command is fenced by session and number; a report by session and number. Tasks are named by stage, attempt and index
and come in groups of alike ones, as columns. Times in reports are microseconds on the agent's monotonic clock, and a
report says what that clock shows when it is sent, so that the receiver can turn them into ages.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import repeat
from typing import Any, Self

import msgspec

from switchyard.scheduling.lifecycle.ends import End
from switchyard.scheduling.lifecycle.reports import Returned, Started, Update

#: The header in which an agent says who it is: the id of its node, and the secret of its registration.
IDENTITY = "Switchyard-Agent"
COMMAND_TASK = "agent.command"
REPORT_TASK = "jobs.report"
HINT_TASK = "jobs.hint"
HEARTBEAT_TASK = "nodes.heartbeat"
REPORT_QUEUE = "reports"
HINT_QUEUE = "hints"
HEARTBEAT_QUEUE = "heartbeats"
#: What the description of a stage has of its spec where it is left out of a command because it is long.
SHORT_SPEC = ("files_digest", "foreach")


def queue_of(session: str) -> str:
    """Return the name of the queue that one agent session consumes."""
    return f"agent.{session}"


@dataclass(slots=True)
class Launch:
    """Entries to put on the list: tasks of one stage at one attempt number, in list order.

    They were placed before any pause with a higher epoch than `pause`: an agent that has settled one returns them.
    """

    entry: int
    stage: int
    attempt: int
    ranges: list[list[int]]
    demand: dict[str, int]
    after: list[list[int]]
    pause: int = 0

    def encode(self) -> list[Any]:
        return [self.entry, self.stage, self.attempt, self.ranges, self.demand, self.after, self.pause]


@dataclass(slots=True)
class Command:
    """What the scheduler tells one agent.

    `acknowledged` is the number of the last report applied, `heartbeat` that of the last heartbeat heard (0: none).
    `pause` is an epoch: when it grows, the agent returns all that has not begun and confirms it. `stages` describes
    each stage that `launches` name, by id. `recalls` asks back what has not begun, `cancels` also ends what has, both
    as [stage, attempt, ranges]; a cancel that ends with true lets tasks save a last state. `checkpoints` asks for the states
    of running tasks, as [stage, attempt, ranges, checkpoint].
    """

    session: str
    number: int
    acknowledged: int
    heartbeat: int = 0
    pause: int = 0
    launches: list[Launch] = field(default_factory=list)
    stages: dict[int, dict[str, Any]] = field(default_factory=dict)
    recalls: list[list[Any]] = field(default_factory=list)
    cancels: list[list[Any]] = field(default_factory=list)
    checkpoints: list[list[Any]] = field(default_factory=list)

    def encode(self) -> dict[str, Any]:
        data = {name: getattr(self, name) for name in self.__slots__}
        data["launches"] = [launch.encode() for launch in self.launches]
        data["stages"] = {str(id_): stage for id_, stage in self.stages.items()}
        return data

    @classmethod
    def decode(cls, data: dict[str, Any]) -> "Command":
        command = cls(**data)
        command.launches = [Launch(*launch) for launch in data["launches"]]
        command.stages = {int(id_): stage for id_, stage in data["stages"].items()}
        return command


class Finished(msgspec.Struct, array_like=True):
    """Tasks of one stage and attempt that ended FINISHED; columns of equal length. Results and metrics are JSON texts.

    `inputs` are digests of what each was handed (scheduling.inputs), 0 for nothing; it is empty if all are 0. `metrics` is
    empty if none of the tasks told any.
    """

    stage: int
    attempt: int
    indexes: list[int] = []
    begun: list[int] = []
    ended: list[int] = []
    results: list[str | None] = []
    inputs: list[int] = []
    metrics: list[str | None] = []

    def add(self, index: int, begun: int, ended: int, result: str | None, inputs: int, metrics: str | None) -> None:
        if inputs or self.inputs:
            self.inputs += [0] * (len(self.indexes) - len(self.inputs))
            self.inputs.append(inputs)
        if metrics or self.metrics:
            self.metrics += [None] * (len(self.indexes) - len(self.metrics))
            self.metrics.append(metrics)
        self.indexes.append(index)
        self.begun.append(begun)
        self.ended.append(ended)
        self.results.append(result)

    def ends(self) -> Iterator[tuple[int, int, int, str | None, int, str | None]]:
        """Yield index, begun, ended, result, inputs and metrics of each task."""
        inputs, metrics = self.inputs or repeat(0), self.metrics or repeat(None)
        return zip(self.indexes, self.begun, self.ended, self.results, inputs, metrics, strict=False)


@dataclass(slots=True)
class Report:
    """What an agent tells the scheduler.

    `seen` are the numbers of the commands obeyed since the last report, `pause` the epoch of the pause that it has
    settled. `others` are ends of which there is more to say than a result.
    """

    node: int
    session: str
    number: int
    seen: list[int] = field(default_factory=list)
    pause: int = 0
    sent: int = 0
    finished: list[Finished] = field(default_factory=list)
    others: list[End] = field(default_factory=list)
    starts: list[Started] = field(default_factory=list)
    returns: list[Returned] = field(default_factory=list)
    updates: list[Update] = field(default_factory=list)

    def encode(self) -> dict[str, Any]:
        data = {name: getattr(self, name) for name in self.__slots__}
        for name in ("finished", "updates"):
            data[name] = [msgspec.structs.astuple(part) for part in data[name]]
        data["others"] = [_encoded(end) for end in data["others"]]
        return data

    @classmethod
    def decode(cls, data: dict[str, Any], refuse: Callable[[str], None] | None = None) -> Self:
        """Read a report; raise msgspec.ValidationError if it is none.

        With `refuse`, that is called with why a part of it cannot be read, and the rest is returned. What the server does
        not hear of a task that way it finds out by the next heartbeats: the agent no longer has it.
        """
        try:
            return msgspec.convert(data, cls)
        except msgspec.ValidationError:
            if refuse is None or not isinstance(data, dict):
                raise
        whole = {name: list(_readable(data.get(name), name, kind, refuse)) for name, kind in PARTS.items()}
        return msgspec.convert(data | whole, cls)


def _encoded(end: End) -> Any:
    # Only files are structures in the structure; without them the faster way is the same.
    return msgspec.to_builtins(end) if end.files else msgspec.structs.astuple(end)


#: What a report has several of.
PARTS: Mapping[str, type] = {"finished": Finished, "others": End, "starts": Started, "returns": Returned, "updates": Update}


def _readable(parts: Any, name: str, kind: type, refuse: Callable[[str], None]) -> Iterator[Any]:
    if parts is not None and not isinstance(parts, list):
        refuse(f"{name} is no list")
        return
    for part in parts or ():
        try:
            msgspec.convert(part, kind)
        except msgspec.ValidationError as error:
            refuse(f"{name}: {error}")
        else:
            yield part


@dataclass(slots=True)
class Heartbeat:
    """A sign of life, numbered; `figures` are what the node measures of itself.

    Where the agent's loop turns, `figures` has an `inventory` of what it has: `listed` and `begun` tasks, and `ended` ones
    whose report is not acknowledged, each as [stage, attempt, ranges]; `free`, the room by resource; `fetching`, what stages
    wait for; `stuck`, how many workers were given up in the last 10 s; `command`, the number of the last one obeyed, and
    `reported`, that of the last report. Else it says that it is `stalled`.
    """

    node: int
    session: str
    number: int
    figures: dict[str, Any] = field(default_factory=dict)

    def encode(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in self.__slots__}


def kept_figures(figures: Mapping[str, Any]) -> dict[str, Any]:
    """Return what the server keeps of a heartbeat's figures: of an inventory no tasks."""
    kept = dict(figures)
    inventory = kept.pop("inventory", None) or {}
    return kept | {name: inventory[name] for name in ("free", "fetching", "stuck") if inventory.get(name)}

"""What travels between the scheduler and an agent, as plain JSON values: the one module that both sides import.

A command is fenced by session and number; a report by session and number. Tasks are named by stage, attempt and index
and come in groups of alike ones, as columns. Times in reports are microseconds on the agent's monotonic clock, and a
report says what that clock shows when it is sent, so that the receiver can turn them into ages.
"""

from dataclasses import dataclass, field
from typing import Any

COMMAND_TASK = "agent.command"
REPORT_TASK = "jobs.report"
HINT_TASK = "jobs.hint"
HEARTBEAT_TASK = "nodes.heartbeat"
REPORT_QUEUE = "reports"
HINT_QUEUE = "hints"
HEARTBEAT_QUEUE = "heartbeats"


def queue_of(session: str) -> str:
    """Return the name of the queue that one agent session consumes."""
    return f"agent.{session}"


@dataclass(slots=True)
class Launch:
    """Entries to put on the list: tasks of one stage at one attempt number, in list order."""

    entry: int
    stage: int
    attempt: int
    ranges: list[list[int]]
    demand: dict[str, int]
    after: list[list[int]]

    def encode(self) -> list[Any]:
        return [self.entry, self.stage, self.attempt, self.ranges, self.demand, self.after]


@dataclass(slots=True)
class Command:
    """What the scheduler tells one agent.

    `acknowledged` is the number of the last report applied. `stages` describes each stage that `launches` name, by id.
    `recalls` asks back what has not begun, `cancels` ends what has, both as [stage, ranges].
    """

    session: str
    number: int
    acknowledged: int
    launches: list[Launch] = field(default_factory=list)
    stages: dict[int, dict[str, Any]] = field(default_factory=dict)
    recalls: list[list[Any]] = field(default_factory=list)
    cancels: list[list[Any]] = field(default_factory=list)

    def encode(self) -> dict[str, Any]:
        return {
            "session": self.session,
            "number": self.number,
            "acknowledged": self.acknowledged,
            "launches": [launch.encode() for launch in self.launches],
            "stages": {str(id_): stage for id_, stage in self.stages.items()},
            "recalls": self.recalls,
            "cancels": self.cancels,
        }

    @classmethod
    def decode(cls, data: dict[str, Any]) -> "Command":
        return cls(
            session=data["session"],
            number=data["number"],
            acknowledged=data["acknowledged"],
            launches=[Launch(*launch) for launch in data["launches"]],
            stages={int(id_): stage for id_, stage in data["stages"].items()},
            recalls=data["recalls"],
            cancels=data["cancels"],
        )


@dataclass(slots=True)
class Finished:
    """Tasks of one stage and attempt that ended FINISHED; columns of equal length. Results are JSON texts."""

    stage: int
    attempt: int
    indexes: list[int] = field(default_factory=list)
    begun: list[int] = field(default_factory=list)
    ended: list[int] = field(default_factory=list)
    results: list[str | None] = field(default_factory=list)


@dataclass(slots=True)
class Report:
    """What an agent tells the scheduler; `seen` is the highest command number that reached it.

    `starts` are [stage, attempt, indexes, begun]; `returns`, never started, are [stage, attempt, ranges]; `others` are
    ends with more to tell than a result, one dictionary each.
    """

    node: int
    session: str
    number: int
    seen: int
    sent: int = 0
    finished: list[Finished] = field(default_factory=list)
    others: list[dict[str, Any]] = field(default_factory=list)
    starts: list[list[Any]] = field(default_factory=list)
    returns: list[list[Any]] = field(default_factory=list)

    def encode(self) -> dict[str, Any]:
        return {
            "node": self.node,
            "session": self.session,
            "number": self.number,
            "seen": self.seen,
            "sent": self.sent,
            "finished": [
                [group.stage, group.attempt, group.indexes, group.begun, group.ended, group.results]
                for group in self.finished
            ],
            "others": self.others,
            "starts": self.starts,
            "returns": self.returns,
        }

    @classmethod
    def decode(cls, data: dict[str, Any]) -> "Report":
        return cls(
            **{name: data[name] for name in ("node", "session", "number", "seen", "sent", "others", "starts", "returns")},
            finished=[Finished(*group) for group in data["finished"]],
        )

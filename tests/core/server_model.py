"""The server's side of one node, as far as the agent can tell: what it launched, and what reports say became of that."""

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from switchyard.agent.core.workers import Task
from switchyard.messaging.messages import Command, Launch, Report
from switchyard.scheduling.indexes import IndexSet
from tests.core.memory_node import Question

ROOM = {"cpus": 2000, "mem": 300}
#: Stage by stage: how many tasks, what a task asks for, how it is run, and which stages it needs, with the exchange.
SIZES = {1: 12, 2: 4, 3: 2, 4: 3, 5: 2}
DEMANDS = {1: {"cpus": 1000}, 2: {"cpus": 1000, "mem": 100}, 3: {"cpus": 500}, 4: {"cpus": 600}, 5: {"cpus": 2000}}
SPECS: dict[int, dict[str, Any]] = {
    1: {"command": ["a"], "timeout": 3, "environment": {"requirements": ["one"]}},
    2: {"python": "m:b", "files_digest": "f" * 64, "environment": {"requirements": ["two"]}},
    3: {"python": "m:c", "grace": 1, "environment": {"requirements": ["one"]}},
    4: {"python": "m:d", "foreach": "items"},
    5: {"command": "e", "environment": {"python": "3.12"}},
}
NEEDS = {1: [], 2: [(1, "pointwise", False)], 3: [(2, "all_to_all", False)], 4: [], 5: [(4, "all_to_all", True)]}


@dataclass(slots=True)
class Sent:
    """An entry that was launched."""

    launch: Launch
    confirmed: bool = False


@dataclass
class ServerModel:
    """What was launched and has not come back is `out`; what has begun on the node, by its own word, is in `begun`."""

    command_number: int = 0
    entry: int = 0
    pause: int = 0
    settled: int = 0
    applied: int = 0
    out: set[Task] = field(default_factory=set)
    begun: set[Task] = field(default_factory=set)
    results: dict[int, set[int]] = field(default_factory=lambda: {stage: set() for stage in SIZES})
    attempts: Counter[tuple[int, int]] = field(default_factory=Counter)
    epochs: dict[Task, int] = field(default_factory=dict)
    recalled: Counter[Task] = field(default_factory=Counter)
    returned: Counter[Task] = field(default_factory=Counter)
    sent: dict[int, list[Sent]] = field(default_factory=dict)
    reports: dict[int, list[Any]] = field(default_factory=dict)

    def command(self, **what: Any) -> Command:
        self.command_number += 1
        return Command("session", self.command_number, self.applied, pause=self.pause, **what)

    def launch(self, stage: int, wanted: set[int], *, left_out: bool) -> Command | None:
        """Launch tasks that are not out; at a new attempt number if the last one has begun or was called back."""
        by_attempt: dict[int, list[int]] = {}
        for index in sorted(wanted):
            attempt = self.attempts[stage, index]
            if index >= SIZES[stage] or (stage, attempt, index) in self.out or index in self.results[stage]:
                continue
            if (stage, attempt, index) in self.begun or self.recalled[stage, attempt, index]:
                attempt = self.attempts[stage, index] = attempt + 1
            by_attempt.setdefault(attempt, []).append(index)
            self.attempts[stage, index] = attempt
            self.epochs[stage, attempt, index] = self.pause
            self.out.add((stage, attempt, index))
        launches = []
        for attempt, indexes in by_attempt.items():
            self.entry += 1
            ranges = IndexSet.from_indexes(indexes).to_json()
            after = [[producer, 0, 0] for producer, _, _ in NEEDS[stage]]
            launches.append(Launch(self.entry, stage, attempt, ranges, DEMANDS[stage], after, self.pause))
        if not launches:
            return None
        command = self.command(launches=launches, stages={stage: self.describe(stage, left_out=left_out)})
        self.sent[command.number] = [Sent(launch) for launch in launches]
        return command

    def resend(self) -> Command | None:
        """Launch again what no report has confirmed, under the same numbers of entries, and repeat recalls."""
        entries = (sent for entries in self.sent.values() for sent in entries)
        unconfirmed = {sent.launch.entry: sent for sent in entries if not sent.confirmed}
        launches = [launch for sent in unconfirmed.values() if (launch := self._left(sent.launch))]
        asked = self._asked_back()
        self.recalled.update(asked)
        recalls = [[stage, attempt, [[index, index + 1]]] for stage, attempt, index in sorted(asked)]
        if not launches and not recalls:
            return None
        stages = {launch.stage: self.describe(launch.stage) for launch in launches}
        command = self.command(launches=launches, stages=stages, recalls=recalls)
        self.sent[command.number] = list(unconfirmed.values())
        return command

    def call_back(self, stage: int, wanted: set[int], *, cancel: bool) -> Command | None:
        """Recall or cancel tasks that were launched once, whether or not they are out."""
        by_attempt: dict[int, list[int]] = {}
        for index in wanted:
            if (stage, index) in self.attempts:
                by_attempt.setdefault(self.attempts[stage, index], []).append(index)
                self.recalled[stage, self.attempts[stage, index], index] += 1
        if not by_attempt:
            return None
        tasks = [[stage, attempt, IndexSet.from_indexes(each).to_json()] for attempt, each in by_attempt.items()]
        return self.command(cancels=tasks) if cancel else self.command(recalls=tasks)

    def apply(self, data: dict[str, Any]) -> None:
        """Apply a report if it is the next one. What one number tells never changes."""
        report = Report.decode(data)
        ends = [(group.stage, group.attempt, index) for group in report.finished for index in group.indexes]
        ends += [(end.stage, end.attempt, end.index) for end in report.others]
        returns = [(stage, attempt, index) for stage, attempt, ranges in report.returns for index in IndexSet.of(ranges)]
        told = [sorted(ends), sorted(returns)]
        assert self.reports.setdefault(report.number, told) == told, "a report was sent again with other contents"
        if report.number != self.applied + 1:
            return
        self.applied = report.number
        for number in report.seen:
            for sent in self.sent.pop(number, ()):
                sent.confirmed = True
        self._resolve(ends, returns)
        good = [(group.stage, index) for group in report.finished for index in group.indexes]
        good += [(end.stage, end.index) for end in report.others if end.outcome == "FINISHED"]
        for stage, index in good:
            self.results[stage].add(index)
        self.settled = max(self.settled, report.pause)

    def _resolve(self, ends: list[Task], returns: list[Task]) -> None:
        for task in ends:
            assert task in self.out, f"{task} ended, and was not out"
            self.out.discard(task)
            self.begun.add(task)
        for task in returns:
            if task in self.out:
                assert task not in self.begun, f"{task} has begun and was returned"
                self.out.discard(task)
            else:
                self.returned[task] += 1
                assert self.returned[task] <= self.recalled[task], f"{task} was returned twice"

    def began(self, task: Task) -> None:
        """Note that a task begins on the node."""
        assert task in self.out, f"{task} begins, and is not out"
        assert task not in self.begun, f"{task} begins a second time"
        self.begun.add(task)

    def value(self, question: Question) -> Any:
        """Return the answer to what an agent fetches."""
        match question.kind:
            case "description":
                return self.describe(question.stage)
            case "items":
                low, high = question.asked
                return {index: index for index in range(low, high)}
            case "files":
                return "folder"
            case "inputs":
                (lacking,) = question.asked
                return {producer: self._given(producer, set(tasks)) for producer, tasks in lacking.items()}
        return True

    def describe(self, stage: int, *, left_out: bool = False) -> dict[str, Any]:
        """Return the description of a stage; left out, as a message has it of a long one."""
        spec = SPECS[stage]
        needs = [
            {"stage": id_, "name": str(id_), "parallelism": SIZES[id_], "exchange": exchange, "gang": gang}
            | self._given(id_, set() if left_out else set(range(SIZES[id_])))
            for id_, exchange, gang in NEEDS[stage]
        ]
        described = {"name": str(stage), "job": "j", "parallelism": SIZES[stage], "inputs": needs, "spec": spec}
        if left_out:
            described |= {"left_out": True, "spec": {name: spec.get(name) for name in ("files_digest", "foreach")}}
        return described

    def _given(self, stage: int, wanted: set[int]) -> dict[str, Any]:
        return {"given": [[index, str(index)] for index in sorted(self.results[stage] & wanted)]}

    def _asked_back(self) -> set[Task]:
        return {task for task in self.out if self.recalled[task]} - self.begun

    def _wanted(self) -> set[Task]:
        return self.out - self._asked_back()

    def _left(self, launch: Launch) -> Launch | None:
        left = [index for index in IndexSet.of(launch.ranges) if (launch.stage, launch.attempt, index) in self._wanted()]
        if not left:
            return None
        ranges = IndexSet.from_indexes(left).to_json()
        return Launch(launch.entry, launch.stage, launch.attempt, ranges, launch.demand, launch.after, launch.pause)

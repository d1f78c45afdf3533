"""The agent's machine under commands in any order, workers that die, lost messages, full disks and restarts.

Whatever happens: tasks end or are returned exactly once, none begins twice, and no slot is lost.
"""

from collections.abc import Callable, Mapping
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test

from switchyard.agent.core.builds import Failed
from switchyard.agent.core.entries import Entries, Entry
from switchyard.agent.core.environments import MOST, Environments
from switchyard.agent.core.notes import Notes
from switchyard.agent.core.pool import Floor
from switchyard.agent.core.reports import Reports
from switchyard.agent.core.workers import Worker
from switchyard.messaging.messages import Command, Launch
from switchyard.scheduling.indexes import IndexSet
from switchyard.simulation.memory.worker import KILL, Item, MemoryWorker
from tests.core.memory_node import MemoryNode, recover
from tests.core.server_model import DEMANDS, ROOM, SIZES, SPECS, ServerModel

STAGES = st.sampled_from(sorted(SIZES))
TASKS = st.sets(st.integers(0, max(SIZES.values()) - 1), min_size=1)
FIRST = st.integers(0, 3)
#: How many environments are kept beside those in use: each has a size of 1.
BOUND = 1
#: Ends that say more than a result.
ENDS = st.sampled_from([
    {},
    {"outcome": "FAILED", "class": "user_error", "error": "no"},
    {"outcome": "FAILED", "class": "unloadable", "error": "no"},
    {"outcome": "FAILED", "fault": "disk full", "error": "no"},
    {"outcome": "FINISHED", "result": "1", "accumulators": {"a": {"kind": "sum", "value": 1}}},
    {"outcome": "FINISHED", "result_digest": "d" * 64, "file": "results/d"},
    {"outcome": "FINISHED", "result": "1", "files": [["m", "a", "d" * 64, 1, False]], "unstored": True},
])  # fmt: skip


class AgentMachine(RuleBasedStateMachine):
    """One node, with the server's side and the wires between them."""

    def __init__(self) -> None:
        super().__init__()
        self.server = ServerModel()
        self.commands: list[Command] = []
        self.delivered: list[Command] = []
        self.taken = 0
        self.node = self.begin(None)

    def begin(self, before: MemoryNode | None) -> MemoryNode:
        server = self.server
        recovered = recover(before.crash(), reported=server.applied) if before else None
        return MemoryNode(
            ROOM,
            before.now if before else 1000.0,
            last_report=server.applied,
            pause=server.settled,
            recovered=recovered,
            began=self.began,
            bound=BOUND,
        )

    def began(self, worker: MemoryWorker, item: Item) -> None:
        self.server.began(item.task)
        if "environment" in SPECS[item.stage] and worker.key[0] != "unbuilt":
            assert worker.key[-1] in self.node.builder.there, "a task begins without its environment"

    @property
    def workers(self) -> list[MemoryWorker]:
        return [worker for worker in self.node.workers if worker.dead is None]

    def send(self, command: Command | None) -> None:
        if command:
            self.commands.append(command)

    @rule(stage=STAGES, wanted=TASKS, left_out=st.booleans(), arrives=st.booleans())
    def launch(self, stage: int, wanted: set[int], left_out: bool, arrives: bool) -> None:
        self.send(self.server.launch(stage, wanted, left_out=left_out))
        if arrives:
            self.deliver(len(self.commands) - 1)

    @rule(stages=st.sampled_from([(1, 2, 3), (4, 5), (1, 4)]))
    def launch_whole_stages(self, stages: tuple[int, ...]) -> None:
        for stage in stages:
            self.send(self.server.launch(stage, set(range(SIZES[stage])), left_out=False))
        while self.commands:
            self.deliver(0)
        self.turn(0.0)

    @rule(stage=STAGES, wanted=TASKS, cancel=st.booleans(), arrives=st.booleans())
    def call_back(self, stage: int, wanted: set[int], cancel: bool, arrives: bool) -> None:
        self.send(self.server.call_back(stage, wanted, cancel=cancel))
        if arrives:
            self.deliver(len(self.commands) - 1)

    @precondition(lambda self: self.commands)
    @rule(which=FIRST)
    def deliver(self, which: int) -> None:
        if self.commands:
            command = self.commands.pop(which % len(self.commands))
            self.delivered.append(command)
            self.node.command(command)

    @rule(which=FIRST, what=st.sampled_from(["lost", "again", "resent", "acknowledged"]))
    def mail(self, which: int, what: str) -> None:
        if what == "lost" and self.commands:
            self.commands.pop(which % len(self.commands))
        elif what == "again" and self.delivered:
            self.node.command(self.delivered[-1 - which % len(self.delivered)])
        elif what == "resent":
            self.send(self.server.resend())
        elif what == "acknowledged":
            self.node.command(self.server.command())

    @rule(seconds=st.sampled_from([0.0, 0.005, 0.03]))
    def turn(self, seconds: float) -> None:
        self.node.now += seconds
        self.node.turn()

    @rule(seconds=st.sampled_from([0.3, 1.1, 5.0, 11.0]))
    def turn_later(self, seconds: float) -> None:
        self.turn(seconds)
        builder, listed = self.node.builder, self.node.machine.list.entries
        wanted = {entry.stage.digest for entry in listed if entry.stage.building}
        assert set(builder.running) - builder.canceled <= wanted, "a build goes on that nobody waits for"

    @precondition(lambda self: self.workers)
    @rule(which=FIRST, steps=st.integers(1, 6))
    def work(self, which: int, steps: int) -> None:
        """Let a worker do so many steps: read a task, begin it, end it with a result."""
        worker = self.workers[which % len(self.workers)]
        for _ in range(steps):
            self.step(worker)

    @precondition(lambda self: any(worker.current for worker in self.workers))
    @rule(which=FIRST, end=ENDS)
    def end_task(self, which: int, end: dict[str, object]) -> None:
        able = [worker for worker in self.workers if worker.current]
        able[which % len(able)].end_task(self.node.now, **end)

    @precondition(lambda self: self.workers)
    @rule(which=FIRST, status=st.sampled_from([KILL, 0, 1]))
    def die(self, which: int, status: int) -> None:
        self.workers[which % len(self.workers)].die(status)

    @precondition(lambda self: self.node.fetcher.questions)
    @rule(which=FIRST, refused=st.sampled_from([False, False, True]))
    def answer(self, which: int, refused: bool) -> None:
        questions = self.node.fetcher.questions
        question = questions[which % len(questions)]
        self.node.answer(question, None if refused else self.server.value(question))

    @precondition(lambda self: self.node.builder.running)
    @rule(which=FIRST, failed=st.sampled_from([None, None, Failed("ERROR: no"), Failed("", fault="disk full")]))
    def build(self, which: int, failed: Failed | None) -> None:
        builder = self.node.builder
        builder.end(list(builder.running)[which % len(builder.running)], failed)

    @precondition(lambda self: len(self.node.sent) > self.taken)
    @rule(skipped=st.sampled_from([0, 0, 1]))
    def report(self, skipped: int) -> None:
        """Apply a report that was sent; one that is skipped is late, or lost until it is sent again."""
        at = min(self.taken + skipped, len(self.node.sent) - 1)
        self.taken = at + 1
        self.server.apply(self.node.sent[at][0])

    @precondition(lambda self: self.node.sent)
    @rule(which=FIRST)
    def report_again(self, which: int) -> None:
        self.server.apply(self.node.sent[-1 - which % len(self.node.sent)][0])

    @rule(what=st.sampled_from(["pause", "crash", "full", "empty", "leave", "come back", "garbage", "new journal"]))
    def mishap(self, what: str) -> None:
        node = self.node
        if what == "pause":
            self.server.pause += 1
            self.send(self.server.command())
        elif what == "crash":
            # Its workers are ended before the successor begins.
            self.node, self.taken = self.begin(node), 0
        elif what in ("full", "empty"):
            self.fill(full=what == "full")
        elif what == "leave":
            node.machine.leave("unfit", node.now)
        elif what == "come back":
            node.machine.come_back("unfit")
        elif what == "garbage" and self.workers:
            self.workers[0].lines.append(b"garbage\n")
        elif what == "new journal":
            node.journal.rewrite(node.machine.rest(()))

    @rule()
    def settle(self) -> None:
        """Let everything come to its end: nothing is left out, and the room is whole."""
        self.fill(full=False)
        for _ in range(400):
            if self.is_over():
                break
            self.go_on()
        assert self.is_over(), (self.server.out, self.node.machine.inventory(self.node.now), self.node.fetcher.questions)
        assert self.node.machine.floor.room == ROOM

    def fill(self, *, full: bool) -> None:
        self.node.full = full
        for worker in self.workers:
            worker.full = full

    def step(self, worker: MemoryWorker) -> None:
        if worker.dead is not None:
            return
        if worker.current:
            unbuilt = {"outcome": "FAILED", "class": "environment", "error": "no"} if worker.key[0] == "unbuilt" else {}
            worker.end_task(self.node.now, **unbuilt)
        elif worker.read_item:
            worker.begin(self.node.now)
        elif worker.pipe:
            worker.read()

    def is_over(self) -> bool:
        return not (self.commands or self.server.out) and self.node.machine.idle

    def go_on(self) -> None:
        self.node.now += 0.05
        self.node.machine.come_back("unfit")
        while self.commands:
            self.deliver(0)
        for question in list(self.node.fetcher.questions):
            self.node.answer(question, self.server.value(question))
        for digest in list(self.node.builder.running):
            self.node.builder.end(digest)
        for worker in self.workers:
            self.step(worker)
        self.node.turn()
        for report, _ in self.node.sent[self.taken :]:
            self.server.apply(report)
        self.taken = len(self.node.sent)
        self.node.command(self.server.resend() or self.server.command())

    @invariant()
    def all_is_in_order(self) -> None:
        self.no_task_is_at_two_places()
        self.no_resource_is_taken_twice_nor_lost()
        self.reports_are_numbered_without_gaps()
        self.nothing_waits_from_before_a_pause()
        self.environments_are_there_while_they_are_needed()

    def no_task_is_at_two_places(self) -> None:
        tasks = [(item.stage, item.index) for worker in self.workers for item in worker.tasks]
        assert len(tasks) == len(set(tasks)), f"handed twice: {sorted(tasks)}"

    def no_resource_is_taken_twice_nor_lost(self) -> None:
        free = self.node.machine.floor.room
        assert all(0 <= free[name] <= total for name, total in ROOM.items()), free
        for name, total in ROOM.items():
            running = sum(DEMANDS[each.current.stage].get(name, 0) for each in self.workers if each.current)
            assert running <= total
        if not any(worker.tasks or worker.lines or worker.dead is not None for worker in self.node.workers):
            assert free == ROOM

    def reports_are_numbered_without_gaps(self) -> None:
        first = [report["number"] for report, again in self.node.sent if not again]
        assert first == list(range(first[0], first[0] + len(first))) if first else True

    def nothing_waits_from_before_a_pause(self) -> None:
        waiting = {item.task for worker in self.workers for item in worker.pipe}
        waiting |= {(each.stage.id, each.attempt, index) for each in self.node.machine.list.entries for index in each.pending}
        assert all(self.server.epochs[task] >= self.node.machine.reports.pause for task in waiting)

    def environments_are_there_while_they_are_needed(self) -> None:
        builder, environments = self.node.builder, self.node.machine.environments
        assert len(builder.running) <= MOST
        assert {kept.home for kept in environments.kept.values()} == builder.there
        assert {worker.key[-1] for worker in self.workers if worker.tasks} <= builder.there | {""}

    def teardown(self) -> None:
        self.settle()


def run(examples: int) -> None:
    run_state_machine_as_test(
        AgentMachine,
        settings=settings(
            max_examples=examples,
            stateful_step_count=50,
            deadline=None,
            derandomize=True,
            database=None,
            phases=[Phase.generate],
            report_multiple_bugs=False,
            suppress_health_check=list(HealthCheck),
        ),
    )


def test_tasks_end_or_return_once_and_no_slot_is_lost() -> None:
    run(300)


def keep_slot(worker: Worker) -> list[tuple[Entry, list[int]]]:
    taken = TAKE_BACK(worker)
    worker.outstanding += sum(len(indexes) for _, indexes in taken)
    return taken


def take_every_entry(entries: Entries, launch: Launch, now: float, here: Mapping[int, IndexSet]) -> Entry:
    entry = ADD(entries, launch, now, here)
    entries.numbers -= IndexSet.span(launch.entry, launch.entry + 1)
    return entry


def skip_a_number(reports: Reports) -> None:
    reports._number += 1
    CLOSE(reports)


def do_nothing(*_: object) -> None:
    return


TAKE_BACK, ADD, CLOSE = Worker.take_back, Entries.add, Reports._close


@pytest.mark.parametrize(
    ("where", "name", "fault"),
    [
        pytest.param(Worker, "take_back", keep_slot, id="take-back without release of the slot"),
        pytest.param(Entries, "restore", do_nothing, id="tasks that were taken back are lost"),
        pytest.param(Entries, "add", take_every_entry, id="an entry is taken again"),
        pytest.param(Reports, "_close", skip_a_number, id="a report's number is skipped"),
        pytest.param(Floor, "take_back_all", do_nothing, id="a pause leaves what waits for workers"),
        pytest.param(Environments, "_used", lambda _: set(), id="an environment is removed that tasks need"),
        pytest.param(Environments, "_drop", do_nothing, id="a build goes on that nobody waits for"),
        pytest.param(Notes, "returned", do_nothing, id="a return is not in the journal"),
    ],
)
def test_a_planted_fault_is_found(monkeypatch: pytest.MonkeyPatch, where: type, name: str, fault: Callable[..., Any]) -> None:
    monkeypatch.setattr(where, name, fault)
    with pytest.raises((AssertionError, IndexError)):
        run(2000)

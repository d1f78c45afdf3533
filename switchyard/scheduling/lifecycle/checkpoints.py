"""Checkpoints: all running tasks of a job are asked for their states at one moment, and all have to answer.

A task that has finished counts with its result, one that has not begun with nothing. No row and no statement is for one task.
"""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain
from typing import Any, Protocol
from uuid import UUID

from switchyard.scheduling.indexes import IndexSet
from switchyard.scheduling.lifecycle.records import Records
from switchyard.scheduling.lifecycle.states import LISTED, JobState, TaskState

#: Seconds after which tasks that have not answered are asked again.
AGAIN = 5.0
#: Tasks that a failure names.
NAMED = 3
#: Running tasks of one stage at one attempt, with the session that has them.
Running = tuple[int, int, IndexSet, str]
#: By session, what its agent is asked for, as [stage, attempt, ranges, checkpoint].
Asked = dict[str, list[list[Any]]]


@dataclass(frozen=True, slots=True)
class Due:
    """A job that is to have a checkpoint; `checkpoint` is one that a person has asked for, and that asks nobody yet."""

    job: UUID
    keep: int
    checkpoint: int | None = None


@dataclass(frozen=True, slots=True)
class Open:
    """A checkpoint in progress: the tasks that were asked, and those that have answered, by stage and attempt.

    `triggered` is in seconds since the epoch; `keep` counts the completed ones that the job keeps, this one included.
    """

    id: int
    job: UUID
    state: JobState
    triggered: float
    timeout: float
    keep: int
    asked: list[tuple[int, int, IndexSet]]
    answered: Mapping[int, IndexSet]

    @property
    def lacking(self) -> list[tuple[int, int, IndexSet]]:
        left = [(stage, attempt, tasks - self.answered.get(stage, IndexSet())) for stage, attempt, tasks in self.asked]
        return [each for each in left if each[2]]


@dataclass(frozen=True, slots=True)
class Standing:
    """Where a task stands that was asked for its state."""

    stage: int
    name: str
    index: int
    attempt: int
    state: TaskState


@dataclass(frozen=True, slots=True)
class Ended:
    """The end of a checkpoint: completed, or why not."""

    id: int
    job: UUID
    keep: int
    failure: str = ""


@dataclass(slots=True)
class Verdicts:
    """What becomes of the checkpoints in progress."""

    ended: list[Ended] = field(default_factory=list)
    waiting: list[Open] = field(default_factory=list)


class Checkpoints(Protocol):
    """The records of checkpoints; all that is asked and written belongs to a transaction of switchyard's Records."""

    def in_progress(self) -> list[Open]:
        """Return the checkpoints in progress that have asked somebody."""

    def due(self, now: float) -> list[Due]:
        """Return the running jobs that are to have a checkpoint now."""

    def standings(self, tasks: Collection[tuple[int, IndexSet]]) -> list[Standing]:
        """Return where tasks of stages stand."""

    def running(self, jobs: Collection[UUID]) -> Mapping[UUID, list[Running]]:
        """Return the tasks of jobs that run, as agents have reported."""

    def open(self, due: Due, asked: Sequence[tuple[int, int, IndexSet]]) -> int:
        """Write a checkpoint that asks these tasks, and return its id."""

    def end(self, ended: Collection[Ended]) -> None:
        """Write the ends of checkpoints, and delete the states of those that are kept no longer."""


def step(records: Records, checkpoints: Checkpoints, *, epoch: int) -> Asked:
    """End the checkpoints that are whole or cannot be any more, and begin those that are due.

    Returns what agents are asked for.
    """
    asked: Asked = {}
    with records.transaction():
        now = records.ask_lease(epoch)()
        verdicts = judge(checkpoints, now, records.gangs)
        if verdicts.ended:
            checkpoints.end(verdicts.ended)
        late = [each for each in verdicts.waiting if (now - each.triggered) % AGAIN < 1.0 <= now - each.triggered]
        due = checkpoints.due(now)
        jobs = {each.job for each in late} | {each.job for each in due}
        running = checkpoints.running(jobs) if jobs else {}
        for opened in late:
            _ask(asked, _of(running.get(opened.job, ()), opened.lacking), opened.id)
        for each in due:
            tasks = running.get(each.job, [])
            if tasks or each.checkpoint is not None:
                _ask(asked, tasks, checkpoints.open(each, _joined(tasks)))
    return asked


def judge(checkpoints: Checkpoints, now: float, gangs: Callable[[Collection[int]], Collection[int]]) -> Verdicts:
    """Decide which checkpoints in progress have ended; `gangs` says which of some stages are gangs.

    A gang that has begun anew completes no older one: some of its members may have asked already from where they go on.
    """
    verdicts = Verdicts()
    opened = checkpoints.in_progress()
    asked = {stage for each in opened for stage, _, _ in each.asked}
    together = gangs(asked) if asked else ()
    wanted: dict[int, IndexSet] = {}
    for each in opened:
        members = [(stage, attempt, tasks.take(1)[0]) for stage, attempt, tasks in each.asked if stage in together]
        for stage, _, tasks in chain(each.lacking, members):
            wanted[stage] = wanted.get(stage, IndexSet()) | tasks
    standings = {(each.stage, each.index): each for each in checkpoints.standings(list(wanted.items()))} if wanted else {}
    for each in opened:
        lacking = [(standings.get((stage, index)), attempt) for stage, attempt, tasks in each.lacking for index in tasks]
        failure, whole = _outcome(each, lacking, now)
        if whole:
            failure = _gang_anew([part for part in each.asked if part[0] in together], standings)
        if failure or whole:
            verdicts.ended.append(Ended(each.id, each.job, each.keep, failure))
        else:
            verdicts.waiting.append(each)
    return verdicts


def _outcome(opened: Open, lacking: Sequence[tuple[Standing | None, int]], now: float) -> tuple[str, bool]:
    """Return why a checkpoint has failed, if so, and whether it is whole."""
    pending = []
    for standing, attempt in lacking:
        if standing is None:
            return "a stage of it is gone", False
        if (standing.attempt, standing.state) == (attempt, TaskState.FINISHED):
            continue
        if standing.attempt != attempt or standing.state not in LISTED:
            return f"{_named(standing)} ended before it had answered", False
        pending.append(standing)
    if not pending and (opened.asked or opened.state is JobState.RUNNING):
        return "", True
    if opened.state is not JobState.RUNNING:
        return f"the job was {opened.state.name} before all tasks had answered", False
    if now - opened.triggered > opened.timeout:
        some = ", ".join(map(_named, pending[:NAMED])) + (", …" if len(pending) > NAMED else "")
        lacking_some = "1 task has" if len(pending) == 1 else f"{len(pending):,} tasks have"
        return f"{lacking_some} not answered within {opened.timeout:g} s: {some}", False
    return "", False


def _gang_anew(gangs: Iterable[tuple[int, int, IndexSet]], standings: Mapping[tuple[int, int], Standing]) -> str:
    """Return which gang has begun anew since it was asked; empty if none."""
    for stage, attempt, tasks in gangs:
        member = standings.get((stage, tasks.ranges[0][0]))
        if member and member.attempt != attempt:
            return f"the gang {member.name} began anew before the checkpoint was completed"
    return ""


def _named(standing: Standing) -> str:
    return f"task {standing.index} of {standing.name}"


def _joined(running: Iterable[Running]) -> list[tuple[int, int, IndexSet]]:
    joined: dict[tuple[int, int], IndexSet] = {}
    for stage, attempt, tasks, _ in running:
        joined[stage, attempt] = joined.get((stage, attempt), IndexSet()) | tasks
    return [(stage, attempt, tasks) for (stage, attempt), tasks in joined.items()]


def _of(running: Iterable[Running], lacking: Iterable[tuple[int, int, IndexSet]]) -> list[Running]:
    """Return the running tasks that are lacking."""
    wanted = {(stage, attempt): tasks for stage, attempt, tasks in lacking}
    found = [
        (stage, attempt, tasks & wanted.get((stage, attempt), IndexSet()), who) for stage, attempt, tasks, who in running
    ]
    return [each for each in found if each[2]]


def _ask(asked: Asked, running: Iterable[Running], checkpoint: int) -> None:
    for stage, attempt, tasks, session in running:
        asked.setdefault(session, []).append([stage, attempt, tasks.to_json(), checkpoint])

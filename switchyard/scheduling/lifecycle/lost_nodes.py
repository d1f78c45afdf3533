"""Recovery: silent nodes and sessions that have ended.

Silence is judged by the time of the records, and never longer than the leader has been listening: a takeover, a restart of
the database or a stall gives every node its full time again.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from uuid import UUID

from switchyard.scheduling.indexes import IndexSet
from switchyard.scheduling.lifecycle import buffering, events, gangs, quarantine, settling
from switchyard.scheduling.lifecycle.ends import Ends
from switchyard.scheduling.lifecycle.events import Told
from switchyard.scheduling.lifecycle.facts import Lost, Patience, Sign
from switchyard.scheduling.lifecycle.records import Records
from switchyard.scheduling.lifecycle.rows import AssignmentRow
from switchyard.scheduling.lifecycle.states import TaskState
from switchyard.scheduling.lifecycle.transitions import Move
from switchyard.scheduling.lifecycle.work import UnitOfWork
from switchyard.scheduling.retry import ExitClass, Failure

#: Seconds of silence after which a node is OFFLINE.
SILENT = 30.0
#: Seconds of silence after which nothing of a session runs any more, and the session has ended.
LOST = 60.0
#: Seconds by which a node's own fence comes earlier.
MARGIN = 15.0


@dataclass(frozen=True, slots=True)
class Ended:
    """A session that has ended: what `end_session` is called with."""

    node: int
    kept: frozenset[int] | None
    blaming: bool
    only: str | None = None


def judge(records: Records, listening: float) -> tuple[list[int], list[int], list[Ended]]:
    """Return the nodes that are silent from now on, those that are heard again, and the sessions that have ended.

    `listening` is for how many seconds the caller has been able to hear. Nodes that are not trusted are silent, whatever
    their agents say.
    """
    signs = [replace(sign, silence=min(sign.silence, listening)) for sign in records.signs()]
    silent = [sign.node for sign in signs if not sign.marked and _is_silent(sign)]
    back = [sign.node for sign in signs if sign.marked and not _is_silent(sign)]
    lost = {sign.node: sign.silence for sign in signs if sign.silence > LOST}
    ended = _given_up(lost, records.patience(lost)) if lost else []
    ended += [Ended(node, None, listening > LOST) for node in records.nodes_outlived()]
    ended += [Ended(sign.node, frozenset(), blaming=False, only=sign.session) for sign in signs if sign.left]
    return silent, back, ended


def watch(records: Records, *, listening: float, epoch: int) -> None:
    """Mark nodes silent or heard again, and end sessions that were silent for too long, replaced, or ended by their agent."""
    silent, back, ended = judge(records, listening)
    mark(records, silent, epoch=epoch, silent=True)
    mark(records, back, epoch=epoch, silent=False)
    for each in ended:
        end_session(records, each.node, epoch=epoch, kept=each.kept, blaming=each.blaming, only=each.only)


def _is_silent(sign: Sign) -> bool:
    return sign.silence > SILENT or not sign.trusted


def _given_up(lost: Mapping[int, float], listed: Iterable[Patience]) -> list[Ended]:
    """Return the sessions that have something to give up, with the stages of jobs that wait longer for a node."""
    kept: dict[int, set[int]] = {node: set() for node in lost}
    impatient: dict[int, int] = dict.fromkeys(lost, 0)
    patient: dict[int, int] = dict.fromkeys(lost, 0)
    for each in listed:
        waits = each.grace is not None and lost[each.node] <= each.grace + MARGIN
        (patient if waits else impatient)[each.node] += 1
        if waits:
            kept[each.node].add(each.stage)
    over = [node for node in sorted(lost) if impatient[node] or not patient[node]]
    return [Ended(node, frozenset(kept[node]), blaming=True) for node in over]


def end_session(
    records: Records,
    node: int,
    *,
    epoch: int,
    kept: frozenset[int] | None,
    blaming: bool,
    only: str | None = None,
    jobs: Collection[UUID] | None = None,
) -> None:
    """Give up what stands on the node's list, but for the stages that are `kept`; without any the node has no session.

    With None for `kept`, the node has another session by now, and what stands there from older ones is given up.
    `blaming` says whether the loss may be the tasks' fault: not after an outage of the control plane. With `only`,
    nothing is done if the node has another session by now; with `jobs`, nothing of any other is given up.
    """
    with records.transaction():
        work = UnitOfWork(records, records.ask_lease(epoch)())
        session, _ = records.ask_sessions([node])()[node]
        if only is not None and session != only:
            return
        if session and kept is not None and not kept:
            records.end_session(node)
            kind, text = ("node_left", "The agent has left.") if only else ("node_lost", "The node was silent for too long.")
            work.told.append(Told(kind, text, node=node))
        work.read_lists([node])
        stages = {stage for stage, job in records.on_list(node) if jobs is None or job in jobs}
        listed = [a for a in work.lists[node] if a.stage in stages]
        gone = [a for a in listed if (a.session != session if kept is None else a.stage not in kept)]
        _give_up(work, node, gone, blaming=blaming)


def give_up(records: Records, node: int, session: str, missing: Mapping[tuple[int, int], IndexSet], *, epoch: int) -> None:
    """Give up tasks, by stage and attempt, that a session's agent does not have although they stand on its list."""
    with records.transaction():
        work = UnitOfWork(records, records.ask_lease(epoch)())
        if records.ask_sessions([node])().get(node, ("", 0))[0] != session:
            return
        work.read_lists([node])
        parts = [(a, a.listed & missing.get((a.stage, a.attempt), IndexSet())) for a in work.lists[node]]
        gone = [replace(a, listed=part, started=a.started & part) for a, part in parts if part and a.session == session]
        count = sum(len(assignment.listed) for assignment in gone)
        if not count:
            return
        text = f"The agent does not have {count:,} of the tasks on its list any more; they are placed again."
        work.told.append(Told("node_differs", text, node=node))
        _give_up(work, node, gone, blaming=False)


def mark(records: Records, nodes: Sequence[int], *, epoch: int, silent: bool) -> None:
    """Turn the tasks of silent nodes RECONCILING, and back when they are heard again."""
    if not nodes:
        return
    with records.transaction():
        work = UnitOfWork(records, records.ask_lease(epoch)())
        records.write_silent(nodes, silent=silent)
        kind, text = ("node_silent", "The node is silent.") if silent else ("node_back", "The node is heard again.")
        work.told += [Told(kind, text, node=id_) for id_ in nodes]
        work.read_lists(nodes)
        assignments = [a for entries in work.lists.values() for a in entries if not a.recalled]
        work.lock_stages(a.stage for a in assignments)
        for assignment in assignments:
            _reconcile(work, assignment, silent=silent)
        work.write()


def _reconcile(work: UnitOfWork, assignment: AssignmentRow, *, silent: bool) -> None:
    for state, indexes in (
        (TaskState.RUNNING, assignment.started),
        (TaskState.SCHEDULED, assignment.listed - assignment.started),
    ):
        before, after = (state, TaskState.RECONCILING) if silent else (TaskState.RECONCILING, state)
        for moved in work.records.reconcile(assignment.node, assignment.stage, indexes, before, after):
            work.stages[moved.stage].move(moved.before, moved.after, moved.indexes)


def _give_up(work: UnitOfWork, node: int, gone: list[AssignmentRow], *, blaming: bool) -> None:
    work.lock_stages(assignment.stage for assignment in gone)
    moves = _lose(work, gone, blaming=blaming)
    for moved in moves:
        work.stages[moved.stage].move(moved.before, moved.after, moved.indexes)
        if moved.after == TaskState.CREATED:
            work.stages[moved.stage].spend(moved.indexes)
        if moved.after == TaskState.FAILED:
            _quarantine(work, moved)
    _tell(work, node, moves)
    work.records.write_ends(_ends(node, gone, moves))
    for assignment in gone:
        work.drop(node, assignment.stage, assignment.listed)
    gangs.mend(work)
    settling.settle(work, moves)
    buffering.let_through(work)
    work.promote(node)
    work.write()


def _lose(work: UnitOfWork, gone: list[AssignmentRow], *, blaming: bool) -> list[Move]:
    """Write the loss of all attempts on these assignments: they may have begun, so that their numbers are spent."""
    begun = [(a.node, a.stage, low, high) for a in gone for low, high in a.started.ranges]
    poison = quarantine.last_chances(work.records, begun) if blaming and begun else {}
    lost = [
        Lost(a.node, a.stage, low, high, int(blaming and blamed), after)
        for a in gone
        for blamed, after, indexes in _fates(work, a, poison.get(a.stage, IndexSet()))
        for low, high in indexes.ranges
    ]
    return work.records.lose(lost) if lost else []


def _fates(work: UnitOfWork, gone: AssignmentRow, poison: IndexSet) -> list[tuple[bool, TaskState, IndexSet]]:
    """Say which tasks had begun, and how they all go on."""
    stops = work.job_of(gone.stage).stopping or work.stages[gone.stage].broken
    again = TaskState.CANCELED if stops else TaskState.CREATED
    quarantined = IndexSet() if stops else poison & gone.started
    return [
        (True, TaskState.FAILED, quarantined),
        (True, again, gone.started - quarantined),
        (False, again, gone.listed - gone.started),
    ]


def _tell(work: UnitOfWork, node: int, moves: Iterable[Move]) -> None:
    for kind, after in ((events.LOST, TaskState.CREATED), (events.QUARANTINED, TaskState.FAILED)):
        counted = Counter({m.stage: 0 for m in moves})
        for moved in moves:
            counted[moved.stage] += len(moved.indexes) if moved.after == after else 0
        work.told += events.of_tasks(kind, {(work.stages[id_], ""): n for id_, n in counted.items() if n}, node)


def _ends(node: int, gone: Iterable[AssignmentRow], moves: Iterable[Move]) -> Ends:
    """Return how many attempts that had begun were lost, but for those that were to end anyway."""
    begun = {(a.stage, a.entry): a.started for a in gone}
    ends: Ends = Counter()
    for moved in moves:
        if moved.after != TaskState.CANCELED:
            lost = sum(len(started & moved.indexes) for (stage, _), started in begun.items() if stage == moved.stage)
            ends[node, moved.stage, Failure(ExitClass.LOST)] += lost
    return ends


def _quarantine(work: UnitOfWork, moved: Move) -> None:
    """Note on the job which of its tasks are not tried again."""
    job = work.job_of(moved.stage)
    job.failures, job.changed = job.failures + len(moved.indexes), True
    if job.failures > job.max_failures:
        job.fail(quarantine.reason(work.stages[moved.stage].name, moved.indexes))

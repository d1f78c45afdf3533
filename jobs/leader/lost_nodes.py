"""Silent nodes, nodes declared dead, and ended sessions: what becomes of their tasks.

Silence is judged by the database's clock and never longer than this leader has been listening: a takeover, a restart of
the database or a stall gives every node its full time again.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from uuid import UUID

from django.db import transaction

from database import rows
from jobs.leader import gangs, lease
from jobs.leader.bisect import hold, isolate_jobs
from jobs.lifecycle import buffering, quarantine, settling
from jobs.store import events as job_events
from jobs.store.tables import AssignmentRow
from jobs.store.transitions import RANGE, Move, move
from jobs.store.work import Board
from jobs.telemetry import outcomes
from jobs.telemetry.outcomes import Ends
from nodes import events, generations, oversold
from nodes.conditions import BROKER_AWAY, DEAF, HEARD, OVERSOLD
from nodes.trust import TRUSTED, note_untrusted
from switchyard.scheduling.indexes import IndexSet
from switchyard.scheduling.lifecycle.states import LISTED, TaskState
from switchyard.scheduling.retry import ExitClass, Failure

#: Seconds of silence after which a node is OFFLINE, and after which its session has ended.
SILENT = 30.0
LOST = generations.LOST
#: What agents say that have gone for good, with nothing left to tell, or whose session was ended (nodes.departure): all of
#: their processes have ended, so that what they had may run elsewhere at once. Of others that is known after LOST alone.
LEFT = """figures @> '{"left": true}'"""
#: Seconds by which a node's own fence comes earlier.
MARGIN = 15.0


def hear(nodes: Iterable[tuple[int, str, str]]) -> set[str]:
    """Note signs of life that came by the broker, given as (node, session, figures as JSON text).

    Return the sessions that are their nodes'. An agent of any other must not be told that it is heard: it is to register.
    """
    values = rows.columns(nodes, 3)
    rows.execute("DELETE FROM nodes_condition WHERE name = %s AND node_id = ANY(%s::bigint[])", [BROKER_AWAY, values[0]])
    heard = rows.fetch(
        f"""UPDATE nodes_node n SET heard_at = now(),
            figures = CASE WHEN n.{LEFT} THEN n.figures ELSE c.figures::jsonb END
        FROM unnest(%s::bigint[], %s::text[], %s::text[]) AS c(id, session, figures)
        WHERE n.id = c.id AND n.session = c.session AND {TRUSTED} RETURNING n.session""",
        values,
    )
    return {session for (session,) in heard}


def watch_nodes(*, listening: float, epoch: int) -> None:
    """Mark nodes silent or heard again, and end sessions that were silent for too long, replaced, or ended by their agent.

    Nodes that are not trusted any more (nodes.trust) are silent from then on, whatever their agents say.
    `listening` is for how many seconds the caller has been able to hear.
    """
    heard = "least(extract(epoch FROM now() - heard_at), %s)"
    silent = rows.fetch(
        f"SELECT id FROM nodes_node n WHERE silent_since IS NULL AND session <> '' AND ({heard} > %s OR NOT {TRUSTED})",
        [listening, SILENT],
    )
    back = rows.fetch(
        f"SELECT id FROM nodes_node n WHERE silent_since IS NOT NULL AND session <> '' AND {heard} <= %s AND {TRUSTED}",
        [listening, SILENT],
    )
    note_untrusted()
    lost = _lost(listening)
    left = rows.fetch(
        "SELECT DISTINCT a.node_id FROM jobs_assignment a JOIN nodes_node n ON n.id = a.node_id "
        "JOIN jobs_stage s ON s.id = a.stage_id JOIN jobs_job j ON j.id = s.job_id "
        "WHERE a.session <> n.session AND j.held_reason = ''"
    )
    _mark([id_ for (id_,) in silent], epoch, silent=True)
    _mark([id_ for (id_,) in back], epoch, silent=False)
    for node, kept in lost:
        _end(node, epoch=epoch, kept=frozenset(kept), blaming=listening > LOST)
    for (node,) in left:
        _end(node, epoch=epoch, kept=None, blaming=listening > LOST)
    for node, session in rows.fetch(f"SELECT id, session FROM nodes_node WHERE session <> '' AND {LEFT}"):
        _end(node, epoch=epoch, kept=frozenset(), blaming=False, only=session)


def _end(node: int, *, epoch: int, kept: frozenset[int] | None, blaming: bool, only: str | None = None) -> None:
    """End a session; a job of which nothing can be given up is held, and its tasks stay on the list meanwhile."""
    isolate_jobs(
        lambda jobs: end_session(node, epoch=epoch, kept=kept, blaming=blaming, only=only, jobs=jobs),
        lambda: sorted({job for _, job in _on_list(node)}),
        hold,
    )


def _on_list(node: int) -> list[tuple[int, UUID]]:
    """Return the stages on a node's list, each with its job, but for those of jobs that are held."""
    found: list[tuple[int, UUID]] = rows.fetch(
        "SELECT DISTINCT s.id, s.job_id FROM jobs_assignment a JOIN jobs_stage s ON s.id = a.stage_id "
        "JOIN jobs_job j ON j.id = s.job_id WHERE a.node_id = %s AND j.held_reason = ''",
        [node],
    )
    return found


def _lost(listening: float) -> list[tuple[int, list[int]]]:
    """Return the nodes with something to give up, and the stages to keep: those of jobs that wait longer for a node."""
    found: list[tuple[int, list[int]]] = rows.fetch(
        """SELECT id, coalesce(array_agg(DISTINCT stage) FILTER (WHERE silence <= patience), '{}') FROM (
            SELECT n.id, a.stage_id AS stage, least(extract(epoch FROM now() - n.heard_at), %s) AS silence,
                coalesce((j.spec ->> 'disconnect_grace')::float8 + %s, 0) AS patience
            FROM nodes_node n LEFT JOIN jobs_assignment a ON a.node_id = n.id AND a.session = n.session
            LEFT JOIN jobs_stage s ON s.id = a.stage_id LEFT JOIN jobs_job j ON j.id = s.job_id WHERE n.session <> ''
        ) listed WHERE silence > %s GROUP BY id HAVING bool_or(silence > patience) ORDER BY id""",
        [listening, MARGIN, LOST],
    )
    return found


def end_session(
    node: int,
    *,
    epoch: int,
    kept: frozenset[int] | None,
    blaming: bool,
    only: str | None = None,
    jobs: Sequence[UUID] | None = None,
) -> None:
    """Give up what stands on the node's list, but for the stages that are `kept`; without any the node has no session.

    With None for `kept`, the node has another session by now, and what stands there from older ones is given up.
    `blaming` says whether the loss may be the tasks' fault: not after an outage of the control plane. With `only`,
    nothing is done if the node has another session by now; with `jobs`, nothing of any other is given up.
    """
    with transaction.atomic():
        lease.check(epoch)
        ((session,),) = rows.fetch("SELECT session FROM nodes_node WHERE id = %s FOR NO KEY UPDATE", [node])
        if only is not None and session != only:
            return
        if session and kept is not None and not kept:
            rows.execute("UPDATE nodes_node SET session = '', deaf_since = NULL WHERE id = %s", [node])
            names = [BROKER_AWAY, DEAF, OVERSOLD, *HEARD]
            rows.execute("DELETE FROM nodes_condition WHERE name = ANY(%s) AND node_id = %s", [names, node])
            oversold.note_left(node)
            kind, text = ("node_left", "The agent has left.") if only else ("node_lost", "The node was silent for too long.")
            events.record([events.Told(kind, text, node=node)])
        board = Board()
        board.read_lists([node])
        stages = {stage for stage, job in _on_list(node) if jobs is None or job in jobs}
        listed = [a for a in board.lists[node] if a.stage in stages]
        gone = [a for a in listed if (a.session != session if kept is None else a.stage not in kept)]
        _give_up(board, node, gone, blaming=blaming)


def give_up(node: int, session: str, missing: Mapping[tuple[int, int], IndexSet], *, epoch: int) -> None:
    """Give up tasks, by stage and attempt, that a session's agent does not have although they stand on its list."""
    with transaction.atomic():
        lease.check(epoch)
        if rows.fetch("SELECT session FROM nodes_node WHERE id = %s FOR NO KEY UPDATE", [node]) != [(session,)]:
            return
        board = Board()
        board.read_lists([node])
        parts = [(a, a.listed & missing.get((a.stage, a.attempt), IndexSet())) for a in board.lists[node]]
        gone = [replace(a, listed=part, started=a.started & part) for a, part in parts if part and a.session == session]
        count = sum(len(assignment.listed) for assignment in gone)
        if not count:
            return
        text = f"The agent does not have {count:,} of the tasks on its list any more; they are placed again."
        events.record([events.Told("node_differs", text, node=node)])
        _give_up(board, node, gone, blaming=False)


def _give_up(board: Board, node: int, gone: list[AssignmentRow], *, blaming: bool) -> None:
    board.lock_stages(assignment.stage for assignment in gone)
    moves = _lose(board, gone, blaming=blaming)
    for moved in moves:
        board.stages[moved.stage].move(moved.before, moved.after, moved.indexes)
        if moved.after == TaskState.CREATED:
            board.stages[moved.stage].spend(moved.indexes)
        if moved.after == TaskState.FAILED:
            _quarantine(board, moved)
    _tell(board, node, moves)
    outcomes.write(_ends(node, gone, moves))
    for assignment in gone:
        board.drop(node, assignment.stage, assignment.listed)
    gangs.mend(board)
    settling.settle(board, moves)
    buffering.let_through(board)
    board.promote(node)
    board.write()


def _lose(board: Board, gone: list[AssignmentRow], *, blaming: bool) -> list[Move]:
    """Write the loss of all attempts on these assignments: they may have begun, so that their numbers are spent."""
    begun = [(a.node, a.stage, low, high) for a in gone for low, high in a.started.ranges]
    poison = quarantine.last_chances(begun) if blaming and begun else {}
    told = [
        (a.node, a.stage, low, high, int(blaming and blamed), int(after))
        for a in gone
        for blamed, after, indexes in _fates(board, a, poison.get(a.stage, IndexSet()))
        for low, high in indexes.ranges
    ]
    if not told:
        return []
    names = ("nodes", "stages", "lows", "highs", "losses", "afters")
    return move(
        "unnest(%(nodes)s::bigint[], %(stages)s::bigint[], %(lows)s::int[], %(highs)s::int[], %(losses)s::int[], "
        "%(afters)s::smallint[]) AS told(node_id, stage_id, low, high, losses, after)",
        f"{RANGE} AND o.node_id = told.node_id",
        """losses = t.losses + found.losses, exit_class = 'lost', error = 'the node was lost',
            ended_at = greatest(t.started_at, t.scheduled_at, now()), not_before = NULL, state = found.after""",
        LISTED,
        dict(zip(names, rows.columns(told, 6), strict=True)),
    )


def _fates(board: Board, gone: AssignmentRow, poison: IndexSet) -> list[tuple[bool, TaskState, IndexSet]]:
    """Say which tasks had begun, and how they all go on."""
    stops = board.job_of(gone.stage).stopping or board.stages[gone.stage].broken
    again = TaskState.CANCELED if stops else TaskState.CREATED
    quarantined = IndexSet() if stops else poison & gone.started
    return [
        (True, TaskState.FAILED, quarantined),
        (True, again, gone.started - quarantined),
        (False, again, gone.listed - gone.started),
    ]


def _tell(board: Board, node: int, moves: Iterable[Move]) -> None:
    for kind, after in ((job_events.LOST, TaskState.CREATED), (job_events.QUARANTINED, TaskState.FAILED)):
        counted = Counter({m.stage: 0 for m in moves})
        for moved in moves:
            counted[moved.stage] += len(moved.indexes) if moved.after == after else 0
        board.told += job_events.of_tasks(kind, {(board.stages[id_], ""): n for id_, n in counted.items() if n}, node)


def _ends(node: int, gone: Iterable[AssignmentRow], moves: Iterable[Move]) -> Ends:
    """Return how many attempts that had begun were lost, but for those that were to end anyway."""
    begun = {(a.stage, a.entry): a.started for a in gone}
    ends: Ends = Counter()
    for moved in moves:
        if moved.after != TaskState.CANCELED:
            lost = sum(len(started & moved.indexes) for (stage, _), started in begun.items() if stage == moved.stage)
            ends[node, moved.stage, Failure(ExitClass.LOST)] += lost
    return ends


def _quarantine(board: Board, moved: Move) -> None:
    """Note on the job which of its tasks are not tried again."""
    job = board.job_of(moved.stage)
    job.failures, job.changed = job.failures + len(moved.indexes), True
    if job.failures > job.max_failures:
        job.fail(quarantine.reason(board.stages[moved.stage].name, moved.indexes))


def _mark(nodes: list[int], epoch: int, *, silent: bool) -> None:
    """Turn the tasks of silent nodes RECONCILING, and back when they are heard again."""
    if not nodes:
        return
    with transaction.atomic():
        lease.check(epoch)
        rows.execute(
            "UPDATE nodes_node SET silent_since = CASE WHEN %s THEN coalesce(silent_since, now()) END WHERE id = ANY(%s)",
            [silent, nodes],
        )
        kind, text = ("node_silent", "The node is silent.") if silent else ("node_back", "The node is heard again.")
        events.record(events.Told(kind, text, node=id_) for id_ in nodes)
        board = Board()
        board.read_lists(nodes)
        assignments = [a for entries in board.lists.values() for a in entries if not a.recalled]
        board.lock_stages(a.stage for a in assignments)
        for assignment in assignments:
            _reconcile(board, assignment, silent=silent)
        board.write()


def _reconcile(board: Board, assignment: AssignmentRow, *, silent: bool) -> None:
    for state, indexes in (
        (TaskState.RUNNING, assignment.started),
        (TaskState.SCHEDULED, assignment.listed - assignment.started),
    ):
        before, after = (state, TaskState.RECONCILING) if silent else (TaskState.RECONCILING, state)
        lows, highs = rows.columns(indexes.ranges, 2)
        moves = move(
            "unnest(%(lows)s::int[], %(highs)s::int[]) AS told(low, high)",
            "o.stage_id = %(stage)s AND o.index >= told.low AND o.index < told.high AND o.node_id = %(node)s",
            "state = %(after)s",
            frozenset({before}),
            {"lows": lows, "highs": highs, "stage": assignment.stage, "node": assignment.node, "after": int(after)},
        )
        for moved in moves:
            board.stages[moved.stage].move(moved.before, moved.after, moved.indexes)

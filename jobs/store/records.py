"""The adapter of the rules' port to PostgreSQL."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from uuid import UUID

from django.db import transaction

from database import rows
from jobs.store import (
    expansion,
    graph,
    held_lease,
    jobs,
    live,
    lost_nodes,
    operations,
    reported,
    reuse,
    rounds,
    tasks,
    writes,
)
from jobs.store.tables import read_constraints
from jobs.telemetry import outcomes
from nodes import events, selectors
from nodes.trust import TRUSTED
from switchyard.scheduling.cluster import NodeView
from switchyard.scheduling.lifecycle.records import Answer, Changes
from switchyard.scheduling.lifecycle.reports import Report
from switchyard.scheduling.lifecycle.rows import AssignmentRow, StageRow
from switchyard.scheduling.spec.types import Constraint


class SqlRecords:
    """Jobs, stages, tasks, lists and nodes as PostgreSQL has them. The time of a transaction is the database's."""

    together = staticmethod(rows.together)
    ask_lease = staticmethod(held_lease.ask)
    ask_stages = staticmethod(graph.ask_stages)
    ask_lists = staticmethod(graph.ask_lists)
    ask_consumers = staticmethod(graph.ask_consumers)
    pointwise_needs = staticmethod(graph.pointwise_needs)
    pointwise_producers = staticmethod(graph.pointwise_producers)
    gangs = staticmethod(graph.gangs)
    buffers = staticmethod(graph.buffers)
    listed = staticmethod(graph.listed)
    nodes_listing = staticmethod(graph.nodes_listing)
    nodes_recalled = staticmethod(graph.nodes_recalled)
    suspending = staticmethod(graph.suspending)
    stopping_jobs = staticmethod(graph.stopping_jobs)
    open_stages = staticmethod(graph.open_stages)
    needs = staticmethod(graph.needs)
    let_through = staticmethod(graph.let_through)
    write_let_through = staticmethod(graph.write_let_through)
    write_avoided = staticmethod(graph.write_avoided)
    canceled = staticmethod(tasks.canceled)
    cancel_created = staticmethod(tasks.cancel_created)
    cancel_listed = staticmethod(tasks.cancel_listed)
    renew = staticmethod(tasks.renew)
    exposed = staticmethod(tasks.exposed)
    current = staticmethod(reported.current)
    running = staticmethod(reported.running)
    finish = staticmethod(reported.finish)
    end = staticmethod(reported.end)
    give_back = staticmethod(reported.give_back)
    start = staticmethod(reported.start)
    update = staticmethod(live.write_updates)

    lock_jobs = staticmethod(jobs.lock_jobs)
    deadlines = staticmethod(jobs.deadlines)
    release = staticmethod(jobs.release)
    note_suspended = staticmethod(jobs.note_suspended)
    note_resumed = staticmethod(jobs.note_resumed)
    request_operation = staticmethod(operations.request)
    open_operations = staticmethod(operations.in_progress)
    end_operations = staticmethod(operations.end)
    is_listed = staticmethod(jobs.is_listed)
    cancel_rest = staticmethod(jobs.cancel_rest)
    before = staticmethod(reuse.before)
    stage_ids = staticmethod(reuse.stage_ids)
    copy_items = staticmethod(reuse.copy_items)
    copy_finished = staticmethod(reuse.copy_finished)
    write_reused = staticmethod(reuse.write_reused)

    ask_switches = staticmethod(selectors.ask_switches)
    ask_nodes = staticmethod(selectors.ask_nodes)
    ask_resources = staticmethod(rounds.ask_resources)
    ask_waiting = staticmethod(rounds.ask_waiting)
    candidates = staticmethod(rounds.candidates)
    shares = staticmethod(rounds.shares)
    live_jobs = staticmethod(rounds.live_jobs)
    ask_unready = staticmethod(rounds.ask_unready)
    ask_edges = staticmethod(rounds.ask_edges)
    stage = staticmethod(rounds.stage)
    write_entries = staticmethod(rounds.write_entries)
    write_refusals = staticmethod(rounds.write_refusals)
    attempts = staticmethod(tasks.attempts)
    archive = staticmethod(tasks.archive)

    signs = staticmethod(lost_nodes.signs)
    patience = staticmethod(lost_nodes.patience)
    nodes_outlived = staticmethod(lost_nodes.nodes_outlived)
    on_list = staticmethod(lost_nodes.on_list)
    due = staticmethod(lost_nodes.due)
    not_before = staticmethod(lost_nodes.not_before)
    end_session = staticmethod(lost_nodes.end_session)
    lose = staticmethod(lost_nodes.lose)
    reconcile = staticmethod(lost_nodes.reconcile)
    write_silent = staticmethod(lost_nodes.write_silent)
    write_ends = staticmethod(outcomes.write)

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Keep all that is written meanwhile, or nothing of it where an error is raised."""
        with transaction.atomic():
            yield

    def ask_sessions(self, nodes: Collection[int]) -> Answer[dict[int, tuple[str, int]]]:
        """Lock nodes in the order of their ids, and return the session and the last report of each."""
        asked = rows.execute(
            "SELECT id, session, last_report FROM nodes_node WHERE id = ANY(%s) ORDER BY id FOR NO KEY UPDATE", [list(nodes)]
        )
        return lambda: {node: (session, number) for node, session, number in asked.fetchall()}

    def views(self) -> list[NodeView]:
        """Return the registered nodes."""
        return selectors.ask_views()()

    def requirements(self, job: UUID) -> tuple[str, tuple[Constraint, ...]]:
        """Return a job's pool and its constraints on nodes."""
        ((pool, stored),) = rows.fetch("SELECT pool, spec -> 'constraints' FROM jobs_job WHERE id = %s", [job])
        return pool, read_constraints(stored)

    def make_tasks(self, stage: StageRow, known: Mapping[int, StageRow], *, draining: bool) -> int:
        """Make the tasks of a stage that runs over another's results, and return how many; raise NotItems if it cannot."""
        return expansion.expand(stage, known, draining=draining)

    def write_numbers(self, reports: Collection[Report]) -> None:
        """Write which report of each node was the last."""
        rows.execute(
            "UPDATE nodes_node n SET last_report = c.number, "
            f"heard_at = CASE WHEN {TRUSTED} THEN now() ELSE n.heard_at END, "
            "settled_at = CASE WHEN c.pause > n.confirmed_pause THEN now() ELSE n.settled_at END, "
            "confirmed_pause = greatest(n.confirmed_pause, c.pause) "
            "FROM unnest(%s::bigint[], %s::bigint[], %s::bigint[]) AS c(id, number, pause) WHERE n.id = c.id",
            rows.columns([(report.node, report.number, report.pause) for report in reports], 3),
        )

    def schedule(self, assignments: Sequence[AssignmentRow]) -> None:
        """Move CREATED tasks of new assignments to SCHEDULED, on their nodes."""
        if assignments:
            tasks.schedule(assignments)

    def write(self, changes: Changes) -> None:
        """Write what a unit of work changed, in one round trip; new assignments get their ids."""
        with rows.together():
            writes.write_stages(changes.stages)
            writes.write_jobs(changes.jobs)
            events.record(changes.events)
            writes.write_assignments(changes.assignments)
            writes.delete_assignments(changes.gone)
            writes.write_rooms(changes.rooms)
            writes.insert_assignments(changes.placed)


RECORDS = SqlRecords()

"""A round of placement in one transaction, whatever the number of tasks."""

import json
from collections.abc import Callable, Iterable, Sequence
from typing import Any
from uuid import UUID

from switchyard.scheduling.lifecycle import candidates, targets
from switchyard.scheduling.lifecycle.memo import Memo
from switchyard.scheduling.lifecycle.records import Answer, Records
from switchyard.scheduling.lifecycle.rounds import Filling, Round
from switchyard.scheduling.lifecycle.rows import AssignmentRow, Candidate
from switchyard.scheduling.lifecycle.work import UnitOfWork
from switchyard.scheduling.plan import Policy

#: Asks what the nodes of new assignments must be told of their stages.
Ask = Callable[[Sequence[AssignmentRow]], Answer[dict[int, Any]]]


def place(records: Records, memo: Memo, *, epoch: int, at: float, ask: Ask, jobs: Sequence[UUID] | None = None) -> Round:
    """Place ready tasks, only of these jobs where any are given; `at` is the time by the leader's own clock, in seconds."""
    done = Round()
    limit = memo.stages_to_look_at(at)
    # Read before the transaction, which most turns then do without: from CREATED, only this leader moves tasks.
    found = candidates.read(records, jobs, limit, memo.fronts)
    if not found and not memo.followed:
        return done
    with records.transaction():
        with records.together():
            leads, switching, asked = records.ask_lease(epoch), records.ask_switches(), records.ask_nodes()
            resources, waiting = records.ask_resources(), records.ask_waiting()
            work, switches = UnitOfWork(records, leads()), switching()
            if switches.paused:
                return done
            nodes, lists = asked(), waiting()
            work.take_rooms(resources())
        fronts = targets.fronts(nodes, switches)
        if fronts != memo.fronts:
            memo.fronts = fronts
            found = candidates.read(records, jobs, limit, fronts)
        granted = targets.NO_TARGETS
        if pools := targets.limiting_pools(nodes, switches):
            granted = targets.limited(records, pools, switches, targets.capacities(nodes, work.rooms))
            found = candidates.read(records, jobs, limit, fronts, granted.turns)
        found = targets.in_turn(found, granted, switches)
        filling = Filling(work, nodes, lists, granted, Policy(placement=switches.strategy), memo, done)
        filling.run(found)
        with records.together():
            records.schedule(done.assignments)
            records.write_entries([filling.nodes[node] for node in {assignment.node for assignment in done.assignments}])
            if memo.refusals_due(at):
                _write_refusals(records, memo, done, found)
            described = ask(done.assignments)
            work.write()
            done.described = described()
    done.more = done.more or memo.looked_at(len(found), limit, spare=filling.spare)
    return done


def _write_refusals(records: Records, memo: Memo, done: Round, looked_at: Iterable[Candidate]) -> None:
    """Store why stages wait, where that has changed; a stage that waits no more has no refusal."""
    told = {stage: json.dumps(refusal.to_dict()) for stage, refusal in done.refused.items()}
    changed = [
        (candidate.stage.id, told.get(candidate.stage.id))
        for candidate in looked_at
        if memo.refusals.get(candidate.stage.id) != told.get(candidate.stage.id)
    ]
    memo.refusals = told
    if changed:
        records.write_refusals(changed)

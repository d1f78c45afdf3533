"""Place tasks: run a round of the rules on the rows, so that a job that breaks it blocks no other."""

from uuid import UUID

from database import rows
from jobs.leader.bisect import hold, isolate_jobs
from jobs.leader.memory import Memory
from jobs.store.records import RECORDS
from switchyard.scheduling.lifecycle import placing
from switchyard.scheduling.lifecycle.placing import Ask
from switchyard.scheduling.lifecycle.rounds import Round
from switchyard.scheduling.lifecycle.states import JOB_STARTABLE

STARTABLE_JOBS = "SELECT id FROM jobs_job WHERE ended_at IS NULL AND state = ANY(%s) AND held_reason = '' ORDER BY number"


def place_pending(memory: Memory, *, epoch: int, at: float, ask: Ask) -> Round:
    """Place as many ready tasks as there is room for, and fill the lists of the nodes; `ask` how to tell agents of them.

    `at` is the time by the leader's own clock. A job that makes this fail is held with the reason, and the others are
    placed without it.
    """

    def startable() -> list[UUID]:
        # One of these may be what fails; tried with each of the others, it would have all of them held.
        memory.followed = set()
        return [id_ for (id_,) in rows.fetch(STARTABLE_JOBS, [[int(state) for state in JOB_STARTABLE]])]

    rounds = isolate_jobs(
        lambda part: placing.place(RECORDS, memory, epoch=epoch, at=at, ask=ask, jobs=part), startable, hold
    )
    if len(rounds) == 1:
        return rounds[0]
    placed = [assignment for done in rounds for assignment in done.assignments]
    return Round(placed, described={stage: told for done in rounds for stage, told in done.described.items()})

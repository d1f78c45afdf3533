"""Candidates: the stages of which tasks may be placed now, in their turn."""

from collections.abc import Iterable, Mapping, Sequence
from uuid import UUID

from switchyard.scheduling.lifecycle.records import Records
from switchyard.scheduling.lifecycle.rows import Candidate, Front, Running

NO_TURNS: Mapping[UUID, int] = {}


def read(
    records: Records,
    jobs: Sequence[UUID] | None,
    limit: int,
    fronts: Sequence[Front],
    turns: Mapping[UUID, int] = NO_TURNS,
) -> list[Candidate]:
    """Return the first stages of jobs that may begin, or have begun; of these jobs alone, where any are given.

    Only where a type limits its jobs, its jobs are read, and the stages again without those of jobs that may not begin.
    """
    limited: set[int] = set()
    waiting: set[UUID] = set()
    while True:
        found = records.candidates(jobs, limit, fronts=fronts, turns=turns, without=waiting)
        limits = {each.kind: each.most for each in found if each.kind not in limited}
        over = waiting_for_type(records, limits)
        if not over & {each.stage.job_id for each in found}:
            return [each for each in found if each.stage.startable]
        limited |= limits.keys()
        waiting |= over


def waiting_for_type(records: Records, limits: Mapping[int, int | None]) -> set[UUID]:
    """Return the jobs that may not begin, as so many of their type may run at once; None is any number."""
    most = {kind: most for kind, most in limits.items() if most is not None}
    live = records.live_jobs(most) if most else []
    return {job for kind, limit in most.items() for job in _over([each for each in live if each.kind == kind], limit)}


def _over(live: Iterable[Running], most: int) -> set[UUID]:
    """Return the jobs of a type that may not begin, as so many of those that began, or were submitted before, are live."""
    jobs = list(live)
    return {
        job.id
        for job in jobs
        if not job.started and most <= sum(other.started or other.number < job.number for other in jobs)
    }

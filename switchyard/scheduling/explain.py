"""Explain: why is this stage not running? From plain facts to sentences, what blocks most first.

Gathers nothing and decides nothing: the caller reads the facts, and the refusal is what the last round
recorded.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from switchyard.scheduling.refusals import Refusal, Why, sentences

SHOWN_STAGES = SHOWN_NODES = 5
#: Within so long an agent begins what it may, and a round passes.
SOON = timedelta(seconds=2)
NOTHING = "Nothing keeps it from running: it is placed in the next round."


@dataclass(frozen=True, slots=True, kw_only=True)
class Listed:
    """Tasks of a stage that stand on a node's list and have not begun: `queued` without a hold, `due` with one."""

    node: str
    queued: int
    due: int
    since: datetime  #: when the first of them was placed
    fetching: str = ""  #: what the node's agent does for the stage, such as "fetches its inputs"
    silent_since: datetime | None = None

    def is_waiting(self, now: datetime) -> bool:
        """Return whether they wait for something, and were not just placed."""
        return bool(self.queued or self.fetching or self.silent_since is not None or now - self.since > SOON)


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What may keep a stage from running. A pause or a hold is its reason, perhaps empty, or None."""

    job_type: str
    scheduler_paused: str | None = None
    job_type_paused: str | None = None
    job_type_limit: int | None = None  #: set only while so many jobs of the type are running
    job_held: str | None = None
    job_suspended: str | None = None  #: by whom, since when and why
    waits_for: tuple[str, ...] = ()  #: names of unfinished stages whose results it needs
    held_back: int = 0  #: tasks that could run but for the results that wait to be taken
    held_by: tuple[str, ...] = ()  #: names of the stages that are to take them
    buffer: int = 0  #: how many results may wait
    gang_ending: int = 0  #: members that still run of a gang of which one did not go on
    retry_at: datetime | None = None  #: when the first of the tasks that wait for another attempt is due
    jobs_ahead: int = 0  #: waiting jobs of the pool that are served first
    target: str | None = None  #: what the algorithm of its pool grants its job, if it has as much
    listed: tuple[Listed, ...] = ()
    refusal: Refusal | None = None


def explain(facts: Facts, *, now: datetime) -> list[str]:
    """Return the reasons in the order in which they must go away; if there are none, say so."""
    return [
        *_pauses(facts),
        *_waits(facts, now),
        *_lists(facts, now),
        *(sentences(facts.refusal) if facts.refusal else ()),
        *_target(facts),
        *_queue(facts),
    ] or [NOTHING]


def _pauses(facts: Facts) -> Iterator[str]:
    if facts.scheduler_paused is not None:
        yield _because("The scheduler is paused", facts.scheduler_paused)
    if facts.job_type_paused is not None:
        yield _because(f"The job type {facts.job_type} is paused", facts.job_type_paused)
    if facts.job_held is not None:
        yield _because("The job is held", facts.job_held)
    if facts.job_suspended is not None:
        yield f"The job is suspended {facts.job_suspended.rstrip('.')}."
    if facts.job_type_limit is not None:
        limit = facts.job_type_limit
        yield f"The job type {facts.job_type} may run {limit:,} {_plural('job', limit)} at once, and does."


def _waits(facts: Facts, now: datetime) -> Iterator[str]:
    if facts.waits_for:
        names, more = facts.waits_for[:SHOWN_STAGES], len(facts.waits_for) - SHOWN_STAGES
        others = f" and {more:,} more" if more > 0 else ""
        yield f"It needs the results of {_plural('stage', len(facts.waits_for))} {', '.join(names)}{others}."
    if facts.held_back:
        tasks = f"{facts.held_back:,} {_plural('task', facts.held_back)} {'is' if facts.held_back == 1 else 'are'}"
        takers = ", ".join(facts.held_by[:SHOWN_STAGES])
        yield f"{tasks} held back: {takers} must take results first, of which {facts.buffer:,} may wait."
    if facts.gang_ending:
        verb = "is" if facts.gang_ending == 1 else "are"
        others = f"{facts.gang_ending:,} {_plural('member', facts.gang_ending)} {verb} still being ended for that"
        yield f"A member of the gang did not go on, so that all are tried again together; {others}."
    if facts.retry_at is not None and facts.retry_at > now:
        yield f"The next attempt is due in {_duration(facts.retry_at - now)}."


def _lists(facts: Facts, now: datetime) -> Iterator[str]:
    for listed in facts.listed[:SHOWN_NODES]:
        count = listed.queued + listed.due
        stand = f"{count:,} {_plural('task', count)} {'stands' if count == 1 else 'stand'} on the list of node {listed.node}"
        waited = now - listed.since
        if listed.silent_since is not None:
            yield f"{stand}, which has been silent for {_duration(now - listed.silent_since)}."
        elif listed.fetching:
            yield f"{stand}, which {listed.fetching.rstrip('.')}."
        elif waited > SOON and listed.due:
            yield f"{stand}, whose agent has not begun {'it' if count == 1 else 'them'} for {_duration(waited)}."
        elif listed.queued:
            yield f"{stand}, behind what runs there."
    if len(facts.listed) > SHOWN_NODES:
        yield f"So do others on {len(facts.listed) - SHOWN_NODES:,} more {_plural('node', len(facts.listed) - SHOWN_NODES)}."


def _target(facts: Facts) -> Iterator[str]:
    if facts.target and not (facts.refusal and any(reason.why is Why.TARGET for reason in facts.refusal.reasons)):
        yield f"The algorithm {facts.target}."


def _queue(facts: Facts) -> Iterator[str]:
    if facts.jobs_ahead and not (facts.refusal and facts.refusal.infeasible):
        verb = "is" if facts.jobs_ahead == 1 else "are"
        yield f"{facts.jobs_ahead:,} {_plural('job', facts.jobs_ahead)} of its pool {verb} served before it."


def _because(what: str, reason: str) -> str:
    return f"{what}: {reason.rstrip('.')}." if reason else f"{what}."


def _plural(noun: str, count: int) -> str:
    return noun if count == 1 else f"{noun}s"


def _duration(span: timedelta) -> str:
    seconds = max(1, round(span.total_seconds()))
    minutes, seconds_left = divmod(seconds, 60)
    hours, minutes_left = divmod(minutes, 60)
    if hours:
        return f"{hours:,} h {minutes_left} min"
    return f"{minutes} min {seconds_left} s" if minutes else f"{seconds} s"

"""What follows where agents do not have what stands on their lists: it is given up, and their nodes have conditions."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from functools import partial
from typing import Any
from uuid import UUID

import structlog

from database import rows
from jobs.leader import hangs, lost_nodes
from jobs.leader.bisect import isolate
from nodes import conditions, selectors
from switchyard.leader.reconciliation import Difference, Tasks
from switchyard.leader.turns import GIVE_UP
from switchyard.messaging.messages import Heartbeat

log = structlog.get_logger()


def act_on(found: Iterable[Difference]) -> list[Difference]:
    """Return the differences to act on, and log them.

    What agents lack of jobs of which nothing can be given up is left out: it is given up when they are released.
    """
    differences = list(found)
    jobs = _jobs_of(key for each in differences for key in each.missing)
    for each in differences:
        each.missing = {key: tasks for key, tasks in each.missing.items() if key[0] in jobs}
    lasting = [difference for difference in differences if difference.any]
    for difference in lasting:
        log.error("an agent does not have what stands on its list, or has more", **_counts(difference))
    return lasting


def give_up(difference: Difference, *, epoch: int) -> None:
    """Give up what an agent lacks. A job whose tasks cannot be given up is held with the reason."""
    by_job: dict[UUID, Tasks] = defaultdict(dict)
    jobs = _jobs_of(difference.missing)
    for key, tasks in difference.missing.items():
        if key[0] in jobs:
            by_job[jobs[key[0]]][key] = tasks

    def work(part: Sequence[UUID]) -> None:
        missing = {key: tasks for job in part for key, tasks in by_job[job].items()}
        lost_nodes.give_up(difference.node, difference.session, missing, epoch=epoch)

    if by_job:
        isolate(list(by_job), work, partial(hangs.bar, step=GIVE_UP))


def note_conditions(beats: Iterable[Heartbeat], lasting: Iterable[Difference]) -> None:
    """Set the conditions that follow from heartbeats and from what differs."""
    found: dict[int, dict[str, str]] = {beat.node: _wrong(beat) for beat in beats}
    whole = selectors.totals(list(found))
    for beat in beats:
        inventory = beat.figures.get("inventory")
        if inventory and not inventory["begun"] and {**whole[beat.node], **inventory["free"]} != whole[beat.node]:
            found[beat.node][conditions.ROOM] = f"It says that {inventory['free']} of {whole[beat.node]} is free."
    for each in lasting:
        counts = _counts(each)
        found[each.node][conditions.DIFFERS] = (
            f"{counts['missing']} tasks of its list it does not have: they are placed again. "
            f"{counts['extra']} tasks it has that are not on its list: it is told to end them."
        )
    conditions.note(found)


def _jobs_of(keys: Iterable[tuple[int, int]]) -> dict[int, UUID]:
    """Return the jobs of stages, but for those of which nothing can be given up."""
    stages = list({stage for stage, _ in keys})
    if not stages:
        return {}
    found = rows.fetch(
        f"SELECT s.id, s.job_id FROM jobs_stage s WHERE s.id = ANY(%s) AND NOT {hangs.BARRED}", [stages, GIVE_UP]
    )
    return dict(found)


def _wrong(beat: Heartbeat) -> dict[str, str]:
    stuck = (beat.figures.get("inventory") or {}).get("stuck", 0)
    wrong = (
        {conditions.STALLED: "Its loop has not turned for seconds; it takes no commands."}
        if beat.figures.get("stalled")
        else {}
    )
    if beat.figures.get("fault"):
        wrong[conditions.UNFIT] = str(beat.figures["fault"])
    return wrong | ({conditions.STUCK: f"{stuck} in the last 10 s; their tasks were given back."} if stuck else {})


def _counts(difference: Difference) -> dict[str, Any]:
    missing, extra = (sum(map(len, tasks.values())) for tasks in (difference.missing, difference.extra))
    return {"node": difference.node, "missing": missing, "extra": extra}

"""Runs of the campaign: work in flight, a fault, its end, and what must hold afterwards."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from random import Random

from django.db import DatabaseError, connection

from jobs.checks.invariants import violations
from jobs.models import Job
from nodes import reading
from nodes.models import NodeResource
from switchyard.scheduling.lifecycle.states import JOB_ENDS, JobState
from tests.campaign import faults
from tests.campaign.site import Site
from tests.flows.graphs import described, graph, wrong

#: Seconds within which all work ends after a fault is over, and all nodes are as before.
PATIENCE = 150
TASKS = 40
GRAPHS = 3
AGAIN = {"attempts": 3, "backoff": {"initial": 0.05}}


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a run went: seconds from the end of the fault to the end of all work, and what was wrong."""

    seconds: float
    wrong: list[str]


def run(site: Site, fault: str, agents: int, seed: int) -> Outcome:
    """Let one fault land on work in flight, and look at everything afterwards."""
    rng, marks = Random(seed), site.folder / f"marks{seed}"
    marks.mkdir()
    work = {"python": "tests.faults.work:interval", "parallelism": TASKS * agents, "args": [str(marks), 0.1]}
    graphs = [graph(rng, 1) for _ in range(GRAPHS)]
    jobs = [site.stack.submit({"work": work})]
    jobs += [site.stack.submit(described(stages), retry=AGAIN, max_failures=1000) for stages in graphs]
    site.stack.until((marks / "intervals").exists, "work is in flight")
    faults.FAULTS[fault](site, f"agent{rng.randrange(agents)}")
    over = time.monotonic()
    late = not _wait(lambda: _ended(jobs))
    seconds = time.monotonic() - over
    found = [f"not within {PATIENCE} s"] if late else []
    for job in jobs:
        job.refresh_from_db()
        if job.state != JobState.FINISHED:
            found.append(f"job {job.number} is {JobState(job.state).name}: {job.error}")
    for job, stages in zip(jobs[1:], graphs, strict=True):
        found += wrong(job, stages)
    found += [f"two at once: {path.name}" for path in marks.glob("overlap-*")]
    found += [str(violation) for violation in violations()]
    found += [] if late else _unsettled(agents)
    return Outcome(seconds, found)


def _unsettled(agents: int) -> list[str]:
    """Return what is not as before: nodes that are not READY, that something is wrong with, or that hold something."""

    def look() -> list[str]:
        nodes = reading.completed(list(reading.nodes()))
        found = [f"node {node['name']} is {node['state']}" for node in nodes if node["state"] != "READY"]
        found += [f"{each.node_id} holds {each.held} {each.name}" for each in NodeResource.objects.filter(held__gt=0)]
        found += [] if len(nodes) >= agents else ["a node is gone"]
        return found

    _wait(lambda: not look())
    return look()


def _ended(jobs: list[Job]) -> bool:
    return not Job.objects.filter(id__in=[job.id for job in jobs]).exclude(state__in=JOB_ENDS).exists()


def _wait(condition: Callable[[], bool]) -> bool:
    """Wait for a condition, however often the database is away meanwhile."""
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        try:
            if condition():
                return True
        except DatabaseError:
            connection.close()
        time.sleep(0.1)
    return False

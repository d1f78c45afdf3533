"""Check the invariants of the database while it is in use."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from jobs.checks.artifacts import wrongly_kept
from jobs.checks.audit import unaudited
from jobs.checks.invariants import Violation, violations
from jobs.checks.output import missing_output
from jobs.checks.waits import unexplained
from nodes import reading
from nodes.conditions import DIFFERS, ROOM, STALLED


class Command(BaseCommand):
    """Say what breaks an invariant; safe at any time, since it writes nothing."""

    help = "Check the invariants of jobs, tasks and nodes; exit with an error if one does not hold."

    def handle(self, *args: Any, **options: Any) -> None:
        found = [*violations(), *_said_by_agents(), *_not_stored(), *_of_people_and_waits(), *_of_artifacts()]
        for violation in found:
            self.stderr.write(f"{violation.invariant}: {violation.what}")
        if found:
            raise CommandError(f"{len(found)} violations")
        self.stdout.write("all invariants hold")


def _said_by_agents() -> list[Violation]:
    """Return what heartbeats say that does not fit: tasks that run in the database alone, or on a node alone."""
    wrong = (DIFFERS, ROOM, STALLED)
    return [
        Violation("I2 agents have what stands on their lists", f"{node['name']}: {each['title']}. {each['description']}")
        for node in reading.completed(list(reading.nodes()))
        for each in node["conditions"]
        if each["name"] in wrong
    ]


def _not_stored() -> list[Violation]:
    names = ("stage", "index", "attempt", "stream", "bytes reported", "bytes stored")
    return [Violation("I15 what tasks wrote is stored", str(dict(zip(names, row, strict=True)))) for row in missing_output()]


def _of_people_and_waits() -> list[Violation]:
    audited, waits = "I13 one audit row per change made by a person", "I2 what waits has a true cause"
    return [
        *(Violation(audited, what) for what in unaudited()),
        *(Violation(waits, what) for what in unexplained()),
    ]


def _of_artifacts() -> list[Violation]:
    what = "I16 an artifact is stored while it is referred to"
    return [Violation(what, wrong) for wrong in wrongly_kept(timezone.now())]

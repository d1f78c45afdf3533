"""Check the invariants in the database that is in use."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError

from jobs.invariants import violations


class Command(BaseCommand):
    """Say what breaks an invariant; safe at any time, since it reads one snapshot and writes nothing."""

    help = "Check the invariants of jobs, tasks and nodes; exit with an error if one does not hold."

    def handle(self, *args: Any, **options: Any) -> None:
        found = violations()
        for violation in found:
            self.stderr.write(f"{violation.invariant}: {violation.what}")
        if found:
            raise CommandError(f"{len(found)} violations")
        self.stdout.write("all invariants hold")

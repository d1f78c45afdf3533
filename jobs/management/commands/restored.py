"""Say that the database was restored from a backup: agents may know of things that it does not."""

from typing import Any

from django.core.management.base import BaseCommand
from django.db import transaction

from database import rows
from nodes import trusting

#: More leaders than there have been since any backup: a number is never given twice.
LEAP = 1_000_000


class Command(BaseCommand):
    """To be run after a restore, before or after the scheduler is started."""

    help = "After a restore of the database: have all agents end what runs, begin new sessions, and run it again."

    def handle(self, *args: Any, **options: Any) -> None:
        with transaction.atomic():
            trusting.refuse(None, "the database was restored.")
            rows.execute("UPDATE jobs_lease SET epoch = epoch + %s, expires_at = to_timestamp(0)", [LEAP])
        self.stdout.write("all agents begin new sessions when they are next heard")

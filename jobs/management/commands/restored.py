"""Record that the database was restored from a backup: agents may have newer state."""

from typing import Any

from django.core.management.base import BaseCommand

from jobs.leader import incarnation


class Command(BaseCommand):
    """To be run after a restore that is not recognised: by the files of the whole server. Before or after the start."""

    help = "After a restore of the database: have all agents end what runs, begin new sessions, and run it again."

    def handle(self, *args: Any, **options: Any) -> None:
        if not incarnation.recognise():
            incarnation.restored()
        self.stdout.write("all agents begin new sessions when they are next heard")

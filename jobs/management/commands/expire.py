"""Delete expired data now; the leading scheduler does so every hour."""

from typing import Any

from django.core.management.base import BaseCommand
from django.utils import timezone

from jobs.upkeep import retention


class Command(BaseCommand):
    help = "Delete jobs that ended SWITCHYARD_KEEP_DAYS ago, with their logs and results."

    def handle(self, *args: Any, **options: Any) -> None:
        now = timezone.now()
        jobs = tasks = 0
        while step := retention.expire(now):
            jobs, tasks = jobs + step.jobs, tasks + step.tasks
        files = retention.sweep(now)
        self.stdout.write(f"Deleted {jobs:,} jobs, {tasks:,} tasks, {files:,} logs and artifacts.")

"""A scheduler worker as it is, but for a watchdog that waits for a few seconds alone."""

import os
import sys
from functools import partial
from pathlib import Path

import django
from django.core.management import call_command

#: Seconds in which a leader of a test that is not hindered surely gets on.
LIMIT = 5.0

if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "scheduler_project.settings")
    sys.path.insert(0, str(Path.cwd()))
    django.setup()
    from jobs.leader import watchdog

    watchdog.start = partial(watchdog.start, limit=LIMIT)
    call_command("scheduler")

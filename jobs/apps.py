"""The app of jobs."""

from django.apps import AppConfig


class JobsConfig(AppConfig):
    name = "jobs"

    def ready(self) -> None:
        from jobs.store import succession  # noqa: F401  follows the sessions of agents once apps are loaded

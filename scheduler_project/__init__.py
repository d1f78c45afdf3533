"""The composition root: settings, routes, Celery, the servers' entry points. Only it knows everything."""

from switchyard import plain

plain.load("structlog", "rest_framework.compat")

from scheduler_project.celery import app as celery_app  # noqa: E402  only now

__all__ = ["celery_app"]

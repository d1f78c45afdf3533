"""The composition root: settings, routes, Celery and the servers' entry points. Only this package knows everything."""

from scheduler_project.celery import app as celery_app

__all__ = ["celery_app"]

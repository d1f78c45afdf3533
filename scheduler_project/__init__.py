"""The composition root: settings, routes, Celery, the servers' entry points. Only it knows everything."""

from scheduler_project.celery import app as celery_app

__all__ = ["celery_app"]

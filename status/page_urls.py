"""Routes of the pages."""

from collections.abc import Callable

from django.http import HttpResponse
from django.urls import URLPattern, path, re_path

from status import job_pages, node_pages, pages


def both_forms(route: str, view: Callable[..., HttpResponse], name: str) -> list[URLPattern]:
    """Return the routes of a page without and with a slash at its end; links have none."""
    return [path(f"{route}/", view), path(route, view, name=name)]


urlpatterns = [
    path("", pages.root),
    path("ui", pages.root),
    path("ui/", pages.overview, name="ui-overview"),
    re_path("^ui/jobs/?$", pages.jobs, name="ui-jobs"),
    *both_forms("ui/jobs/<str:key>", job_pages.job, "ui-job"),
    *both_forms("ui/jobs/<str:key>/tasks", job_pages.tasks, "ui-tasks"),
    *both_forms("ui/jobs/<str:key>/stages/<str:stage>/tasks/<int:index>", job_pages.task, "ui-task"),
    re_path("^ui/nodes/?$", pages.nodes, name="ui-nodes"),
    *both_forms("ui/nodes/<str:key>", node_pages.node, "ui-node"),
]

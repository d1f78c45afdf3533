"""Routes of the pages."""

from django.urls import path, re_path

from status import job_pages, node_pages, pages

urlpatterns = [
    path("", pages.root),
    path("ui", pages.root),
    path("ui/", pages.overview, name="ui-overview"),
    re_path("^ui/jobs/?$", pages.jobs, name="ui-jobs"),
    path("ui/jobs/<str:key>", job_pages.job, name="ui-job"),
    path("ui/jobs/<str:key>/tasks", job_pages.tasks, name="ui-tasks"),
    path("ui/jobs/<str:key>/stages/<str:stage>/tasks/<int:index>", job_pages.task, name="ui-task"),
    re_path("^ui/nodes/?$", pages.nodes, name="ui-nodes"),
    path("ui/nodes/<str:key>", node_pages.node, name="ui-node"),
]

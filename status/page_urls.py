"""Routes of the pages."""

from django.urls import path, re_path

from status import job_pages, node_pages, pages, program_pages

JOB = "ui/jobs/(?P<key>[^/]+)"

urlpatterns = [
    path("", pages.root),
    path("ui", pages.root),
    path("ui/", pages.overview, name="ui-overview"),
    re_path("^ui/jobs/?$", pages.jobs, name="ui-jobs"),
    re_path(f"^{JOB}/?$", job_pages.job, name="ui-job"),
    re_path(f"^{JOB}/files/?$", job_pages.files, name="ui-files"),
    re_path(f"^{JOB}/tasks/?$", job_pages.tasks, name="ui-tasks"),
    re_path(f"^{JOB}/stages/(?P<stage>[^/]+)/tasks/(?P<index>[0-9]{{1,10}})/?$", job_pages.task, name="ui-task"),
    re_path("^ui/programs/?$", program_pages.programs, name="ui-programs"),
    re_path("^ui/nodes/?$", pages.nodes, name="ui-nodes"),
    re_path("^ui/nodes/(?P<key>[^/]+)/?$", node_pages.node, name="ui-node"),
]

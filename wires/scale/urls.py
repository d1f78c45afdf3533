"""Scale's routes: older shapes at the root, below v4 and v5, newer ones below v6. A slash at the end is optional."""

from django.urls import re_path

from wires.scale.views import nodes, scheduler, status

_OLDER = [
    route
    for prefix in ("", "v4/", "v5/")
    for route in (
        re_path(rf"^{prefix}scheduler/?\Z", scheduler.OlderSchedulerView.as_view()),
        re_path(rf"^{prefix}status/?\Z", status.OlderStatusView.as_view()),
    )
]
_NODES = [
    re_path(r"^v5/nodes/?\Z", nodes.OlderNodesView.as_view()),
    re_path(r"^v5/nodes/(?P<node>[^/]+)/?\Z", nodes.OlderNodeView.as_view()),
    re_path(r"^v6/nodes/?\Z", nodes.NodesView.as_view()),
    re_path(r"^v6/nodes/(?P<node>[^/]+)/?\Z", nodes.NodeView.as_view()),
]
urlpatterns = [
    *_OLDER,
    re_path(r"^v6/scheduler/?\Z", scheduler.SchedulerView.as_view()),
    re_path(r"^v6/status/?\Z", status.StatusView.as_view()),
    *_NODES,
    re_path(r"^v6/version/?\Z", scheduler.VersionView.as_view()),
]

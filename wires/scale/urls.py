"""Scale's routes: older shapes at the root, below v4 and v5, newer ones below v6. A slash at the end may be missing."""

from django.urls import re_path

from wires.scale import views

_OLDER = [
    route
    for prefix in ("", "v4/", "v5/")
    for route in (
        re_path(rf"^{prefix}scheduler/?\Z", views.OlderSchedulerView.as_view()),
        re_path(rf"^{prefix}status/?\Z", views.OlderStatusView.as_view()),
    )
]
_NODES = [
    re_path(r"^v5/nodes/?\Z", views.OlderNodesView.as_view()),
    re_path(r"^v5/nodes/(?P<node>[^/]+)/?\Z", views.OlderNodeView.as_view()),
    re_path(r"^v6/nodes/?\Z", views.NodesView.as_view()),
    re_path(r"^v6/nodes/(?P<node>[^/]+)/?\Z", views.NodeView.as_view()),
]
urlpatterns = [
    *_OLDER,
    re_path(r"^v6/scheduler/?\Z", views.SchedulerView.as_view()),
    re_path(r"^v6/status/?\Z", views.StatusView.as_view()),
    *_NODES,
    re_path(r"^v6/version/?\Z", views.VersionView.as_view()),
]

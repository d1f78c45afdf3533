"""Routes of the cluster."""

from django.urls import include, path

from access.routing import BothFormsRouter
from nodes import agent_api
from nodes.api import NodeViewSet

router = BothFormsRouter()
router.register("nodes", NodeViewSet, basename="node")

urlpatterns = [
    path("agent/register", agent_api.RegisterView.as_view()),
    path("agent/heartbeat", agent_api.HeartbeatView.as_view()),
    path("agent/left", agent_api.LeftView.as_view()),
    path("", include(router.urls)),
]

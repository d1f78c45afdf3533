"""Routes of the cluster."""

from django.urls import include, path

from access.routing import BothFormsRouter
from nodes import agent_api
from nodes.api import NodeViewSet

router = BothFormsRouter()
router.register("nodes", NodeViewSet, basename="node")

urlpatterns = [path("agent/register", agent_api.register), path("", include(router.urls))]

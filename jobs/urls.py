"""Routes of jobs."""

from django.urls import include, path

from access.routing import BothFormsRouter
from jobs import agent_api
from jobs.api.jobs import JobViewSet

router = BothFormsRouter()
router.register("jobs", JobViewSet, basename="job")

urlpatterns = [
    path("agent/inputs/<int:stage>", agent_api.inputs),
    path("", include(router.urls)),
]

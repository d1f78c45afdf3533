"""Routes of jobs."""

from django.urls import include, path, re_path

from access.routing import BothFormsRouter
from jobs.api import agents
from jobs.api.checkpoints import CheckpointViewSet
from jobs.api.events import EventViewSet
from jobs.api.files import FilesView, FileView, JobFilesView
from jobs.api.jobs import JobViewSet
from jobs.api.logs import LogView
from jobs.api.operations import OperationViewSet
from jobs.api.programs import ProgramViewSet
from jobs.api.scheduler import SchedulerView
from jobs.api.stages import StageViewSet
from jobs.api.tasks import JobTaskViewSet, TaskViewSet
from jobs.api.types import JobTypeViewSet

JOB = "jobs/(?P<job>[^/]+)"
STAGES = f"{JOB}/stages"
TASKS = f"{STAGES}/(?P<stage>[^/]+)/tasks"

router = BothFormsRouter()
router.register("jobs", JobViewSet, basename="job")
router.register(STAGES, StageViewSet, basename="stage")
router.register(f"{JOB}/tasks", JobTaskViewSet, basename="job-task")
router.register(TASKS, TaskViewSet, basename="task")
router.register(f"{JOB}/checkpoints", CheckpointViewSet, basename="checkpoint")
router.register("job-types", JobTypeViewSet, basename="job-type")
router.register("programs", ProgramViewSet, basename="program")
router.register("operations", OperationViewSet, basename="operation")
router.register("events", EventViewSet, basename="event")

urlpatterns = [
    path("agent/stages/<int:stage>", agents.DescriptionView.as_view()),
    path("agent/inputs/<int:stage>/<int:producer>", agents.InputsView.as_view()),
    path("agent/inputs/<int:stage>/<int:producer>/<int:index>", agents.StoredInputView.as_view()),
    path("agent/inputs/<int:stage>/<int:producer>/<int:index>/files/<slug:digest>", agents.HandedFileView.as_view()),
    path("agent/files/<int:stage>", agents.FilesView.as_view()),
    path("agent/states/<int:stage>", agents.StatesView.as_view()),
    path("agent/states/<int:stage>/<int:kept>", agents.StoredStatesView.as_view()),
    path("agent/programs/<int:stage>/<slug:digest>", agents.ProgramView.as_view()),
    path("agent/items/<int:stage>", agents.ItemsView.as_view()),
    re_path("^agent/artifacts/(?P<digest>[0-9a-f]{64})$", agents.ArtifactView.as_view()),
    re_path(
        "^agent/logs/(?P<stage>[0-9]{1,19})/(?P<index>[0-9]{1,10})/(?P<attempt>[0-9]{1,10})/(?P<stream>stdout|stderr)$",
        agents.AgentLogView.as_view(),
    ),
    re_path("^scheduler/?$", SchedulerView.as_view(), name="scheduler"),
    re_path(rf"^{TASKS}/(?P<index>[0-9]+)/logs/(?P<stream>stdout|stderr)/?$", LogView.as_view(), name="log"),
    re_path(rf"^{JOB}/files/?$", JobFilesView.as_view(), name="job-files"),
    re_path(rf"^{TASKS}/(?P<index>[0-9]+)/files/?$", FilesView.as_view(), name="files"),
    re_path(rf"^{TASKS}/(?P<index>[0-9]+)/files/(?P<output>[^/]+)/(?P<path>[^?]+)$", FileView.as_view(), name="file"),
    path("", include(router.urls)),
]

"""Flink's routes, in the order of its documentation, each at the root and under /v1, with or without a slash at the end."""

from django.urls import URLPattern, re_path

from wires.base import WireView
from wires.flink.views import (
    absent,
    changing,
    checkpoints,
    cluster,
    jars,
    jobs,
    manager,
    metrics,
    nodes,
    savepoints,
    vertices,
)

JOB = "jobs/(?P<job>[^/]+)"
CHECKPOINTS = f"{JOB}/checkpoints"
VERTEX = f"{JOB}/vertices/(?P<vertex>[^/]+)"
SUBTASK = f"{VERTEX}/subtasks/(?P<subtask>[^/]+)"
ATTEMPT = f"{SUBTASK}/attempts/(?P<attempt>[^/]+)"
NODE = "taskmanagers/(?P<node>[^/]+)"


def _route(path: str, view: type[WireView]) -> URLPattern:
    return re_path(f"^(?:v1/)?{path}/?$", view.as_view())


urlpatterns = [
    _route("cluster", cluster.ClusterView),
    _route("config", cluster.ConfigView),
    _route("datasets", cluster.DatasetsView),
    _route("jars", jars.JarsView),
    _route("jars/upload", jars.JarUploadView),
    _route("jars/(?P<jar>[^/]+)", jars.JarView),
    _route("jars/(?P<jar>[^/]+)/plan", jars.JarPlanView),
    _route("jars/(?P<jar>[^/]+)/run", jars.JarRunView),
    _route("jobmanager/config", manager.ConfigView),
    _route("jobmanager/environment", manager.EnvironmentView),
    _route("jobmanager/log", manager.LogView),
    _route("jobmanager/logs", manager.LogsView),
    _route("jobmanager/logs/(?P<file>[^/]+)", manager.LogView),
    _route("jobmanager/metrics", metrics.ManagerView),
    _route("jobmanager/stdout", manager.StdoutView),
    _route("jobmanager/thread-dump", manager.ThreadDumpView),
    _route("jobs", jobs.JobsView),
    _route("jobs/metrics", metrics.JobsView),
    _route("jobs/overview", jobs.JobsOverviewView),
    _route(JOB, jobs.JobView),
    _route(f"{JOB}/accumulators", jobs.AccumulatorsView),
    _route(f"{JOB}/cancel", changing.CancelView),
    _route(f"{JOB}/cancel-with-savepoint", savepoints.CancelWithSavepointView),
    _route(f"{JOB}/cancel-with-savepoint/in-progress/(?P<request_id>[^/]+)", savepoints.InProgressView),
    _route(f"{JOB}/cancel-with-savepoint/target-directory/(?P<directory>.+)", savepoints.CancelWithSavepointView),
    _route(f"{JOB}/clientHeartbeat", changing.HeartbeatView),
    _route(CHECKPOINTS, checkpoints.CheckpointsView),
    _route(f"{CHECKPOINTS}/(?P<trigger>[0-9a-fA-F]{{32}})", checkpoints.TriggerView),
    _route(f"{CHECKPOINTS}/config", checkpoints.ConfigView),
    _route(f"{CHECKPOINTS}/details/(?P<checkpoint>[^/]+)", checkpoints.CheckpointView),
    _route(f"{CHECKPOINTS}/details/(?P<checkpoint>[^/]+)/subtasks/(?P<vertex>[^/]+)", checkpoints.SubtasksView),
    _route(f"{JOB}/config", jobs.ConfigView),
    _route(f"{JOB}/exceptions", jobs.ExceptionsView),
    _route(f"{JOB}/execution-result", jobs.ExecutionResultView),
    _route(f"{JOB}/jobmanager/config", manager.ConfigView),
    _route(f"{JOB}/jobmanager/environment", manager.EnvironmentView),
    _route(f"{JOB}/jobmanager/log-url", manager.LogUrlView),
    _route(f"{JOB}/metrics", metrics.JobView),
    _route(f"{JOB}/plan", jobs.PlanView),
    _route(f"{JOB}/rescaling", absent.RescalingView),
    _route(f"{JOB}/rescaling/(?P<trigger>[^/]+)", absent.PollView),
    _route(f"{JOB}/resource-requirements", absent.RequirementsView),
    _route(f"{JOB}/savepoints", savepoints.SavepointsView),
    _route(f"{JOB}/savepoints/(?P<trigger>[^/]+)", savepoints.TriggerView),
    _route(f"{JOB}/status", jobs.StatusView),
    _route(f"{JOB}/stop", savepoints.StopView),
    _route(f"{JOB}/taskmanagers/(?P<node>[^/]+)/log-url", nodes.LogUrlView),
    _route(f"{JOB}/vertices", jobs.VerticesView),
    _route(VERTEX, vertices.VertexView),
    _route(f"{VERTEX}/accumulators", vertices.AccumulatorsView),
    _route(f"{VERTEX}/backpressure", vertices.BackpressureView),
    _route(f"{VERTEX}/flamegraph", vertices.FlamegraphView),
    _route(f"{VERTEX}/jm-operator-metrics", metrics.OperatorView),
    _route(f"{VERTEX}/metrics", metrics.VertexView),
    _route(f"{VERTEX}/subtasks/metrics", metrics.SubtasksView),
    _route(f"{VERTEX}/subtasks/accumulators", vertices.SubtasksAccumulatorsView),
    _route(SUBTASK, vertices.SubtaskView),
    _route(ATTEMPT, vertices.SubtaskView),
    _route(f"{ATTEMPT}/accumulators", vertices.AttemptAccumulatorsView),
    _route(f"{SUBTASK}/metrics", metrics.SubtaskView),
    _route(f"{VERTEX}/subtasktimes", vertices.TimesView),
    _route(f"{VERTEX}/taskmanagers", vertices.ByNodeView),
    _route(f"{VERTEX}/watermarks", vertices.WatermarksView),
    _route(f"{JOB}/yarn-cancel", changing.YarnCancelView),
    _route(f"{JOB}/yarn-stop", changing.YarnStopView),
    _route("overview", cluster.OverviewView),
    _route("savepoint-disposal", savepoints.DisposalView),
    _route("savepoint-disposal/(?P<trigger>[^/]+)", savepoints.DisposedView),
    _route("taskmanagers", nodes.TaskmanagersView),
    _route("taskmanagers/metrics", metrics.TaskmanagersView),
    _route(NODE, nodes.TaskmanagerView),
    _route(f"{NODE}/log", nodes.LogView),
    _route(f"{NODE}/logs", nodes.LogsView),
    _route(f"{NODE}/logs/(?P<file>[^/]+)", nodes.LogView),
    _route(f"{NODE}/metrics", metrics.TaskmanagerView),
    _route(f"{NODE}/stdout", nodes.StdoutView),
    _route(f"{NODE}/thread-dump", nodes.ThreadDumpView),
]

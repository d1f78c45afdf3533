"""The shapes of jobs, stages and tasks in answers; docs/api.md explains them."""

from collections.abc import Mapping
from functools import cache
from typing import Any

from rest_framework import serializers

from access.strict import StrictSerializer
from jobs.reading.operations import STATES
from switchyard.scheduling.failing import Category
from switchyard.scheduling.lifecycle.operations import Kind
from switchyard.scheduling.lifecycle.states import Intent, JobState, TaskState

JOB_STATES = [state.name for state in JobState]
INTENTS = [intent.name for intent in Intent]
TASK_STATES = [state.name for state in TaskState]
OPERATION_STATES = list(STATES)
OPERATION_KINDS = [kind.value for kind in Kind]
STAGE_STATES = ["WAITING", "READY", "RUNNING", "FINISHED", "FAILED", "CANCELED"]
COUNTED = ("total", *TASK_STATES)


Shape = type[serializers.Serializer[Any]]


def shaped(shape: Shape, values: Mapping[str, Any]) -> dict[str, Any]:
    """Return of plain values what a serializer declares; they need no conversion, which costs more than reading them."""
    return {
        name: values[name] if inner is None else _inner(inner, values[name], many=many)
        for name, (inner, many) in _fields(shape).items()
    }


def _inner(shape: Shape, values: Any, *, many: bool) -> Any:
    if values is None:
        return None
    return [shaped(shape, each) for each in values] if many else shaped(shape, values)


@cache
def _fields(shape: Shape) -> dict[str, tuple[Shape | None, bool]]:
    return {name: _kind(field) for name, field in shape().fields.items()}


def _kind(field: Any) -> tuple[Shape | None, bool]:
    many = isinstance(field, serializers.ListSerializer)
    inner: Any = field.child if many else field
    return (type(inner), many) if isinstance(inner, serializers.Serializer) else (None, False)


class CountsSerializer(serializers.Serializer[Any]):
    """Numbers of tasks by the name of their state."""

    def get_fields(self) -> dict[str, Any]:
        return {name: serializers.IntegerField() for name in COUNTED}


class NeedSerializer(serializers.Serializer[Any]):
    """A stage whose results are needed."""

    stage = serializers.CharField()
    exchange = serializers.ChoiceField(["all", "pointwise"])
    buffer = serializers.IntegerField(allow_null=True)


class StageSerializer(serializers.Serializer[Any]):
    """A node of a job's DAG."""

    id = serializers.IntegerField()
    position = serializers.IntegerField()
    name = serializers.CharField()
    state = serializers.ChoiceField(STAGE_STATES)
    parallelism = serializers.IntegerField()
    tasks = CountsSerializer()
    needs = NeedSerializer(many=True)
    run_seconds = serializers.FloatField()
    refusal = serializers.ListField(child=serializers.CharField())
    reused = serializers.IntegerField()
    rerun = serializers.ListField(child=serializers.CharField())
    started_at = serializers.DateTimeField(allow_null=True)
    ended_at = serializers.DateTimeField(allow_null=True)


class StageInFullSerializer(StageSerializer):
    """A stage with its description."""

    spec = serializers.JSONField()


class SuspendedSerializer(serializers.Serializer[Any]):
    """Since when, by whom and why a job is suspended."""

    at = serializers.DateTimeField()
    by = serializers.CharField()
    reason = serializers.CharField(allow_blank=True)


class RestoredSerializer(serializers.Serializer[Any]):
    """The savepoint that a job started from, by its number and that of its job."""

    job = serializers.IntegerField()
    savepoint = serializers.IntegerField()
    location = serializers.CharField()


class JobSerializer(serializers.Serializer[Any]):
    """A job as lists show it."""

    id = serializers.UUIDField()
    number = serializers.IntegerField()
    name = serializers.CharField()
    type = serializers.CharField()
    type_version = serializers.CharField()
    owner = serializers.CharField(allow_null=True)
    priority = serializers.IntegerField()
    pool = serializers.CharField()
    state = serializers.ChoiceField(JOB_STATES)
    intent = serializers.ChoiceField(INTENTS)
    draining = serializers.BooleanField()
    suspended = SuspendedSerializer(allow_null=True)
    held_reason = serializers.CharField(allow_blank=True)
    error = serializers.CharField(allow_blank=True)
    stages_total = serializers.IntegerField()
    stages_ended = serializers.IntegerField()
    tasks = CountsSerializer()
    progress = serializers.FloatField()
    created_at = serializers.DateTimeField()
    started_at = serializers.DateTimeField(allow_null=True)
    ended_at = serializers.DateTimeField(allow_null=True)
    retried_from = serializers.UUIDField(allow_null=True)


class InfeasibleSerializer(serializers.Serializer[Any]):
    """A stage that no registered node could ever meet."""

    stage = serializers.CharField()
    reason = serializers.CharField()


class RetrySerializer(serializers.Serializer[Any]):
    """A job that is a retry of another."""

    id = serializers.UUIDField()
    number = serializers.IntegerField()
    state = serializers.ChoiceField(JOB_STATES)


class JobInFullSerializer(JobSerializer):
    """A job with its description, its stages and its retries."""

    retried_from_number = serializers.IntegerField(allow_null=True)
    restored_from = RestoredSerializer(allow_null=True)
    retries = RetrySerializer(many=True)

    failures = serializers.IntegerField()
    max_failures = serializers.IntegerField()
    planning_ms = serializers.FloatField()
    spec = serializers.JSONField()
    stages = StageSerializer(many=True)
    infeasible = InfeasibleSerializer(many=True)


class FailureSerializer(serializers.Serializer[Any]):
    """Why an operation failed."""

    name = serializers.CharField()
    text = serializers.CharField()


class OperationSerializer(serializers.Serializer[Any]):
    """A request that takes its time."""

    id = serializers.UUIDField()
    number = serializers.IntegerField()
    kind = serializers.ChoiceField(OPERATION_KINDS)
    job = serializers.UUIDField(allow_null=True)
    job_number = serializers.IntegerField(allow_null=True)
    arguments = serializers.JSONField()
    requested_by = serializers.CharField()
    state = serializers.ChoiceField(OPERATION_STATES)
    outcome = serializers.JSONField(allow_null=True)
    failure = FailureSerializer(allow_null=True)
    requested_at = serializers.DateTimeField()
    deadline = serializers.DateTimeField()
    ended_at = serializers.DateTimeField(allow_null=True)


class SuspendingSerializer(JobInFullSerializer):
    """A job that is being suspended, and the operation that ends when it is."""

    operation = OperationSerializer(allow_null=True)


class RetriedStageSerializer(serializers.Serializer[Any]):
    """What a retry would have of a stage: its tasks if known, how many are reused, and why others that finished are not."""

    name = serializers.CharField()
    parallelism = serializers.IntegerField(allow_null=True)
    reused = serializers.IntegerField()
    rerun = serializers.ListField(child=serializers.CharField())


class RetrialSerializer(serializers.Serializer[Any]):
    """What a retry would reuse."""

    retried_from = serializers.UUIDField()
    retried_from_number = serializers.IntegerField()
    stages = RetriedStageSerializer(many=True)


class OriginSerializer(serializers.Serializer[Any]):
    """The attempt that made a result; its number is not known any more once its job is deleted."""

    job = serializers.IntegerField()
    stage = serializers.CharField()
    index = serializers.IntegerField()
    attempt = serializers.IntegerField(allow_null=True)


class RecordSerializer(serializers.Serializer[Any]):
    """What is recorded of an attempt."""

    attempt = serializers.IntegerField()
    state = serializers.ChoiceField(TASK_STATES)
    node = serializers.CharField(allow_null=True)
    node_id = serializers.IntegerField(allow_null=True)
    scheduled_at = serializers.DateTimeField(allow_null=True)
    started_at = serializers.DateTimeField(allow_null=True)
    ended_at = serializers.DateTimeField(allow_null=True)
    exit_class = serializers.CharField(allow_null=True)
    exit_code = serializers.IntegerField(allow_null=True)
    error = serializers.CharField(allow_null=True)
    metrics = serializers.JSONField(allow_null=True)
    accumulators = serializers.JSONField(allow_null=True)
    logs = serializers.JSONField(allow_null=True)


class TaskSerializer(RecordSerializer):
    """A task as lists show it, with its current attempt."""

    stage = serializers.CharField()
    index = serializers.IntegerField()
    failures = serializers.IntegerField()
    losses = serializers.IntegerField()
    not_before = serializers.DateTimeField(allow_null=True)
    progress = serializers.JSONField(allow_null=True)
    reused = serializers.BooleanField()


class FileSerializer(serializers.Serializer[Any]):
    """A file that a task hands on."""

    output = serializers.CharField()
    path = serializers.CharField()
    digest = serializers.CharField()
    size = serializers.IntegerField()
    executable = serializers.BooleanField()


class FileOfJobSerializer(FileSerializer):
    """A file of a job, with the task that hands it on."""

    stage = serializers.CharField()
    index = serializers.IntegerField()


class FilePageSerializer(serializers.Serializer[Any]):
    """A page of the files of a job."""

    next = serializers.URLField(allow_null=True)
    previous = serializers.URLField(allow_null=True)
    results = FileOfJobSerializer(many=True)


class TaskInFullSerializer(TaskSerializer):
    """A task with its result and all its attempts."""

    result = serializers.JSONField(allow_null=True)
    result_digest = serializers.CharField(allow_null=True)
    reused_from = OriginSerializer(allow_null=True)
    files = FileSerializer(many=True)
    attempts = RecordSerializer(many=True)


class ReasonsSerializer(serializers.Serializer[Any]):
    """Why the waiting tasks of a stage wait."""

    stage = serializers.CharField()
    reasons = serializers.ListField(child=serializers.CharField())


class ExplanationSerializer(serializers.Serializer[Any]):
    """Why a job is not further than it is."""

    state = serializers.ChoiceField(JOB_STATES)
    stages = ReasonsSerializer(many=True)


class ResultsSerializer(serializers.Serializer[Any]):
    """The results of a stage by index."""

    complete = serializers.BooleanField()
    results = serializers.ListField(child=serializers.JSONField())


class JobResultsSerializer(serializers.Serializer[Any]):
    """The results of the stages that no other needs."""

    complete = serializers.BooleanField()
    results = serializers.DictField(child=serializers.ListField(child=serializers.JSONField()))


class JobTypeSerializer(serializers.Serializer[Any]):
    """A kind of job."""

    name = serializers.CharField()
    version = serializers.CharField()
    paused = serializers.BooleanField()
    pause_reason = serializers.CharField(allow_blank=True)
    max_running = serializers.IntegerField(allow_null=True)
    title = serializers.CharField(allow_blank=True)
    description = serializers.CharField(allow_blank=True)
    icon = serializers.CharField(allow_blank=True)
    failure_categories = serializers.DictField(child=serializers.CharField())
    running = serializers.IntegerField()


class LimitSerializer(StrictSerializer):
    """How many jobs of a type may run at once (null: any number), how people are told of it, what is at fault when one fails.

    The last by exit code ("3"), exception ("InvalidData") or class ("timeout"), where the class alone says it wrong.
    """

    max_running = serializers.IntegerField(min_value=0, max_value=1_000_000, allow_null=True, required=False)
    title = serializers.CharField(max_length=100, allow_blank=True, required=False)
    description = serializers.CharField(max_length=500, allow_blank=True, required=False)
    icon = serializers.RegexField(r"^[0-9A-Za-z-]*\Z", max_length=20, allow_blank=True, required=False)
    failure_categories = serializers.DictField(child=serializers.ChoiceField([*Category]), required=False)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """Accept what says something."""
        if not attrs:
            raise serializers.ValidationError("Give one of: max_running, title, description, icon, failure_categories.")
        return attrs


class LeaderSerializer(serializers.Serializer[Any]):
    """Which scheduler worker leads."""

    holder = serializers.CharField(allow_blank=True)
    epoch = serializers.IntegerField()
    alive = serializers.BooleanField()


class EventSerializer(serializers.Serializer[Any]):
    """Something worth telling about a job or a node."""

    id = serializers.IntegerField()
    at = serializers.DateTimeField()
    kind = serializers.CharField()
    text = serializers.CharField()
    job = serializers.UUIDField(allow_null=True)
    node = serializers.CharField(allow_null=True)

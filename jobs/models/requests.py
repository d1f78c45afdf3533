"""The tables of what takes its time: operations, checkpoints, and the states that tasks have saved."""

from django.db import models
from django.db.models import Q

from jobs.fields import IndexSetField
from jobs.models.execution import Job, Stage
from switchyard.scheduling.lifecycle.operations import Kind


class Operation(models.Model):
    """A request that takes its time: in progress until it ends, with an outcome or a failure ([name, text])."""

    id = models.UUIDField(primary_key=True)
    #: What counts them, for clients that know them by numbers alone.
    number = models.BigIntegerField(unique=True)
    kind = models.CharField(max_length=20, choices=[(kind.value, kind.value) for kind in Kind])
    job = models.ForeignKey(Job, models.CASCADE, null=True, related_name="operations")
    arguments = models.JSONField(default=dict)
    requested_by = models.TextField()
    requested_at = models.DateTimeField()
    deadline = models.DateTimeField()
    ended_at = models.DateTimeField(null=True)
    outcome = models.JSONField(null=True)
    failure = models.JSONField(null=True)

    class Meta:
        indexes = [
            models.Index(fields=["id"], name="open_operations", condition=Q(ended_at__isnull=True)),
            models.Index(fields=["ended_at"], name="ended_operations", condition=Q(job=None)),
        ]


class Checkpoint(models.Model):
    """The states of a job's running tasks, asked for at one moment: whole once all of them have answered.

    `asked` are these tasks, as [stage, attempt, [[low, high], …]] each; null until the leader asks. `answers` counts those
    that have answered, `size` the bytes of their states. One whose states are deleted is `discarded`.

    A savepoint is kept until it is disposed of. Its manifest is at `location`, a folder, once it is `written`; `finished` are
    the tasks that had finished by then, as [stage, [[low, high], …]] each.
    """

    class State(models.IntegerChoices):
        IN_PROGRESS = 0
        COMPLETED = 1
        FAILED = 2

    job = models.ForeignKey(Job, models.CASCADE, related_name="checkpoints")
    number = models.IntegerField()
    state = models.SmallIntegerField(choices=State, default=State.IN_PROGRESS)
    is_periodic = models.BooleanField(default=True)
    #: The one that ends with it, where somebody asked for it.
    operation = models.OneToOneField(Operation, models.SET_NULL, null=True, related_name="checkpoint")
    asked = models.JSONField(null=True)
    tasks = models.IntegerField(default=0)
    answers = models.IntegerField(default=0)
    size = models.BigIntegerField(default=0)
    failure = models.TextField(blank=True, default="")
    discarded = models.BooleanField(default=False)
    is_savepoint = models.BooleanField(default=False, db_default=False)
    location = models.TextField(blank=True, default="", db_default="")
    #: The SHA-256 of the manifest; empty until it is written.
    manifest = models.CharField(max_length=64, blank=True, default="", db_default="")
    finished = models.JSONField(null=True)
    triggered_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["job", "number"], name="one_checkpoint_per_number")]
        indexes = [
            models.Index(fields=["job"], name="checkpoints_in_progress", condition=Q(ended_at=None)),
            models.Index(fields=["location"], name="savepoints", condition=Q(is_savepoint=True)),
        ]


class SavedStates(models.Model):
    """States that tasks of a stage have saved, in one artifact: for a checkpoint, or each for itself.

    `states` are [index, attempt, offset, size, whether JSON, elements of a list or -1, µs of saving, µs since] each, in the
    order of the artifact; a size of -1 says that a task answered and has saved none.
    """

    stage = models.ForeignKey(Stage, models.CASCADE, related_name="saved_states")
    checkpoint = models.ForeignKey(Checkpoint, models.CASCADE, null=True, related_name="saved_states")
    tasks = IndexSetField()
    digest = models.CharField(max_length=64)
    size = models.BigIntegerField()
    states = models.JSONField()
    #: The first of the rows that came together from tasks of another job, or of another number: a task goes on from all of
    #: these that name it, in their order.
    together = models.BigIntegerField(null=True)
    stored_at = models.DateTimeField()

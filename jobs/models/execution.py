"""The tables of jobs and of their execution.

Set-based statements move the rows (jobs.store); nothing here has behaviour.
Sets of task indexes are multiranges, so that what is said of many alike tasks is one value.
"""

import uuid

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q

from jobs.fields import ExactJSONField, IndexSetField, recorded
from switchyard.scheduling.lifecycle.states import TASK_PLACES, Intent, JobState, TaskState


class Lease(models.Model):
    """Who leads: one row, judged by the database's clock; the epoch grows with each new leader."""

    holder = models.CharField(max_length=100, blank=True)
    epoch = models.BigIntegerField(default=0)
    taken_at = models.DateTimeField(null=True)
    expires_at = models.DateTimeField()
    #: What is wrong with the way through the broker to the leader (switchyard.messaging.consumer); empty: nothing.
    broker = models.CharField(max_length=40, blank=True, default="")
    #: The database that the installation goes on with (jobs.leader.incarnation).
    identity = models.CharField(max_length=100, blank=True, default="")

    class Meta:
        constraints = [models.CheckConstraint(condition=Q(id=1), name="lease_is_a_singleton")]


class JobType(models.Model):
    """A kind of job: what its jobs share, and what an operator may pause or limit as one."""

    name = models.CharField(max_length=100)
    version = models.CharField(max_length=50, default="1")
    paused = models.BooleanField(default=False)
    pause_reason = models.CharField(max_length=250, blank=True)
    max_running = models.IntegerField(null=True, blank=True)
    #: How people are told of it, where its name says too little; the icon is a code of an icon font, as `f013`.
    title = models.CharField(max_length=100, blank=True, db_default="")
    description = models.CharField(max_length=500, blank=True, db_default="")
    icon = models.CharField(max_length=20, blank=True, db_default="")
    #: What is at fault, by exit code, exception or class, where this type knows better (switchyard.scheduling.failing).
    failure_categories = models.JSONField(default=dict, blank=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["name", "version"], name="one_row_per_job_type")]

    def __str__(self) -> str:
        return f"{self.name}:{self.version}"


class Job(models.Model):
    """A submitted DAG of stages and where it stands."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    number = models.BigIntegerField(unique=True)
    name = models.CharField(max_length=200)
    job_type = models.ForeignKey(JobType, models.PROTECT, related_name="jobs")
    owner = models.ForeignKey(settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="jobs")
    priority = models.IntegerField(default=100)
    pool = models.CharField(max_length=100, default="default")
    spec = models.JSONField()
    #: The part of the description that is the user's own.
    config = ExactJSONField(null=True)
    state = models.SmallIntegerField(choices=JobState.choices(), default=JobState.CREATED)
    #: What people want of it; the state is what it is.
    intent = models.SmallIntegerField(choices=Intent.choices(), default=Intent.RUN, db_default=Intent.RUN)
    held_reason = models.TextField(blank=True)
    #: Since when, by whom and why it is suspended; and for how many seconds it was before, since it began if it has.
    suspended_at = models.DateTimeField(null=True)
    suspended_by = models.TextField(blank=True, db_default="")
    suspend_reason = models.TextField(blank=True, db_default="")
    suspended_seconds = models.FloatField(default=0, db_default=0)
    error = models.TextField(blank=True)
    max_failures = models.IntegerField(default=0)
    failures = models.IntegerField(default=0)
    stages_total = models.IntegerField()
    stages_ended = models.IntegerField(default=0)
    planning_ms = models.FloatField(default=0)
    idempotency_key = models.CharField(max_length=200, null=True)
    description_digest = models.CharField(max_length=64, blank=True)
    #: The savepoint that it started from: the job's number, the savepoint's, its location.
    restored_from = models.JSONField(null=True)
    retried_from = models.ForeignKey("self", models.SET_NULL, null=True, related_name="retries")
    created_at = models.DateTimeField()
    started_at = models.DateTimeField(null=True)
    ended_at = models.DateTimeField(null=True)

    class Meta:
        indexes = [
            models.Index(fields=["-number"], name="job_by_number"),
            models.Index(fields=["state"], name="live_jobs", condition=Q(ended_at__isnull=True)),
            models.Index(fields=["id"], name="draining_jobs", condition=Q(intent=Intent.DRAIN, ended_at__isnull=True)),
            models.Index(fields=["ended_at"], name="ended_jobs", condition=Q(ended_at__isnull=False)),
        ]
        constraints = [
            models.UniqueConstraint(
                fields=["owner", "idempotency_key"],
                name="one_job_per_idempotency_key",
                condition=Q(idempotency_key__isnull=False),
                nulls_distinct=False,
            )
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def draining(self) -> bool:
        """Say whether it is to end early."""
        return self.intent == Intent.DRAIN


class Stage(models.Model):
    """A node of a job's DAG, with its tasks counted by state.

    `unplaced` are the tasks that are CREATED; of these, `blocked` wait for a pointwise input or for room in a buffer,
    `delayed` for the end of a backoff, and none may be placed while `open_needs` (stages that must end first) is above
    zero. `spent` are those whose last attempt began, so that the next one needs a new number. `done` are those that have
    ended, kept only where a pointwise consumer asks. `counts` is indexed by TaskState.
    """

    job = models.ForeignKey(Job, models.CASCADE, related_name="stages")
    position = models.IntegerField()
    name = models.CharField(max_length=100)
    spec = models.JSONField()
    #: What the description gives the tasks: args, kwargs, and the items of foreach.
    given = ExactJSONField(null=True)
    demand = models.JSONField()
    parallelism = models.IntegerField()
    open_needs = models.IntegerField(default=0)
    feeds_pointwise = models.BooleanField(default=False)
    #: Whether it gives to a buffer or takes from one.
    buffered = models.BooleanField(default=False, db_default=False)
    #: When its tasks were let through up to where, as [[seconds since the epoch, task], …] (lifecycle_rules.buffering).
    let_through = models.JSONField(null=True)
    unplaced = IndexSetField()
    blocked = IndexSetField()
    delayed = IndexSetField()
    spent = IndexSetField()
    done = IndexSetField()
    next_due = models.DateTimeField(null=True)
    counts = ArrayField(models.IntegerField(), size=TASK_PLACES)
    run_seconds = models.FloatField(default=0)
    refusal = models.JSONField(null=True)
    refused_at = models.DateTimeField(null=True)
    #: Which nodes cannot run it, and why, as {node's id: text} (lifecycle_rules.avoiding).
    avoided = models.JSONField(null=True)
    #: Which tasks stand from jobs that this one is a retry of; where they ran, as
    #: [[number of the job, stage, [[low, high], …]], …]; and why others that had finished run again, as texts.
    reused = IndexSetField(db_default="{}")
    origins = models.JSONField(null=True)
    rerun = models.JSONField(null=True)
    started_at = models.DateTimeField(null=True)
    ended_at = models.DateTimeField(null=True)

    class Meta:
        indexes = [models.Index(fields=["job"], name="live_stages", condition=Q(ended_at__isnull=True))]
        constraints = [models.UniqueConstraint(fields=["job", "position"], name="one_stage_per_position")]


class Items(models.Model):
    """What the tasks of a stage from `low` up to `high` are made from: a part of what foreach runs over."""

    stage = models.ForeignKey(Stage, models.CASCADE, related_name="items", db_index=False)
    low = models.IntegerField()
    high = models.IntegerField()
    items = ExactJSONField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["stage", "low"], name="one_row_per_part_of_items")]


class Edge(models.Model):
    """Stage `consumer` needs stage `producer`."""

    job = models.ForeignKey(Job, models.CASCADE, related_name="edges")
    producer = models.ForeignKey(Stage, models.CASCADE, related_name="consumers")
    consumer = models.ForeignKey(Stage, models.CASCADE, related_name="producers")
    exchange = models.CharField(max_length=10)
    #: How many results may wait to be taken; any number without.
    buffer = models.IntegerField(null=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["producer", "consumer"], name="one_edge_per_pair")]


class AttemptRecord(models.Model):
    """What is recorded of one attempt, wherever it stands: on its task's row while current, else in Attempt."""

    attempt = recorded(models.IntegerField(default=0), reset="attempt + 1", reused=False)
    node_id = recorded(models.BigIntegerField(null=True))
    scheduled_at = recorded(models.DateTimeField(null=True))
    started_at = recorded(models.DateTimeField(null=True))
    ended_at = recorded(models.DateTimeField(null=True))
    exit_class = recorded(models.CharField(max_length=20, null=True), reported=True, reused=False)
    exit_code = recorded(models.IntegerField(null=True), reported=True)
    error = recorded(models.TextField(null=True), reported=True, reused=False)
    metrics = recorded(models.JSONField(null=True), reported=True)
    accumulators = recorded(models.JSONField(null=True), reported=True)
    logs = recorded(models.JSONField(null=True), reported=True)
    #: The digest of what it was handed of other tasks' results (switchyard.scheduling.inputs); nothing if it needed none.
    #: It names stages of its own job.
    inputs = recorded(models.BigIntegerField(null=True), reported=True, shown=False, reused=False)

    class Meta:
        abstract = True


class Task(AttemptRecord):
    """One of a stage's parallel tasks, with its current attempt.

    The primary key is the only index: any other would make each change of state rewrite it (no HOT updates).
    """

    pk = models.CompositePrimaryKey("stage_id", "index")
    stage = models.ForeignKey(Stage, models.CASCADE, related_name="tasks", db_constraint=False, db_index=False)
    index = models.IntegerField()
    state = models.SmallIntegerField(choices=TaskState.choices(), default=TaskState.CREATED)
    failures = models.SmallIntegerField(default=0)
    losses = models.SmallIntegerField(default=0)
    not_before = models.DateTimeField(null=True)
    result = recorded(ExactJSONField(null=True), reported=True)
    result_digest = recorded(models.CharField(max_length=64, null=True), reported=True)
    #: The files that it hands on, as [output, path, digest, bytes, whether executable] each (lifecycle.ends.File).
    files = recorded(models.JSONField(null=True), reported=True)


class Attempt(AttemptRecord):
    """An older attempt of a task that was tried again."""

    stage = models.ForeignKey(Stage, models.CASCADE, related_name="attempts", db_constraint=False, db_index=False)
    index = models.IntegerField()
    state = models.SmallIntegerField(choices=TaskState.choices())

    class Meta:
        constraints = [models.UniqueConstraint(fields=["stage", "index", "attempt"], name="one_row_per_attempt")]


class Assignment(models.Model):
    """A run of alike entries of a node's list: tasks of one stage at the same attempt number, with the same devices.

    `listed` are those that have not ended, `held` those whose resources are granted, `started` those reported as begun;
    `waiting` counts those that are listed and not held, so that a round need not read the sets.
    `after` are the stages that must end FINISHED on this node first, as [[stage, from, to], …]. `entry` orders the list.
    `pause` is the node's epoch of pauses at the time: an agent that has settled a later pause returns what comes late.
    """

    node_id = models.BigIntegerField()
    session = models.CharField(max_length=40)
    entry = models.BigIntegerField()
    stage = models.ForeignKey(Stage, models.CASCADE, related_name="assignments", db_constraint=False)
    attempt = models.IntegerField()
    demand = models.JSONField()
    after = models.JSONField(default=list)
    listed = IndexSetField()
    held = IndexSetField()
    started = IndexSetField()
    waiting = models.IntegerField()
    recalled = models.BooleanField(default=False)
    pause = models.BigIntegerField(default=0)
    placed_at = models.DateTimeField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["node_id", "entry"], name="one_assignment_per_entry")]


class FailedStep(models.Model):
    """A step that the leader did not get over, how often in a row, and the job if it was at one alone (jobs.leader.hangs).

    With `held` the job was held for it, and is left out of the step as long as it is held.
    """

    step = models.CharField(max_length=40)
    job_id = models.UUIDField(null=True)
    count = models.IntegerField()
    held = models.BooleanField()
    at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["step", "job_id"], name="one_row_per_step_and_job", nulls_distinct=False)
        ]

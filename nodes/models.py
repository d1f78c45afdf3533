"""The cluster's tables. States of a node are derived from its facts (scheduling.lifecycle), never stored twice."""

import uuid

from django.db import models
from django.db.models import F, Q
from django.utils import timezone

from nodes.decisions import History


class Scheduler(models.Model):
    """The one row of cluster-wide switches; `pause_epoch` grows with each pause and resume."""

    paused = models.BooleanField(default=False)
    pause_reason = models.CharField(max_length=250, blank=True)
    pause_epoch = models.BigIntegerField(default=0)
    strategy = models.CharField(max_length=40, default="bias")
    #: The algorithm that serves pools, but for those that have one of their own: {pool: algorithm}.
    allocation = models.CharField(max_length=40, default="fifo")
    allocation_of = models.JSONField(default=dict, db_default={})
    #: How many processes should take messages (one leads and takes them all, so that this is only remembered).
    message_handlers = models.PositiveSmallIntegerField(default=1)
    #: What the leader logs from (jobs.leader.snapshot); the environment says what holds until this is changed.
    log_level = models.CharField(max_length=10, default="INFO")
    installation = models.UUIDField(default=uuid.uuid4, editable=False)
    updated_at = models.DateTimeField(auto_now=True)
    history = History(excluded_fields=["pause_epoch", "installation", "updated_at"])

    class Meta:
        constraints = [models.CheckConstraint(condition=Q(id=1), name="scheduler_is_a_singleton")]


class Node(models.Model):
    """A machine that an agent registered, or will."""

    name = models.CharField(max_length=100, unique=True)
    hostname = models.CharField(max_length=255, blank=True)
    pool = models.CharField(max_length=100, default="default")
    labels = models.JSONField(default=dict)
    slot_cpus = models.IntegerField(default=1000)
    active = models.BooleanField(default=True)
    paused = models.BooleanField(default=False)
    pause_reason = models.CharField(max_length=250, blank=True)
    draining = models.BooleanField(default=False)
    pause_epoch = models.BigIntegerField(default=0)
    #: When the agent confirmed the last pause: nothing has begun since, as long as it lasts.
    settled_at = models.DateTimeField(null=True)
    confirmed_pause = models.BigIntegerField(default=0)
    session = models.CharField(max_length=40, blank=True)
    silent_since = models.DateTimeField(null=True)
    #: Since when the session confirms nothing of what it is sent.
    deaf_since = models.DateTimeField(null=True)
    #: Whether the agent is to begin a new session, since the server does not know all that it said in this one.
    refused = models.BooleanField(default=False)
    #: The digest of the secret of the last registration, and the session that it went on from (nodes.generations).
    secret = models.CharField(max_length=64, blank=True, default="")
    predecessor = models.CharField(max_length=40, blank=True, default="")
    #: The id of the token that began the session.
    token = models.BigIntegerField(null=True)
    last_report = models.BigIntegerField(default=0)
    last_entry = models.BigIntegerField(default=0)
    heard_at = models.DateTimeField(null=True)
    registered_at = models.DateTimeField(null=True)
    info = models.JSONField(default=dict)
    figures = models.JSONField(default=dict)
    created_at = models.DateTimeField(default=timezone.now)
    changed_at = models.DateTimeField(default=timezone.now)
    deactivated_at = models.DateTimeField(null=True)
    #: Of what people decide; what an agent reports changes too often to be worth it.
    history = History(
        excluded_fields=[
            "pause_epoch",
            "confirmed_pause",
            "settled_at",
            "session",
            "silent_since",
            "deaf_since",
            "refused",
            "secret",
            "predecessor",
            "token",
            "last_report",
            "last_entry",
            "heard_at",
            "registered_at",
            "info",
            "figures",
            "created_at",
            "changed_at",
            "deactivated_at",
        ]
    )

    def __str__(self) -> str:
        return self.name


class NodeResource(models.Model):
    """How much of one resource a node has and how much of it is held.

    `capacity` is what holds are checked against: `total`, or while a total shrinks below what is held, the latter.
    """

    node = models.ForeignKey(Node, models.CASCADE, related_name="resources")
    name = models.CharField(max_length=40)
    total = models.BigIntegerField()
    capacity = models.BigIntegerField()
    held = models.BigIntegerField(default=0)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["node", "name"], name="one_row_per_node_and_resource"),
            models.CheckConstraint(condition=Q(held__gte=0, held__lte=F("capacity")), name="never_over_capacity"),
        ]


class Condition(models.Model):
    """An error or a warning that stands on a node until its cause is gone."""

    node = models.ForeignKey(Node, models.CASCADE, related_name="conditions")
    kind = models.CharField(max_length=10, choices=[("error", "error"), ("warning", "warning")])
    name = models.CharField(max_length=60)
    title = models.CharField(max_length=120)
    description = models.CharField(max_length=500, blank=True)
    started_at = models.DateTimeField()
    updated_at = models.DateTimeField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["node", "name"], name="one_row_per_node_and_condition")]


class Event(models.Model):
    """Something worth telling about a job or a node: never one per task. Both are named by their ids, and may be gone."""

    at = models.DateTimeField()
    kind = models.CharField(max_length=40)
    text = models.TextField()
    job_id = models.UUIDField(null=True)
    node_id = models.BigIntegerField(null=True)

    class Meta:
        indexes = [
            models.Index(fields=["job_id", "id"], name="events_by_job", condition=Q(job_id__isnull=False)),
            models.Index(fields=["node_id", "id"], name="events_by_node", condition=Q(node_id__isnull=False)),
            models.Index(fields=["kind", "id"], name="events_by_kind"),
            models.Index(fields=["at"], name="events_of_no_job", condition=Q(job_id__isnull=True)),
        ]

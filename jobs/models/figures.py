"""The tables of figures, and of layouts of graphs."""

from django.db import models
from django.db.models import Q

from jobs.models.execution import JobType


class LaidOut(models.Model):
    """The layout of a graph as JSON, by the digest of what Graphviz was given; or why there is none."""

    digest = models.CharField(max_length=64, primary_key=True)
    layout = models.TextField(null=True)
    reason = models.TextField(blank=True)
    made_at = models.DateTimeField()


class Figure(models.Model):
    """A bucket of a histogram of the main path: how many values were at most `bound` and above the next lower one.

    `sum` adds these values up. What is only counted has a single bucket. JOBS_SEEN says, in microseconds, up to
    which end jobs are counted.
    """

    class Name(models.TextChoices):
        ROUND = "round_seconds"
        LAG = "report_lag_seconds"
        PLANNING = "planning_seconds"
        JOB = "job_seconds"
        PLACEMENTS = "placements"
        JOBS_SEEN = "jobs_seen"

    name = models.CharField(max_length=40, choices=Name)
    label = models.CharField(max_length=40, default="")
    bound = models.FloatField()
    count = models.BigIntegerField(default=0)
    sum = models.FloatField(default=0)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["name", "label", "bound"], name="one_row_per_bucket")]


class Ended(models.Model):
    """How many attempts of jobs of a type ended on a node in five minutes, and how (jobs.telemetry.outcomes)."""

    node_id = models.BigIntegerField()
    job_type = models.ForeignKey(JobType, models.CASCADE, related_name="+", db_index=False)
    block = models.DateTimeField()
    outcome = models.CharField(max_length=10)
    count = models.BigIntegerField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["node_id", "job_type", "block", "outcome"], name="one_row_per_block_and_outcome")
        ]


class Survey(models.Model):
    """The one row of figures and rates that the leader writes every few seconds (jobs.leader.snapshot)."""

    at = models.DateTimeField()
    document = models.JSONField()

    class Meta:
        constraints = [models.CheckConstraint(condition=Q(id=1), name="survey_is_a_singleton")]

"""States that tasks save, and checkpoints."""

import django.db.models.deletion
from django.db import migrations, models

from jobs.fields import IndexSetField


class Migration(migrations.Migration):
    dependencies = [("jobs", "0029_operations")]

    operations = [
        migrations.CreateModel(
            name="Checkpoint",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("job", models.ForeignKey("jobs.job", django.db.models.deletion.CASCADE, related_name="checkpoints")),
                ("number", models.IntegerField()),
                ("state", models.SmallIntegerField(choices=[(0, "In Progress"), (1, "Completed"), (2, "Failed")], default=0)),
                ("is_periodic", models.BooleanField(default=True)),
                (
                    "operation",
                    models.OneToOneField(
                        "jobs.operation", django.db.models.deletion.SET_NULL, null=True, related_name="checkpoint"
                    ),
                ),
                ("asked", models.JSONField(null=True)),
                ("tasks", models.IntegerField(default=0)),
                ("answers", models.IntegerField(default=0)),
                ("size", models.BigIntegerField(default=0)),
                ("failure", models.TextField(blank=True, default="")),
                ("discarded", models.BooleanField(default=False)),
                ("triggered_at", models.DateTimeField()),
                ("ended_at", models.DateTimeField(null=True)),
            ],
            options={
                "indexes": [
                    models.Index(fields=["job"], name="checkpoints_in_progress", condition=models.Q(ended_at=None)),
                ],
                "constraints": [
                    models.UniqueConstraint(fields=["job", "number"], name="one_checkpoint_per_number"),
                ],
            },
        ),
        migrations.CreateModel(
            name="SavedStates",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("stage", models.ForeignKey("jobs.stage", django.db.models.deletion.CASCADE, related_name="saved_states")),
                (
                    "checkpoint",
                    models.ForeignKey(
                        "jobs.checkpoint", django.db.models.deletion.CASCADE, null=True, related_name="saved_states"
                    ),
                ),
                ("tasks", IndexSetField()),
                ("digest", models.CharField(max_length=64)),
                ("size", models.BigIntegerField()),
                ("states", models.JSONField()),
                ("stored_at", models.DateTimeField()),
            ],
        ),
    ]

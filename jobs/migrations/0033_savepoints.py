"""Savepoints, jobs that start from one, and states that came from tasks of another number."""

import django.db.models
from django.db import migrations, models

from switchyard.scheduling.lifecycle.operations import Kind
from switchyard.scheduling.lifecycle.states import Intent


class Migration(migrations.Migration):
    dependencies = [("jobs", "0032_functions")]

    operations = [
        migrations.AlterField(
            "Job", "intent", models.SmallIntegerField(choices=Intent.choices(), default=Intent.RUN, db_default=Intent.RUN)
        ),
        migrations.AlterField(
            "Operation", "kind", models.CharField(max_length=20, choices=[(kind.value, kind.value) for kind in Kind])
        ),
        migrations.AddField("Job", "restored_from", models.JSONField(null=True)),
        migrations.AddField("Checkpoint", "is_savepoint", models.BooleanField(default=False, db_default=False)),
        migrations.AddField("Checkpoint", "location", models.TextField(blank=True, default="", db_default="")),
        migrations.AddField("Checkpoint", "manifest", models.CharField(max_length=64, blank=True, default="", db_default="")),
        migrations.AddField("Checkpoint", "finished", models.JSONField(null=True)),
        migrations.AddIndex(
            "Checkpoint",
            models.Index(fields=["location"], name="savepoints", condition=django.db.models.Q(is_savepoint=True)),
        ),
        migrations.AddField("SavedStates", "together", models.BigIntegerField(null=True)),
    ]

"""Operations: requests that take their time."""

import django.db.models.deletion
from django.db import migrations, models

KINDS = ["checkpoint", "suspend"]


class Migration(migrations.Migration):
    dependencies = [("jobs", "0028_files")]

    operations = [
        migrations.RunSQL("CREATE SEQUENCE jobs_operation_number", "DROP SEQUENCE jobs_operation_number"),
        migrations.CreateModel(
            "Operation",
            [
                ("id", models.UUIDField(primary_key=True, serialize=False)),
                ("number", models.BigIntegerField(unique=True)),
                ("kind", models.CharField(max_length=20, choices=[(kind, kind) for kind in KINDS])),
                ("arguments", models.JSONField(default=dict)),
                ("requested_by", models.TextField()),
                ("requested_at", models.DateTimeField()),
                ("deadline", models.DateTimeField()),
                ("ended_at", models.DateTimeField(null=True)),
                ("outcome", models.JSONField(null=True)),
                ("failure", models.JSONField(null=True)),
                (
                    "job",
                    models.ForeignKey(
                        null=True, on_delete=django.db.models.deletion.CASCADE, related_name="operations", to="jobs.job"
                    ),
                ),
            ],
            options={
                "indexes": [
                    models.Index(fields=["id"], name="open_operations", condition=models.Q(ended_at__isnull=True)),
                    models.Index(fields=["ended_at"], name="ended_operations", condition=models.Q(job=None)),
                ]
            },
        ),
    ]

"""How attempts ended lately, what is at fault when they fail, and the leader's survey."""

import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("jobs", "0008_lease_taken_at")]

    operations = [
        migrations.AddField("jobtype", "failure_categories", models.JSONField(blank=True, default=dict)),
        migrations.CreateModel(
            name="Ended",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("node_id", models.BigIntegerField()),
                ("block", models.DateTimeField()),
                ("outcome", models.CharField(max_length=10)),
                ("count", models.BigIntegerField()),
                (
                    "job_type",
                    models.ForeignKey(
                        db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name="+", to="jobs.jobtype"
                    ),
                ),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(
                        fields=("node_id", "job_type", "block", "outcome"), name="one_row_per_block_and_outcome"
                    )
                ]
            },
        ),
        migrations.CreateModel(
            name="Survey",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("at", models.DateTimeField()),
                ("document", models.JSONField()),
            ],
            options={"constraints": [models.CheckConstraint(condition=models.Q(("id", 1)), name="survey_is_a_singleton")]},
        ),
    ]

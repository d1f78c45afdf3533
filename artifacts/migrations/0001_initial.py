"""Artifacts, and what refers to them."""

import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    initial = True

    dependencies = []

    operations = [
        migrations.CreateModel(
            name="Artifact",
            fields=[
                ("digest", models.CharField(max_length=64, primary_key=True, serialize=False)),
                ("touched_at", models.DateTimeField()),
            ],
            options={"indexes": [models.Index(fields=["touched_at"], name="artifacts_by_touch")]},
        ),
        migrations.CreateModel(
            name="Reference",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("kind", models.CharField(max_length=20)),
                ("referrer", models.CharField(max_length=100)),
                (
                    "artifact",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="references",
                        to="artifacts.artifact",
                    ),
                ),
            ],
            options={
                "indexes": [models.Index(fields=["kind", "referrer"], name="references_by_referrer")],
                "constraints": [
                    models.UniqueConstraint(
                        fields=("artifact", "kind", "referrer"), name="one_reference_per_artifact_and_referrer"
                    )
                ],
            },
        ),
    ]

"""Which tasks of a retried stage stand from other jobs, where their results were made, and why others run again."""

from django.db import migrations, models

import jobs.fields


class Migration(migrations.Migration):
    dependencies = [("jobs", "0026_suspension")]

    operations = [
        migrations.AddField("stage", "reused", jobs.fields.IndexSetField(db_default="{}")),
        migrations.AddField("stage", "origins", models.JSONField(null=True)),
        migrations.AddField("stage", "rerun", models.JSONField(null=True)),
    ]

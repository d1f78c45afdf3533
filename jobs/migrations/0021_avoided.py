"""Which nodes cannot run a stage."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("jobs", "0020_failed_steps")]

    operations = [
        migrations.AddField("stage", "avoided", models.JSONField(null=True)),
    ]

"""The id of the installation, by which others may know it."""

import uuid

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("nodes", "0005_scheduler_and_times")]

    operations = [
        migrations.AddField("scheduler", "installation", models.UUIDField(default=uuid.uuid4, editable=False)),
    ]

"""The files that tasks hand on."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("jobs", "0025_intent")]

    operations = [migrations.AddField("task", "files", models.JSONField(null=True))]

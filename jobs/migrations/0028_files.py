"""The files that tasks hand on."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("jobs", "0027_reused")]

    operations = [migrations.AddField("task", "files", models.JSONField(null=True))]

"""Jobs that end early: nothing more begins at their sources."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("jobs", "0009_tallies")]

    operations = [
        migrations.AddField("job", "draining", models.BooleanField(default=False, db_default=False)),
        migrations.AddIndex(
            "job",
            models.Index(
                fields=["id"], name="draining_jobs", condition=models.Q(("draining", True), ("ended_at__isnull", True))
            ),
        ),
    ]

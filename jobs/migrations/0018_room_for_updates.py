"""Half of each page of tasks is room: both updates of nearly every row stay on its page, and off the index (HOT)."""

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("jobs", "0017_laid_out")]
    operations = [
        migrations.RunSQL(
            "ALTER TABLE jobs_task SET (fillfactor = 50)",
            "ALTER TABLE jobs_task SET (fillfactor = 70)",
        )
    ]

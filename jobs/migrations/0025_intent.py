"""What people want of a job, beside what it is."""

from django.db import migrations, models
from django.db.models import Q

#: A job that is being canceled, or was, is wanted so, whether it drained before or not.
FORWARDS = """UPDATE jobs_job SET intent = CASE WHEN state IN (4, 5) THEN 2 ELSE 1 END WHERE draining OR state IN (4, 5)"""
BACKWARDS = "UPDATE jobs_job SET draining = true WHERE intent = 1"
INTENT = models.SmallIntegerField(choices=[(0, "RUN"), (1, "DRAIN"), (2, "CANCEL")], default=0, db_default=0)


class Migration(migrations.Migration):
    dependencies = [("jobs", "0024_states_entered")]

    operations = [
        migrations.AddField("job", "intent", INTENT),
        migrations.RunSQL(FORWARDS, BACKWARDS),
        migrations.RemoveIndex("job", "draining_jobs"),
        migrations.RemoveField("job", "draining"),
        migrations.AddIndex(
            "job", models.Index(fields=["id"], name="draining_jobs", condition=Q(intent=1, ended_at__isnull=True))
        ),
    ]

"""Jobs that are suspended: since when, by whom and why, and for how long they were."""

from django.db import migrations, models

JOB_STATES = [
    *[(0, "CREATED"), (1, "RUNNING"), (2, "FAILING"), (3, "FAILED"), (4, "CANCELING"), (5, "CANCELED"), (6, "FINISHED")],
    *[(11, "SUSPENDING"), (12, "SUSPENDED")],
]
INTENTS = [(0, "RUN"), (1, "DRAIN"), (2, "CANCEL"), (3, "SUSPEND")]


class Migration(migrations.Migration):
    dependencies = [("jobs", "0025_intent")]

    operations = [
        migrations.AlterField("job", "state", models.SmallIntegerField(choices=JOB_STATES, default=0)),
        migrations.AlterField("job", "intent", models.SmallIntegerField(choices=INTENTS, default=0, db_default=0)),
        migrations.AddField("job", "suspended_at", models.DateTimeField(null=True)),
        migrations.AddField("job", "suspended_by", models.TextField(blank=True, db_default="")),
        migrations.AddField("job", "suspend_reason", models.TextField(blank=True, db_default="")),
        migrations.AddField("job", "suspended_seconds", models.FloatField(default=0, db_default=0)),
    ]

"""The states that something enters, as choices."""

from django.db import migrations, models

from switchyard.scheduling.lifecycle.states import JobState, TaskState

JOB_STATES = [(0, "CREATED"), (1, "RUNNING"), (2, "FAILING"), (3, "FAILED"), (4, "CANCELING"), (5, "CANCELED"), (6, "FINISHED")]
TASK_STATES = [
    *[(0, "CREATED"), (1, "SCHEDULED"), (3, "RUNNING"), (4, "FINISHED")],
    *[(5, "CANCELING"), (6, "CANCELED"), (7, "FAILED"), (8, "RECONCILING")],
]


class Migration(migrations.Migration):
    dependencies = [("jobs", "0023_references")]

    operations = [
        migrations.AlterField("attempt", "state", models.SmallIntegerField(choices=TASK_STATES)),
        migrations.AlterField("job", "state", models.SmallIntegerField(choices=JOB_STATES, default=JobState.CREATED)),
        migrations.AlterField("task", "state", models.SmallIntegerField(choices=TASK_STATES, default=TaskState.CREATED)),
    ]

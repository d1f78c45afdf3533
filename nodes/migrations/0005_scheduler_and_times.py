"""What the scheduler logs, how many take messages; when nodes were made, last changed and taken out."""

import django.utils.timezone
from django.db import migrations, models

HANDLERS = models.PositiveSmallIntegerField(default=1)
LEVEL = models.CharField(default="INFO", max_length=10)
SINCE = """UPDATE nodes_node SET created_at = coalesce(
    (SELECT min(history_date) FROM nodes_historicalnode h WHERE h.id = nodes_node.id), registered_at, now()),
    changed_at = coalesce((SELECT max(history_date) FROM nodes_historicalnode h WHERE h.id = nodes_node.id), now()),
    deactivated_at = CASE WHEN NOT active THEN now() END"""


class Migration(migrations.Migration):
    dependencies = [("nodes", "0004_events")]

    operations = [
        migrations.AddField("scheduler", "message_handlers", HANDLERS),
        migrations.AddField("scheduler", "log_level", LEVEL),
        migrations.AddField("historicalscheduler", "message_handlers", HANDLERS),
        migrations.AddField("historicalscheduler", "log_level", LEVEL),
        migrations.AddField("node", "created_at", models.DateTimeField(default=django.utils.timezone.now)),
        migrations.AddField("node", "changed_at", models.DateTimeField(default=django.utils.timezone.now)),
        migrations.AddField("node", "deactivated_at", models.DateTimeField(null=True)),
        migrations.RunSQL(SINCE, migrations.RunSQL.noop),
    ]

"""The history of what people decide about nodes and the scheduler, begun with how things are."""

import django.db.models.deletion
import simple_history.models
from django.conf import settings
from django.db import migrations, models

BEGIN = """
INSERT INTO nodes_historicalscheduler (id, paused, pause_reason, strategy, allocation, history_date, history_type)
SELECT id, paused, pause_reason, strategy, allocation, now(), '+' FROM nodes_scheduler;
INSERT INTO nodes_historicalnode (id, name, hostname, pool, labels, slot_cpus, active, paused, pause_reason, draining,
    history_date, history_type)
SELECT id, name, hostname, pool, labels, slot_cpus, active, paused, pause_reason, draining, now(), '+' FROM nodes_node;
"""


class Migration(migrations.Migration):
    dependencies = [
        ("nodes", "0002_storage"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="HistoricalNode",
            fields=[
                ("id", models.BigIntegerField(auto_created=True, blank=True, db_index=True, verbose_name="ID")),
                ("name", models.CharField(db_index=True, max_length=100)),
                ("hostname", models.CharField(blank=True, max_length=255)),
                ("pool", models.CharField(default="default", max_length=100)),
                ("labels", models.JSONField(default=dict)),
                ("slot_cpus", models.IntegerField(default=1000)),
                ("active", models.BooleanField(default=True)),
                ("paused", models.BooleanField(default=False)),
                ("pause_reason", models.CharField(blank=True, max_length=250)),
                ("draining", models.BooleanField(default=False)),
                ("history_change_reason", models.CharField(max_length=250, null=True)),
                ("history_id", models.AutoField(primary_key=True, serialize=False)),
                ("history_date", models.DateTimeField(db_index=True)),
                (
                    "history_type",
                    models.CharField(choices=[("+", "Created"), ("~", "Changed"), ("-", "Deleted")], max_length=1),
                ),
                (
                    "history_user",
                    models.ForeignKey(
                        null=True, on_delete=django.db.models.deletion.SET_NULL, related_name="+", to=settings.AUTH_USER_MODEL
                    ),
                ),
            ],
            options={
                "verbose_name": "historical node",
                "verbose_name_plural": "historical nodes",
                "ordering": ("-history_date", "-history_id"),
                "get_latest_by": ("history_date", "history_id"),
            },
            bases=(simple_history.models.HistoricalChanges, models.Model),
        ),
        migrations.CreateModel(
            name="HistoricalScheduler",
            fields=[
                ("id", models.BigIntegerField(auto_created=True, blank=True, db_index=True, verbose_name="ID")),
                ("paused", models.BooleanField(default=False)),
                ("pause_reason", models.CharField(blank=True, max_length=250)),
                ("strategy", models.CharField(default="bias", max_length=40)),
                ("allocation", models.CharField(default="fifo", max_length=40)),
                ("history_change_reason", models.CharField(max_length=250, null=True)),
                ("history_id", models.AutoField(primary_key=True, serialize=False)),
                ("history_date", models.DateTimeField(db_index=True)),
                (
                    "history_type",
                    models.CharField(choices=[("+", "Created"), ("~", "Changed"), ("-", "Deleted")], max_length=1),
                ),
                (
                    "history_user",
                    models.ForeignKey(
                        null=True, on_delete=django.db.models.deletion.SET_NULL, related_name="+", to=settings.AUTH_USER_MODEL
                    ),
                ),
            ],
            options={
                "verbose_name": "historical scheduler",
                "verbose_name_plural": "historical schedulers",
                "ordering": ("-history_date", "-history_id"),
                "get_latest_by": ("history_date", "history_id"),
            },
            bases=(simple_history.models.HistoricalChanges, models.Model),
        ),
        migrations.RunSQL(BEGIN, migrations.RunSQL.noop),
    ]

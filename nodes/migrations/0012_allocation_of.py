"""Pools that are served by an algorithm of their own."""

from django.db import migrations, models

OF_POOLS = {"default": dict, "db_default": {}}


class Migration(migrations.Migration):
    dependencies = [("nodes", "0011_generations")]

    operations = [
        migrations.AddField("scheduler", "allocation_of", models.JSONField(**OF_POOLS)),
        migrations.AddField("historicalscheduler", "allocation_of", models.JSONField(**OF_POOLS)),
    ]

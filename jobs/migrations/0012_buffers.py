"""Buffers on edges: how many results of a stage may wait to be taken one by one."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("jobs", "0011_type_titles")]

    operations = [
        migrations.AddField("edge", "buffer", models.IntegerField(null=True)),
        migrations.AddField("stage", "buffered", models.BooleanField(default=False, db_default=False)),
        migrations.AddField("stage", "let_through", models.JSONField(null=True)),
    ]

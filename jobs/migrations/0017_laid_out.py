"""Layouts of graphs, kept for all web processes."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("jobs", "0016_lease_identity")]

    operations = [
        migrations.CreateModel(
            name="LaidOut",
            fields=[
                ("digest", models.CharField(max_length=64, primary_key=True, serialize=False)),
                ("layout", models.TextField(null=True)),
                ("reason", models.TextField(blank=True)),
                ("made_at", models.DateTimeField()),
            ],
        ),
    ]

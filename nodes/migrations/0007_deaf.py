"""Since when a node does not take its commands."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("nodes", "0006_installation")]

    operations = [
        migrations.AddField("node", "deaf_since", models.DateTimeField(null=True)),
    ]

"""The secret of a node's last registration, and the session that it went on from."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("nodes", "0010_refused")]

    operations = [
        migrations.AddField("node", "secret", models.CharField(max_length=64, blank=True, default="")),
        migrations.AddField("node", "predecessor", models.CharField(max_length=40, blank=True, default="")),
    ]

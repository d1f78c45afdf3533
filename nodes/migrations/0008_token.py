"""Which token began a node's session."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("nodes", "0007_deaf")]

    operations = [
        migrations.AddField("node", "token", models.BigIntegerField(null=True)),
    ]

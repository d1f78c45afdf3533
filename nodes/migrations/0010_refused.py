"""Sessions that the server does not go on with."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("nodes", "0009_settled_at")]

    operations = [
        migrations.AddField("node", "refused", models.BooleanField(default=False)),
    ]

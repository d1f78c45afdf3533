"""What the leader knows of the way through the broker to itself."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("jobs", "0013_inputs_handed")]

    operations = [
        migrations.AddField("lease", "broker", models.CharField(blank=True, default="", max_length=40)),
    ]

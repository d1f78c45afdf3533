"""Which database the installation goes on with, so that a copy that was put back is recognised."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("jobs", "0015_placed_before_pause")]

    operations = [
        migrations.AddField("lease", "identity", models.CharField(blank=True, default="", max_length=100)),
    ]

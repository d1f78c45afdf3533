"""How people are told of a type of jobs."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("jobs", "0010_draining")]

    operations = [
        migrations.AddField("jobtype", name, models.CharField(max_length=length, blank=True, db_default=""))
        for name, length in (("title", 100), ("description", 500), ("icon", 20))
    ]

"""How many entries of a list wait, counted where it is written."""

from django.db import migrations, models

COUNT = """UPDATE jobs_assignment SET waiting =
    (SELECT coalesce(sum(upper(r) - lower(r)), 0) FROM unnest(listed) r)
    - (SELECT coalesce(sum(upper(r) - lower(r)), 0) FROM unnest(held) r)"""


class Migration(migrations.Migration):
    dependencies = [("jobs", "0006_events_move")]
    operations = [
        migrations.AddField("assignment", "waiting", models.IntegerField(default=0), preserve_default=False),
        migrations.RunSQL(COUNT, migrations.RunSQL.noop),
    ]

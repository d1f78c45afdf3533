"""What a job's idempotency key stands for: a digest of the description that came with it."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("jobs", "0002_storage")]

    operations = [
        migrations.AddField(
            "job", "description_digest", models.CharField(max_length=64, blank=True, default=""), preserve_default=False
        ),
    ]

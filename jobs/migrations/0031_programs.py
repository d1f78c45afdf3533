"""Programs: archives that users upload."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("jobs", "0030_checkpoints")]

    operations = [
        migrations.RunSQL("CREATE SEQUENCE jobs_program_number", "DROP SEQUENCE jobs_program_number"),
        migrations.CreateModel(
            "Program",
            [
                ("id", models.UUIDField(primary_key=True, serialize=False)),
                ("number", models.BigIntegerField(unique=True)),
                ("name", models.CharField(max_length=200)),
                ("digest", models.CharField(max_length=64)),
                ("size", models.BigIntegerField()),
                ("manifest", models.TextField(blank=True)),
                ("main_class", models.TextField(blank=True)),
                ("classes", models.TextField(blank=True)),
                ("fault", models.TextField(blank=True)),
                ("uploaded_by", models.TextField()),
                ("uploaded_at", models.DateTimeField()),
            ],
        ),
    ]

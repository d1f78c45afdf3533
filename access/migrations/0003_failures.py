"""Wrong passwords, counted."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("access", "0002_roles")]

    operations = [
        migrations.CreateModel(
            "Failures",
            [
                ("key", models.CharField(max_length=200, primary_key=True, serialize=False)),
                ("count", models.IntegerField()),
                ("last_at", models.DateTimeField(db_index=True)),
            ],
            {"verbose_name_plural": "failures"},
        ),
    ]

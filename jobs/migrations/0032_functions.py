"""Operations that plan and run what functions of programs describe."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("jobs", "0031_programs")]

    operations = [
        migrations.AlterField(
            "Operation",
            "kind",
            models.CharField(max_length=20, choices=[(kind, kind) for kind in ("checkpoint", "plan", "run", "suspend")]),
        )
    ]

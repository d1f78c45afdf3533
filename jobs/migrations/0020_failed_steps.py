"""Steps that leaders did not get over."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("jobs", "0019_exact")]

    operations = [
        migrations.CreateModel(
            name="FailedStep",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("step", models.CharField(max_length=40)),
                ("job_id", models.UUIDField(null=True)),
                ("count", models.IntegerField()),
                ("held", models.BooleanField()),
                ("at", models.DateTimeField()),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(
                        fields=("step", "job_id"), name="one_row_per_step_and_job", nulls_distinct=False
                    )
                ]
            },
        ),
    ]

"""What stages run over, in parts instead of one value."""

import django.db.models.deletion
from django.db import migrations, models

import jobs.fields

MOVE = """
    INSERT INTO jobs_items (stage_id, low, high, items)
    SELECT id, 0, json_array_length(items), items FROM jobs_stage WHERE json_array_length(items) > 0;
"""
BACK = """
    UPDATE jobs_stage SET items = (
        SELECT json_agg(e.item ORDER BY i.low, e.number)
        FROM jobs_items i, json_array_elements(i.items) WITH ORDINALITY AS e(item, number) WHERE i.stage_id = jobs_stage.id)
    WHERE jsonb_typeof(spec -> 'foreach') = 'object';
"""


class Migration(migrations.Migration):
    dependencies = [("jobs", "0021_avoided")]

    operations = [
        migrations.CreateModel(
            name="Items",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("low", models.IntegerField()),
                ("high", models.IntegerField()),
                ("items", jobs.fields.ExactJSONField()),
                (
                    "stage",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="items",
                        to="jobs.stage",
                    ),
                ),
            ],
            options={
                "constraints": [models.UniqueConstraint(fields=("stage", "low"), name="one_row_per_part_of_items")],
            },
        ),
        migrations.RunSQL(MOVE, BACK),
        migrations.RemoveField(model_name="stage", name="items"),
    ]

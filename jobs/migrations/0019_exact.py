from django.db import migrations

import jobs.fields

#: What descriptions give to tasks, moved out of them; `foreach` is moved where it is a list.
MOVE = """
    UPDATE jobs_job SET config = (spec -> 'config')::json, spec = spec - 'config' WHERE spec ? 'config';
    UPDATE jobs_stage SET
        given = (SELECT jsonb_object_agg(key, value)::json FROM jsonb_each(spec)
            WHERE key IN ('args', 'kwargs') OR key = 'foreach' AND jsonb_typeof(value) = 'array'),
        spec = spec - 'args' - 'kwargs' - CASE WHEN jsonb_typeof(spec -> 'foreach') = 'array' THEN 'foreach' ELSE '' END;
"""
BACK = """
    UPDATE jobs_job SET spec = spec || jsonb_build_object('config', config::jsonb) WHERE config IS NOT NULL;
    UPDATE jobs_stage SET spec = spec || given::jsonb WHERE given IS NOT NULL;
"""


class Migration(migrations.Migration):
    dependencies = [("jobs", "0018_room_for_updates")]

    operations = [
        migrations.AddField("job", "config", jobs.fields.ExactJSONField(null=True)),
        migrations.AddField("stage", "given", jobs.fields.ExactJSONField(null=True)),
        migrations.AlterField("stage", "items", jobs.fields.ExactJSONField(null=True)),
        migrations.AlterField("task", "result", jobs.fields.ExactJSONField(null=True)),
        migrations.RunSQL(MOVE, BACK),
    ]

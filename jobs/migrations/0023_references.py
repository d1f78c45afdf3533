"""References of jobs to results that are artifacts."""

from django.db import migrations

REFER = """
    INSERT INTO artifacts_artifact (digest, touched_at)
    SELECT DISTINCT result_digest, now() FROM jobs_task WHERE result_digest IS NOT NULL ON CONFLICT DO NOTHING;
    INSERT INTO artifacts_reference (artifact_id, kind, referrer)
    SELECT DISTINCT t.result_digest, 'job', s.job_id::text FROM jobs_task t JOIN jobs_stage s ON s.id = t.stage_id
    WHERE t.result_digest IS NOT NULL ON CONFLICT DO NOTHING;
"""


class Migration(migrations.Migration):
    dependencies = [("jobs", "0022_items"), ("artifacts", "0001_initial")]

    operations = [migrations.RunSQL(REFER, migrations.RunSQL.noop)]

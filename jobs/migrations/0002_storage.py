"""How the busy tables are stored, and the rows and sequences that must exist from the start."""

from django.db import migrations

FORWARD = """
-- Three updates a row: room on its own page keeps them off the index (HOT).
ALTER TABLE jobs_task SET (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.05, autovacuum_vacuum_cost_delay = 0);
ALTER TABLE jobs_stage SET (fillfactor = 50, autovacuum_vacuum_threshold = 500, autovacuum_vacuum_scale_factor = 0.1);
ALTER TABLE jobs_job SET (fillfactor = 50);
ALTER TABLE jobs_assignment SET (fillfactor = 50, autovacuum_vacuum_threshold = 200, autovacuum_vacuum_scale_factor = 0);
CREATE SEQUENCE jobs_job_number;
INSERT INTO jobs_lease (id, holder, epoch, expires_at) VALUES (1, '', 0, to_timestamp(0));
"""
BACKWARD = "DROP SEQUENCE jobs_job_number; DELETE FROM jobs_lease;"


class Migration(migrations.Migration):
    dependencies = [("jobs", "0001_initial")]
    operations = [migrations.RunSQL(FORWARD, BACKWARD)]

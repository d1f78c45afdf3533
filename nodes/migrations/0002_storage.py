"""How the busy tables are stored, and the scheduler's one row."""

from django.db import migrations

FORWARD = """
ALTER TABLE nodes_node SET (fillfactor = 50);
ALTER TABLE nodes_noderesource SET (fillfactor = 50, autovacuum_vacuum_threshold = 200, autovacuum_vacuum_scale_factor = 0);
INSERT INTO nodes_scheduler (id, paused, pause_reason, pause_epoch, strategy, allocation, updated_at)
VALUES (1, false, '', 0, 'bias', 'fifo', now());
"""


class Migration(migrations.Migration):
    dependencies = [("nodes", "0001_initial")]
    operations = [migrations.RunSQL(FORWARD, "DELETE FROM nodes_scheduler")]

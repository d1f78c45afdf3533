"""Check whether the database is the one that the installation used last, or a restored copy.

A copy forgets what was done since it was made, and gives the same numbers again; agents, and folders of logs, still have
what was there under these numbers. So all agents begin new sessions, and epochs and stages go on from far above.
"""

from django.db import transaction

from database import rows
from nodes import trust

#: More leaders and more stages than there have been since any copy: a number is never given twice.
LEAP = 1_000_000
#: What differs for a copy: another server, a database or tables that were made anew. It stands in the catalog, where a copy
#: does not carry it along.
_IDENTITY = """SELECT concat_ws(' ', (SELECT system_identifier FROM pg_control_system()), d.oid, 'jobs_lease'::regclass::oid)
    FROM pg_database d WHERE d.datname = current_database()"""


def recognise() -> bool:
    """Say whether this database is a copy that was put back, and go on from there as after a restore."""
    if _known() == _identity():
        return False
    with transaction.atomic():
        known, now = _known(" FOR UPDATE"), _identity()
        if known is None or known == now:
            return False
        rows.execute("UPDATE jobs_lease SET identity = %s", [now])
        if known:
            restored()
    return bool(known)


def restored() -> None:
    """Have all agents begin new sessions, and give no number again that may have been given."""
    with transaction.atomic():
        trust.refuse(None, "the database was restored.")
        rows.execute("UPDATE jobs_lease SET epoch = epoch + %s, expires_at = to_timestamp(0)", [LEAP])
        rows.execute("SELECT setval('jobs_stage_id_seq', nextval('jobs_stage_id_seq') + %s)", [LEAP])


def _known(locked: str = "") -> str | None:
    found = rows.fetch(f"SELECT identity FROM jobs_lease{locked}")
    return str(found[0][0]) if found else None


def _identity() -> str:
    return str(rows.fetch(_IDENTITY)[0][0])

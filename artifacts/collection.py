"""Collection: an artifact goes when no reference names it and nobody has touched it for a day.

Why nothing goes that somebody is about to refer to, whatever happens at once:

* Whoever uploads an artifact or refers to it touches its row first, and so locks it. A row that is locked is skipped here;
  one that was touched since this statement began is looked at again by PostgreSQL, with its new time, and stays.
* Here the row stays locked until the file is gone. An upload that comes meanwhile waits in its touch, and looks for the
  file only then (artifacts.storing): it finds none, and stores it again under a new row.
* Who refers to an artifact because another does, as the retry of a job, has locked that other: it lets go of nothing
  before the new reference is committed, and one of the two is seen here.
* A file is only ever deleted under the lock of its row. One without, as after a restore of the database, first gets one.
"""

from collections.abc import Iterator
from datetime import datetime, timedelta
from itertools import islice

from django.db import transaction

from artifacts.storage import storage
from artifacts.storing import uploads
from database import rows

#: What nothing refers to may belong to a report or a submission that is on its way.
GRACE = timedelta(days=1)
#: Artifacts that are looked for at once, and files deleted in one transaction: who refers to one of them waits for it.
AT_ONCE, BATCH = 10_000, 50
_UNUSED = "touched_at < %s AND NOT EXISTS (SELECT FROM artifacts_reference WHERE artifact_id = digest)"


def collect(now: datetime) -> int:
    """Delete what nobody refers to, at most so much at once; return how many files that were."""
    before = now - GRACE
    uploads().discard(before)
    storage().discard_partial(before)
    _adopt(before)
    found = rows.fetch(f"SELECT digest FROM artifacts_artifact WHERE {_UNUSED} LIMIT %s", [before, AT_ONCE])
    digests = [digest for (digest,) in found]
    return sum(_delete(digests[at : at + BATCH], before) for at in range(0, len(digests), BATCH))


def unreferenced(before: datetime) -> Iterator[str]:
    """Yield the files that no reference names, and that nobody has written or touched since."""
    for files in _old_files(before):
        kept = rows.fetch(
            f"SELECT digest FROM artifacts_artifact WHERE digest = ANY(%s) AND NOT ({_UNUSED})", [list(files), before]
        )
        yield from sorted(files.keys() - {digest for (digest,) in kept})


def lost() -> Iterator[tuple[str, str, str]]:
    """Yield the references to artifacts that are not stored, as (digest, kind, id of the referrer)."""
    last = ""
    while found := rows.fetch(
        "SELECT DISTINCT artifact_id FROM artifacts_reference WHERE artifact_id > %s ORDER BY 1 LIMIT %s", [last, AT_ONCE]
    ):
        digests = [digest for (digest,) in found]
        gone = sorted(storage().missing(digests))
        yield from rows.fetch(
            "SELECT artifact_id, kind, referrer FROM artifacts_reference WHERE artifact_id = ANY(%s) ORDER BY 1, 2, 3", [gone]
        )
        last = digests[-1]


def _delete(digests: list[str], before: datetime) -> int:
    with transaction.atomic():
        # So that the constraint speaks before a file is gone, not at the commit.
        rows.execute("SET CONSTRAINTS ALL IMMEDIATE")
        locked = rows.fetch(
            f"""DELETE FROM artifacts_artifact WHERE digest = ANY(ARRAY(
                SELECT digest FROM artifacts_artifact WHERE digest = ANY(%s) AND {_UNUSED} FOR UPDATE SKIP LOCKED))
            RETURNING digest""",
            [digests, before],
        )
        return sum(storage().delete(digest) for (digest,) in locked)


def _adopt(before: datetime) -> None:
    """Give files without a row one, as if they had been touched when they were written."""
    for files in _old_files(before):
        rows.execute(
            "INSERT INTO artifacts_artifact (digest, touched_at) SELECT * FROM unnest(%s::text[], %s::timestamptz[]) "
            "AS file(digest, written) ORDER BY digest ON CONFLICT DO NOTHING",
            [list(files), list(files.values())],
        )


def _old_files(before: datetime) -> Iterator[dict[str, datetime]]:
    """Yield the files that were written before, with their times, some thousands at once."""
    old = ((digest, written) for digest, written in storage().stored() if written < before)
    while files := dict(islice(old, AT_ONCE)):
        yield files

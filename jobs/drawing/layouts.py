"""A cache of layouts for all web processes and across restarts; it also remembers graphs that have no layout.

Kept by the digest of the graph, which jobs of one plan share.
"""

import json
import time
from collections.abc import Callable
from dataclasses import asdict
from typing import Any

from django.db import connection

from jobs.drawing.layout import FAILED_FOR, Failed, Layout

#: Layouts that are kept, the newest.
MOST = 1000


def keep(digest: str, make: Callable[[], Layout | Failed]) -> Layout | Failed:
    """Return what is kept of a graph, or make it and keep it, while other processes that want it wait.

    By a connection of its own: the caller's may read a snapshot of before others kept it.
    """
    own = connection.copy()
    try:
        with own.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_lock(%s)", [int(digest[:15], 16)])
            found = _fetch(cursor, digest)
            if found is None:
                found = make()
                _store(cursor, digest, found)
        return found
    finally:
        own.close()


def _fetch(cursor: Any, digest: str) -> Layout | Failed | None:
    cursor.execute(
        """SELECT layout, reason, %s - extract(epoch FROM now() - made_at)::float8 FROM jobs_laidout
        WHERE digest = %s AND (layout IS NOT NULL OR made_at > now() - %s * interval '1 second')""",
        [FAILED_FOR, digest, FAILED_FOR],
    )
    row = cursor.fetchone()
    if row is None:
        return None
    text, reason, left = row
    return _read(json.loads(text)) if text else Failed(reason, time.monotonic() + left)


def _store(cursor: Any, digest: str, found: Layout | Failed) -> None:
    text, reason = (None, found.reason) if isinstance(found, Failed) else (json.dumps(asdict(found)), "")
    cursor.execute(
        """INSERT INTO jobs_laidout (digest, layout, reason, made_at) VALUES (%s, %s, %s, now())
        ON CONFLICT (digest) DO UPDATE SET layout = excluded.layout, reason = excluded.reason, made_at = now()""",
        [digest, text, reason],
    )
    cursor.execute(
        "DELETE FROM jobs_laidout WHERE digest IN (SELECT digest FROM jobs_laidout ORDER BY made_at DESC OFFSET %s)", [MOST]
    )


def _read(kept: dict[str, Any]) -> Layout:
    nodes = tuple((x, y) for x, y in kept["nodes"])
    edges = tuple(((tail, head), tuple((x, y) for x, y in points)) for (tail, head), points in kept["edges"])
    return Layout(kept["width"], kept["height"], nodes, edges)

"""References: what artifacts are kept for. They are written in the transaction that writes the referrer.

An artifact's row is locked by whoever touches it, always in the order of digests, and after all other rows.
"""

from collections.abc import Collection, Iterable
from uuid import UUID

from artifacts.kinds import Kind
from database import rows

Id = UUID | int | str

_REFER = """WITH told AS (
        SELECT DISTINCT referrer, digest FROM unnest(%s::text[], %s::text[]) AS told(referrer, digest)
    ), touched AS (
        INSERT INTO artifacts_artifact (digest, touched_at) SELECT DISTINCT digest, now() FROM told ORDER BY digest
        ON CONFLICT (digest) DO UPDATE SET touched_at = excluded.touched_at RETURNING digest
    )
    INSERT INTO artifacts_reference (artifact_id, kind, referrer)
    SELECT digest, %s, referrer FROM told JOIN touched USING (digest) ON CONFLICT DO NOTHING"""


def refer(kind: Kind, pairs: Collection[tuple[Id, str]]) -> None:
    """Keep artifacts for their referrers, given as (id of the referrer, digest); no statement for none."""
    if pairs:
        ids, digests = rows.columns(((str(id_), digest) for id_, digest in pairs), 2)
        rows.execute(_REFER, [ids, digests, kind.value])


def release(kind: Kind, ids: Iterable[Id]) -> None:
    """Let go of all that is kept for these referrers."""
    rows.execute(
        "DELETE FROM artifacts_reference WHERE kind = %s AND referrer = ANY(%s)", [kind.value, [str(id_) for id_ in ids]]
    )


def touch(digest: str) -> None:
    """Keep an artifact that nothing refers to yet for another day."""
    rows.execute(
        "INSERT INTO artifacts_artifact (digest, touched_at) VALUES (%s, now()) "
        "ON CONFLICT (digest) DO UPDATE SET touched_at = excluded.touched_at",
        [digest],
    )


def referrers(kind: Kind) -> list[str]:
    """Return the ids of all referrers of a kind."""
    return [id_ for (id_,) in rows.fetch("SELECT DISTINCT referrer FROM artifacts_reference WHERE kind = %s", [kind.value])]


def missing(kind: Kind, pairs: Collection[tuple[Id, str]]) -> list[tuple[str, str]]:
    """Return those pairs, of (id of the referrer, digest), between which there is no reference."""
    return rows.fetch(
        """SELECT told.referrer, told.digest FROM unnest(%s::text[], %s::text[]) AS told(referrer, digest)
        WHERE NOT EXISTS (SELECT FROM artifacts_reference r
            WHERE r.artifact_id = told.digest AND r.kind = %s AND r.referrer = told.referrer) ORDER BY 1, 2""",
        [*rows.columns(((str(id_), digest) for id_, digest in pairs), 2), kind.value],
    )

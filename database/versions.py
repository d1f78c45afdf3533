"""Which form the tables have."""

from datetime import datetime

from database import rows


def migrated_at() -> datetime | None:
    """Return when the tables last got another form, None if they have none yet."""
    ((at,),) = rows.fetch("SELECT max(applied) FROM django_migrations")
    return at  # type: ignore[no-any-return]

"""Lock-out: after many wrong passwords all passwords are refused for a while.

Counted by account and by peer, in rows of the database, so that all processes count together and no broker forgets.
Only passwords: tokens are too long to be guessed, and whoever is logged in stays so.
"""

import ipaddress
from collections.abc import Iterable
from datetime import datetime, timedelta

from django.conf import settings
from django.db import connection
from django.utils import timezone

from access.models import Failures

#: How long the last wrong password counts, and so how long an account or a peer is locked out.
LOCKED = timedelta(minutes=15)
#: Rows out of date that one wrong password clears away, more than it makes.
CLEARED = 10
IPV6_NETWORK = 64


def seconds_locked(account: str, peer: str) -> int:
    """Return for how many seconds no password is looked at, of this account or from this peer; 0 if it is now."""
    now = timezone.now()
    limits = _limits(account, peer)
    found = Failures.objects.filter(key__in=limits, last_at__gt=now - LOCKED)
    return max((_left(row.last_at, now) for row in found if row.count >= limits[row.key]), default=0)


def note_failure(account: str, peer: str) -> bool:
    """Count a wrong password; say whether it was among those that are allowed, also by tries at the same time."""
    with connection.cursor() as cursor:
        # Sorted, so that two at once lock the rows in one order.
        for key, limit in sorted(_limits(account, peer).items()):
            cursor.execute(
                """INSERT INTO access_failures AS f (key, count, last_at) VALUES (%(key)s, 1, now())
                ON CONFLICT (key) DO UPDATE SET last_at = now(),
                    count = CASE WHEN f.last_at > now() - %(counts)s::interval THEN f.count + 1 ELSE 1 END
                WHERE f.count < %(limit)s OR f.last_at <= now() - %(counts)s::interval""",
                {"key": key, "limit": limit, "counts": f"{LOCKED.total_seconds()} seconds"},
            )
            if cursor.rowcount == 0:
                return False
    _clear()
    return True


def forget(accounts: Iterable[str]) -> None:
    """Begin to count anew for accounts: their password was right, or an admin lets them in again."""
    Failures.objects.filter(key__in=[_account(name) for name in accounts]).delete()


def _limits(account: str, peer: str) -> dict[str, int]:
    """Return how many failures are too many, by what they are counted by; 0 in the settings: any number."""
    limits = {_account(account): settings.LOGIN_FAILURES, _peer(peer): settings.LOGIN_FAILURES_OF_PEER}
    return {key: limit for key, limit in limits.items() if limit}


def _account(name: str) -> str:
    return f"account {name[:150]}"


def _peer(address: str) -> str:
    """Return a machine, or the network that one machine can take all addresses of."""
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return "peer unknown"
    if found.version == 4:
        return f"peer {found}"
    if found.ipv4_mapped:
        return f"peer {found.ipv4_mapped}"
    return f"peer {ipaddress.ip_network((found, IPV6_NETWORK), strict=False)}"


def _left(last_at: datetime, now: datetime) -> int:
    return max(1, round((last_at + LOCKED - now).total_seconds()))


def _clear() -> None:
    late = Failures.objects.filter(last_at__lt=timezone.now() - LOCKED).order_by("last_at").values("key")[:CLEARED]
    Failures.objects.filter(key__in=list(late.values_list("key", flat=True))).delete()

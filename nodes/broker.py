"""Broker users: each live session has a Redis user that reads its own queue and writes to the server's.

Name and password follow from the server's secret key, so that nothing secret is stored and any process can make a user
again: Redis forgets all of them when it restarts. The leader compares once a second; whoever has no session any more, or is
not trusted (nodes.trust), loses its user, and with it all of its connections.
"""

import hashlib
import time
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import TYPE_CHECKING, Any

import structlog
from celery import current_app
from django.conf import settings
from django.utils.crypto import salted_hmac
from redis.connection import parse_url
from redis.exceptions import ResponseError

from database import rows
from nodes import events
from nodes.models import Node
from nodes.trust import TRUSTED
from switchyard.messaging import transport
from switchyard.messaging.messages import HEARTBEAT_QUEUE, REPORT_QUEUE, queue_of
from switchyard.scheduling.lifecycle.events import Told

if TYPE_CHECKING:
    from redis import Redis

log = structlog.get_logger()
#: Seconds between attempts at a broker that makes no users.
AGAIN = 60.0
#: What any user may: connect, and look at and take what is in its own queue. `queue` and `database` are filled in.
OWN = "~{queue} +brpop +lpush +ltrim +expire +llen +ping +multi +exec +select|{database}"
#: What clients also send at each connection; Redis 7.0 does not know it, and refuses a user with it.
FROM_7_2 = "+client|setinfo"
#: What any user may with the queues of the server: add, and of reports see how many wait; heartbeats, which are worth
#: nothing a moment later, bound themselves.
OF_SERVER = (
    f"%W~{REPORT_QUEUE} +lpush",
    f"%R~{REPORT_QUEUE} +llen",
    f"%W~{HEARTBEAT_QUEUE} +lpush +ltrim +expire",
)
_REFUSED = (
    "Redis makes no users for nodes ({error}): agents log in with their own REDIS_URL, and one whose token is revoked can "
    "still do so. Let the server's user run ACL (Redis 7 or Valkey), or change the password when a node is taken away."
)


@dataclass(frozen=True, slots=True)
class User:
    """A user of the broker, for one session."""

    name: str
    password: str
    queue: str

    def make(self, client: "Redis") -> None:
        """Make it, or put it right. Raises ResponseError where that is not allowed or not known."""
        own = OWN.format(queue=self.queue, database=_database()).split()
        digest = hashlib.sha256(self.password.encode()).hexdigest()
        rules = ("reset", "on", f"#{digest}", *own, *(f"({selector})" for selector in OF_SERVER))
        try:
            client.execute_command("ACL SETUSER", self.name, *rules, FROM_7_2)  # type: ignore[no-untyped-call]  # untyped
        except ResponseError as error:
            if FROM_7_2 not in str(error):
                raise
            client.execute_command("ACL SETUSER", self.name, *rules)  # type: ignore[no-untyped-call]  # untyped


def admit(node: Node) -> User | None:
    """Make the user of a node's session; None where the broker makes none. If it is away, the leader makes the user later."""
    user = _user(node.id, node.session, node.token)
    try:
        with transport.client(current_app) as client:
            user.make(client)
    except ResponseError as error:
        log.warning("no user made at the broker", node=node.name, error=str(error))
        return None
    except transport.FAILURES as error:
        log.warning("broker not reached to make a user", node=node.name, error=str(error))
    return user


class Users:
    """Keeps the users at the broker as the sessions in the database are."""

    def __init__(self) -> None:
        self._refused = False
        self._due = 0.0

    def keep(self) -> None:
        """Make the users that are missing, and delete those that are over."""
        if time.monotonic() < self._due:
            return
        try:
            with transport.client(current_app) as client:
                _compare(client)
            self._refused = False
        except ResponseError as error:
            self._note(str(error))
        except transport.FAILURES as error:
            log.warning("users of the broker not looked at", error=str(error))

    def _note(self, error: str) -> None:
        self._due = time.monotonic() + AGAIN
        if not self._refused:
            self._refused = True
            text = _REFUSED.format(error=error)
            log.warning(text)
            events.record([Told("broker_users_refused", text)])


def _compare(client: "Redis") -> None:
    # Before the sessions are read: a user is made after its session, so that one without has lost it.
    known = set(_known(client.acl_users()))
    found = rows.fetch(f"SELECT id, session, token FROM nodes_node n WHERE session <> '' AND {TRUSTED}")
    wanted = {user.name: user for user in (_user(*row) for row in found)}
    for name in wanted.keys() - known:
        wanted[name].make(client)
    if over := known - wanted.keys():
        client.acl_deluser(*over)


def _known(names: Iterable[Any]) -> Iterable[str]:
    texts = (name.decode() if isinstance(name, bytes) else name for name in names)
    return (name for name in texts if name.startswith(_prefix()))


@lru_cache(maxsize=10_000)
def _user(node: int, session: str, token: int | None) -> User:
    """Return the user of a session that was begun, or gone on with, by a token: another token is another password."""
    password = salted_hmac("nodes.broker", f"{node} {session} {token}", algorithm="sha256").hexdigest()
    digest = hashlib.sha256(password.encode()).hexdigest()[:12]
    return User(f"{_prefix()}{node}-{digest}", password, queue_of(session))


@cache
def _prefix() -> str:
    """Return how the names of this installation's users begin: others may use other databases of the same Redis."""
    mark = salted_hmac("nodes.broker.installation", str(_database()), algorithm="sha256").hexdigest()[:8]
    return f"switchyard-{mark}-node-"


@cache
def _database() -> int:
    return int(parse_url(settings.REDIS_URL).get("db", 0))  # type: ignore[no-untyped-call]  # untyped

"""Health: is this process up, and is the installation ready to take jobs and to run them."""

import time
from collections.abc import Callable

import redis
from django.conf import settings
from django.db import DatabaseError, connection
from django.db.migrations.executor import MigrationExecutor
from django.http import HttpRequest, JsonResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from access.rules import PUBLIC, requires
from artifacts.errors import StorageFull, StorageUnavailable
from artifacts.storage import storage
from jobs.reading import selectors

OK = "ok"
REDIS_SECONDS = 1.0
#: Seconds for which the state of the storage counts: a question writes to it.
PROBED_AGAIN = 10.0

_migrated: set[str] = set()
#: When the storage is asked next, by the clock of the process, and what it was found to be.
_probed: dict[str, float] = {}
_storage_is: dict[str, str] = {}


@requires(PUBLIC)
@never_cache
@require_safe
def healthz(request: HttpRequest) -> JsonResponse:
    """Say that this process answers."""
    return JsonResponse({"status": OK})


@requires(PUBLIC)
@never_cache
@require_safe
def readyz(request: HttpRequest) -> JsonResponse:
    """Say whether jobs are taken and run: database, tables, broker, leader, its messages, storage."""
    checks = {name: check() for name, check in _CHECKS.items()}
    ready = all(found == OK for found in checks.values())
    return JsonResponse({"status": "ready" if ready else "not ready", "checks": checks}, status=200 if ready else 503)


def _database() -> str:
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    except DatabaseError:
        return "does not answer"
    return OK


def _migrations() -> str:
    """Compare the tables with the code, until they agree: the code of a process does not change."""
    name = str(connection.settings_dict["NAME"])
    try:
        if name not in _migrated:
            executor = MigrationExecutor(connection)
            if executor.migration_plan(executor.loader.graph.leaf_nodes()):
                return "not applied"
            _migrated.add(name)
    except DatabaseError:
        return "unknown"
    return OK


def _redis() -> str:
    try:
        with redis.Redis.from_url(
            settings.REDIS_URL, socket_timeout=REDIS_SECONDS, socket_connect_timeout=REDIS_SECONDS
        ) as client:
            client.ping()
    except redis.RedisError:
        return "does not answer"
    return OK


def _leader() -> str:
    try:
        return OK if selectors.leader().alive else "none"
    except DatabaseError:
        return "unknown"


def _messages() -> str:
    """Say what the leader last knew of the way through the broker to itself."""
    try:
        return selectors.leader().broker or OK
    except DatabaseError:
        return "unknown"


def _storage() -> str:
    """Say what keeps artifacts from being stored, as was found in the last seconds."""
    now = time.monotonic()
    if now > _probed.get("next", 0.0):
        _probed["next"] = now + PROBED_AGAIN
        _storage_is["now"] = _probe()
    return _storage_is["now"]


def _probe() -> str:
    try:
        storage().probe()
    except StorageFull:
        return "full"
    except StorageUnavailable as error:
        return str(error).partition(";")[0].rstrip(".")
    return OK


_CHECKS: dict[str, Callable[[], str]] = {
    "database": _database,
    "migrations": _migrations,
    "redis": _redis,
    "leader": _leader,
    "messages": _messages,
    "storage": _storage,
}

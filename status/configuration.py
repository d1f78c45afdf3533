"""The settings of this installation as they are in effect, without what is secret in them."""

import re

from django.conf import settings

MASK = "******"
_SECRET = re.compile("SECRET|PASSWORD|TOKEN", re.IGNORECASE)
#: The settings that operators make (docs/operating.md), by the names that the server has for them.
SHOWN = (
    "ALLOWED_HOSTS",
    "CORS_ORIGINS",
    "DATA_DIR",
    "DEBUG",
    "DESCRIPTION_LIMITS",
    "KEEP_DAYS",
    "LARGEST_ARTIFACT",
    "LARGEST_BODY",
    "LARGEST_LOG",
    "LOGIN_FAILURES",
    "LOGIN_FAILURES_OF_PEER",
    "QUOTA_JOBS",
    "QUOTA_TASKS",
    "REDIS_URL",
    "SECRET_KEY",
    "SHUTDOWN_COMMAND",
    "STORAGE",
    "SWITCHYARD_BOUND_TO",
    "SWITCHYARD_OPEN_ON_LOOPBACK",
    "TIME_ZONE",
    "TRUSTED_PROXIES",
    "WIRES",
)
_CREDENTIALS = re.compile(r"://[^/@]*@")


def effective() -> dict[str, str]:
    """Return settings as texts by name; secrets, and credentials in addresses, are masked."""
    return {name: MASK if _SECRET.search(name) else _shown(getattr(settings, name)) for name in SHOWN}


def _shown(value: object) -> str:
    text = ",".join(map(str, value)) if isinstance(value, list | tuple) else str(value)
    return _CREDENTIALS.sub(f"://{MASK}@", text)

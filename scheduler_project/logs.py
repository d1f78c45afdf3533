"""Logs: every line is an event with its facts, as JSON for programs or as text for people at a terminal."""

import logging
import sys
from typing import Any

import structlog
from django.core.exceptions import ImproperlyConfigured

_SHARED: tuple[Any, ...] = (
    structlog.contextvars.merge_contextvars,
    structlog.stdlib.add_log_level,
    structlog.stdlib.add_logger_name,
    structlog.processors.TimeStamper(fmt="iso", utc=True),
    structlog.processors.format_exc_info,
)


def configuration(level: str, format: str) -> dict[str, Any]:
    """Set structlog up and return Django's LOGGING; without a format, terminals get text and files JSON."""
    if level not in logging.getLevelNamesMapping():
        raise ImproperlyConfigured(f"SWITCHYARD_LOG_LEVEL={level} is not one of DEBUG, INFO, WARNING, ERROR, CRITICAL.")
    shown = format or ("console" if sys.stderr.isatty() else "json")
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *_SHARED,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "filters": {"asked": {"()": "django.utils.log.CallbackFilter", "callback": _is_not_readiness}},
        "formatters": {
            "events": {
                "()": structlog.stdlib.ProcessorFormatter,
                "processors": _last(shown),
                "foreign_pre_chain": _SHARED,
            }
        },
        "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "events"}},
        "root": {"handlers": ["stderr"], "level": level},
        "loggers": {
            # Django tells of each request that fails; lines for those that go well cost more than they tell.
            "django_structlog": {"level": "CRITICAL"},
            "django.request": {"filters": ["asked"]},
            # Two lines for each message would be most of a scheduler's log.
            "celery": {"level": "WARNING"},
        },
    }


def _is_not_readiness(record: logging.LogRecord) -> bool:
    """Leave out what is asked many times a second while a stack starts, and answers with all it knows."""
    return getattr(getattr(record, "request", None), "path", "") != "/readyz"


def _last(shown: str) -> list[Any]:
    if shown not in ("json", "console"):
        raise ImproperlyConfigured(f"SWITCHYARD_LOG_FORMAT={shown} is neither json nor console.")
    renderer: Any = structlog.processors.JSONRenderer() if shown == "json" else structlog.dev.ConsoleRenderer()
    return [structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer]

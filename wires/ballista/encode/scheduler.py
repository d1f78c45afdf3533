"""The scheduler's own state and version."""

from datetime import datetime
from typing import Any

#: The release whose shapes these are, and that of DataFusion which it is built on.
VERSION = DATAFUSION = "54.1.0"


def version() -> dict[str, str]:
    """Return which release is spoken."""
    return {"version": VERSION, "datafusion_version": DATAFUSION}


def state(started: datetime | None) -> dict[str, Any]:
    """Return since when the scheduler leads, and what it can do."""
    return {
        "started": moment(started),
        **version(),
        "substrait_support": False,
        "keda_support": False,
        "prometheus_support": True,
        "graphviz_support": True,
        "spark_support": False,
        "scheduling_policy": "push-staged",
    }


def moment(at: datetime | None) -> int:
    """Return a time in milliseconds since 1970."""
    return round(at.timestamp() * 1000) if at else 0

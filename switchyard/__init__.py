"""What a user imports: the job builder, the client, and what a task sees of itself.

Each name is loaded at its first use: tasks import `switchyard.task` alone, and start without the client's libraries.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from switchyard.answers import JobStatus, NodeStatus, SchedulerStatus, StageStatus, TaskStatus
    from switchyard.builder import Job, Stage
    from switchyard.client import Client
    from switchyard.errors import JobFailed, OperationFailed, Refused, ServerFailed, Unreachable
    from switchyard.submitted import Submitted
    from switchyard.task import Task

__all__ = [
    "Client",
    "Job",
    "JobFailed",
    "JobStatus",
    "NodeStatus",
    "OperationFailed",
    "Refused",
    "SchedulerStatus",
    "ServerFailed",
    "Stage",
    "StageStatus",
    "Submitted",
    "Task",
    "TaskStatus",
    "Unreachable",
]

_HOMES = {
    "answers": ("JobStatus", "NodeStatus", "SchedulerStatus", "StageStatus", "TaskStatus"),
    "builder": ("Job", "Stage"),
    "client": ("Client",),
    "errors": ("JobFailed", "OperationFailed", "Refused", "ServerFailed", "Unreachable"),
    "submitted": ("Submitted",),
    "task": ("Task",),
}
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names}


def __getattr__(name: str) -> Any:
    if name not in _HOME_OF:
        raise AttributeError(f"module 'switchyard' has no attribute {name!r}")
    return getattr(import_module(f"switchyard.{_HOME_OF[name]}"), name)


def __dir__() -> list[str]:
    return __all__

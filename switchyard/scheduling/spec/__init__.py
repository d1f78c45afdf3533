"""Job descriptions: what a user may ask for, checked once and then trusted."""

from switchyard.scheduling.spec.editing import Edit, edited, read_edit
from switchyard.scheduling.spec.environments import Environment
from switchyard.scheduling.spec.limits import Limits
from switchyard.scheduling.spec.parsing import from_data, from_json, parse, require_within, stage_from_json, to_json
from switchyard.scheduling.spec.publishing import json_schema
from switchyard.scheduling.spec.reading import Format
from switchyard.scheduling.spec.types import (
    Backoff,
    CheckpointRule,
    Constraint,
    Exchange,
    ForeachFrom,
    JobSpec,
    Need,
    Op,
    RetryOn,
    RetryRule,
    StageSpec,
    Timeouts,
    TypeRef,
)

__all__ = [
    "Backoff",
    "CheckpointRule",
    "Constraint",
    "Edit",
    "Environment",
    "Exchange",
    "ForeachFrom",
    "Format",
    "JobSpec",
    "Limits",
    "Need",
    "Op",
    "RetryOn",
    "RetryRule",
    "StageSpec",
    "Timeouts",
    "TypeRef",
    "edited",
    "from_data",
    "from_json",
    "json_schema",
    "parse",
    "read_edit",
    "require_within",
    "stage_from_json",
    "to_json",
]

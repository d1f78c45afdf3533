"""Model fields of this app: sets of task indexes, JSON that is kept as it was written, and columns of attempts."""

from dataclasses import dataclass
from typing import Any, TypeVar

from django.db import models
from psycopg.types.json import Json

from switchyard.scheduling.indexes import IndexSet

F = TypeVar("F", bound=models.Field)  # type: ignore[type-arg]


class IndexSetField(models.Field):  # type: ignore[type-arg]
    """An `IndexSet`, kept as int4multirange (PostgreSQL 14 and later)."""

    def db_type(self, connection: Any) -> str:
        return "int4multirange"

    def from_db_value(self, value: Any, expression: Any, connection: Any) -> IndexSet | None:
        if value is None:
            return None
        return IndexSet.from_multirange(value) if isinstance(value, str) else IndexSet.of((r.lower, r.upper) for r in value)

    def get_prep_value(self, value: Any) -> Any:
        return value.to_multirange() if isinstance(value, IndexSet) else value

    def get_db_prep_value(self, value: Any, connection: Any, prepared: bool = False) -> Any:  # noqa: FBT001  Django's signature
        return self.get_prep_value(value)

    def value_to_string(self, obj: Any) -> str:
        return str(self.get_prep_value(self.value_from_object(obj)))


class ExactJSONField(models.JSONField):
    """JSON of users as its text (PostgreSQL's json): jsonb makes 602… of 6.02e23 and 0.0 of -0.0, and sorts keys."""

    def db_type(self, connection: Any) -> str:
        return "json"

    def from_db_value(self, value: Any, expression: Any, connection: Any) -> Any:
        """Return it as it is: psycopg has read it, which Django keeps it from doing with jsonb alone."""
        return value

    def get_db_prep_value(self, value: Any, connection: Any, prepared: bool = False) -> Any:  # noqa: FBT001  Django's signature
        return value if value is None or isinstance(value, models.Expression) else Json(value)


@dataclass(frozen=True, slots=True)
class Recorded:
    """How a column of an attempt is used; `reset` is the SQL of its value when the next attempt of the task begins.

    `reported` columns are those of which the end of an attempt (lifecycle.ends.End) has the value, by the same name. `shown`
    ones are read where an attempt is shown. `reused` ones are copied from finished tasks when a job is retried.
    """

    reset: str
    reported: bool
    shown: bool
    reused: bool


def recorded(field: F, *, reset: str = "NULL", reported: bool = False, shown: bool = True, reused: bool = True) -> F:
    """Declare a column of an attempt. All SQL that lists such columns is made from this (jobs.store.columns)."""
    field.recorded = Recorded(reset, reported, shown, reused)  # type: ignore[attr-defined]
    return field

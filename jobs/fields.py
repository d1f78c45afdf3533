"""Model fields of this app: sets of task indexes as PostgreSQL multiranges."""

from typing import Any

from django.db import models

from scheduling.indexes import IndexSet


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

"""The columns of attempts as SQL lists them, made from their declarations in jobs.models."""

from typing import NamedTuple

from django.db.models import BigIntegerField, IntegerField, JSONField, Model

from jobs.fields import Recorded
from jobs.models import Attempt, Task
from jobs.store import exact


def declared(model: type[Model]) -> dict[str, Recorded]:
    """Return the declared columns of a table."""
    fields = {field.column: getattr(field, "recorded", None) for field in model._meta.concrete_fields}
    return {name: how for name, how in fields.items() if name and how}


class Reported(NamedTuple):
    """A column of which ends have the value: as which SQL type it travels, and what is written of what has arrived."""

    name: str
    type: str
    written: str
    is_json: bool


def _reported(name: str) -> Reported:
    field = Task._meta.get_field(name)
    is_json = isinstance(field, JSONField) and name != "result"
    kind = "bigint" if isinstance(field, BigIntegerField) else "int" if isinstance(field, IntegerField) else "text"
    return Reported(name, kind, WRITTEN.get(name, f"found.{name}::jsonb" if is_json else f"found.{name}"), is_json)


#: What is written of these is not just the value: a result is a JSON text already, and no inputs are 0.
WRITTEN = {"result": exact.RESULT, "inputs": "nullif(found.inputs, 0)"}
#: What is recorded of an end as it is reported.
REPORTED = tuple(_reported(name) for name, how in declared(Task).items() if how.reported)
#: What is copied when an attempt is over and its task is tried again.
ARCHIVED = ", ".join(declared(Attempt))
#: What the next attempt begins with. A result is none of an attempt that is over: only the last attempt has one.
RESET = ", ".join(f"{name} = {how.reset}" for name, how in declared(Task).items())
#: What a retried job takes along of finished tasks.
REUSED = tuple(name for name, how in declared(Task).items() if how.reused)
#: What is shown of an attempt, which of it is JSON, and what is shown beside it of a task in full.
SHOWN = tuple(name for name, how in declared(Attempt).items() if how.shown)
JSON = tuple(name for name in SHOWN if isinstance(Attempt._meta.get_field(name), JSONField))
SHOWN_IN_FULL = tuple(name for name, how in declared(Task).items() if how.shown and name not in SHOWN)

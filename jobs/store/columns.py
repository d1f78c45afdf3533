"""The columns of attempts as SQL lists them, made from their declarations in jobs.models."""

from django.db.models import JSONField, Model

from jobs.fields import Recorded
from jobs.models import Attempt, Task


def declared(model: type[Model]) -> dict[str, Recorded]:
    """Return the declared columns of a table."""
    fields = {field.column: getattr(field, "recorded", None) for field in model._meta.concrete_fields}
    return {name: how for name, how in fields.items() if name and how}


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

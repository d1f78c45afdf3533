"""What is at fault when an attempt fails: its data, its program, or the system that ran it.

The class of its end says so, unless the job's type knows better: a table that names exit codes ("3"), exceptions
("InvalidData") and classes ("timeout").
"""

from collections.abc import Iterator, Mapping
from enum import StrEnum

from switchyard.scheduling.retry import ExitClass, Failure


class Category(StrEnum):
    """What is at fault."""

    DATA = "data"
    ALGORITHM = "algorithm"
    SYSTEM = "system"


CATEGORIES = {
    ExitClass.USER_ERROR: Category.ALGORITHM,
    ExitClass.TIMEOUT: Category.ALGORITHM,
    ExitClass.OUT_OF_MEMORY: Category.ALGORITHM,
    ExitClass.UNLOADABLE: Category.ALGORITHM,
    ExitClass.ENVIRONMENT: Category.ALGORITHM,
    ExitClass.KILLED: Category.SYSTEM,
    ExitClass.LOST: Category.SYSTEM,
    ExitClass.SUSPENDED: Category.SYSTEM,
}


def category(failure: Failure, table: Mapping[str, str]) -> Category:
    """Return what is at fault; the first name that the table knows decides."""
    known = next((table[name] for name in _names(failure) if name in table), CATEGORIES[failure.exit_class])
    return Category(known)


def _names(failure: Failure) -> Iterator[str]:
    """Return what a failure may be called in a table, the most exact first: exceptions by full names and by short ones."""
    if failure.exit_code is not None:
        yield str(failure.exit_code)
    for exception in failure.exceptions:
        yield exception
        yield exception.rpartition(".")[2]
    yield failure.exit_class

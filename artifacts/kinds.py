"""What may refer to an artifact."""

from enum import StrEnum


class Kind(StrEnum):
    """The kind of a referrer; each has ids of its own."""

    JOB = "job"
    STATE = "state"
    PROGRAM = "program"

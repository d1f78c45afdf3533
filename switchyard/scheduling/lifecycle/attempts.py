"""Attempts: which number a task's next attempt has. A number that an attempt may have used is spent."""

from collections import defaultdict
from collections.abc import Iterator

from switchyard.scheduling.indexes import IndexSet
from switchyard.scheduling.lifecycle.records import Records
from switchyard.scheduling.lifecycle.rows import StageRow

#: Tasks of one entry at the most, so that any part of it can be named in a message.
LONGEST = 20_000


def number(records: Records, stage: StageRow, indexes: IndexSet) -> list[tuple[int, IndexSet]]:
    """Give tasks that are about to be placed their attempt numbers; return them by number, in parts that make an entry.

    Tasks that never began keep their number. A CREATED task with an end has spent its number.
    """
    again = indexes & stage.spent
    if not again:
        return list(_divided(0, indexes))
    records.archive(stage.id, again)
    groups: dict[int, list[int]] = defaultdict(list)
    for index, attempt in records.attempts(stage.id, again):
        groups[attempt].append(index)
    numbered = [(attempt, IndexSet.from_indexes(members)) for attempt, members in sorted(groups.items())]
    return [part for attempt, members in ((0, indexes - again), *numbered) for part in _divided(attempt, members)]


def _divided(attempt: int, members: IndexSet) -> Iterator[tuple[int, IndexSet]]:
    left = members
    while left:
        part, left = left.take(LONGEST)
        yield attempt, part

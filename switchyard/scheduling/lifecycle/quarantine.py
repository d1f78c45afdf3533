"""Quarantine: a task that goes down with its nodes again and again may be what takes them down; it is not tried once more.

Three losses are too many where they were on two nodes, or where there is no second node to try. A task that never comes
to another node is given up in the end all the same.
"""

from collections import defaultdict
from collections.abc import Iterable

from switchyard.scheduling.indexes import IndexSet
from switchyard.scheduling.lifecycle.records import Records

#: Losses of a started attempt after which a task is not tried again, and after which it is not even on one node alone.
LOSSES = 3
MOST = 2 * LOSSES


def last_chances(records: Records, told: Iterable[tuple[int, int, int, int]]) -> dict[int, IndexSet]:
    """Return by stage which of these tasks, told as (node, stage, from, to), may not be lost there once more."""
    found: dict[int, list[int]] = defaultdict(list)
    for each in records.exposed(told, LOSSES - 1):
        if each.elsewhere or each.alone or each.losses + 1 >= MOST:
            found[each.stage].append(each.task)
    return defaultdict(IndexSet, {stage: IndexSet.from_indexes(indexes) for stage, indexes in found.items()})


def reason(name: str, indexes: IndexSet) -> str:
    """Say why a job fails whose tasks were quarantined."""
    tasks = ", ".join(str(index) for index in indexes.take(5)[0]) + ("…" if len(indexes) > 5 else "")
    return f"stage {name}: quarantined task {tasks}: lost {LOSSES} times or more with the node that ran it"

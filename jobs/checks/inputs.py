"""Check that tasks received the results of their producers: compare the digests that agents report."""

from collections import defaultdict

from database import rows
from switchyard.scheduling.indexes import IndexSet
from switchyard.scheduling.inputs import digest, shares
from switchyard.scheduling.lifecycle.states import TaskState


def wrongly_handed() -> list[tuple[int, int]]:
    """Return the tasks, as (stage, index), whose report names other inputs than the producers' results."""
    reported = rows.fetch(
        "SELECT stage_id, inputs, range_agg(int4range(index, index + 1))::text FROM jobs_task "
        "WHERE inputs IS NOT NULL GROUP BY 1, 2"
    )
    needs = _needs({stage for stage, _, _ in reported})
    return [
        (stage, index)
        for stage, inputs, indexes in reported
        for tasks in _alike(needs[stage], IndexSet.from_multirange(indexes))
        if inputs != digest((need.producer, need.given & need.share(tasks)) for need in needs[stage])
        for index in tasks
    ]


class _Need:
    """A stage that another needs, and which of its tasks gave a result."""

    def __init__(self, producer: int, pointwise: bool, size: int, consumers: int, given: str | None) -> None:  # noqa: FBT001
        self.producer = producer
        self.pointwise = pointwise
        self.given = IndexSet.from_multirange(given or "{}")
        self._sizes = size, consumers

    def share(self, tasks: IndexSet) -> IndexSet:
        """Return which of its tasks some tasks of the consumer are handed."""
        return shares(tasks, *self._sizes) if self.pointwise else IndexSet.span(0, self._sizes[0])


def _alike(needs: list[_Need], tasks: IndexSet) -> list[IndexSet]:
    """Split tasks into those that are handed the same."""
    if any(need.pointwise for need in needs):
        return [IndexSet.span(index, index + 1) for index in tasks]
    return [tasks]


def _needs(stages: set[int]) -> dict[int, list[_Need]]:
    needs = defaultdict(list)
    for consumer, *need in rows.fetch(
        """SELECT e.consumer_id, p.id, e.exchange = 'pointwise', p.parallelism, c.parallelism,
            (SELECT range_agg(int4range(index, index + 1))::text FROM jobs_task WHERE stage_id = p.id AND state = %s)
        FROM jobs_edge e JOIN jobs_stage p ON p.id = e.producer_id JOIN jobs_stage c ON c.id = e.consumer_id
        WHERE e.consumer_id = ANY(%s)""",
        [int(TaskState.FINISHED), list(stages)],
    ):
        needs[consumer].append(_Need(*need))
    return needs

"""Targets bind in random histories, and alike in SQL and in memory."""

import uuid
from collections import Counter
from random import Random

import pytest
import redis

from switchyard.scheduling.allocation.base import ALGORITHMS
from switchyard.scheduling.lifecycle.states import LISTED
from switchyard.simulation.memory.store import Store
from tests.lifecycle.histories import History
from tests.lifecycle.shapes import CHARACTERS
from tests.scheduling.capping import Capping, cap

STEPS = 80


@pytest.mark.parametrize("character", ["mixed", "stopped", "brief"])
def test_no_job_ever_has_more_tasks_on_nodes_than_it_is_granted(
    transactional_db: None, broker: redis.Redis, monkeypatch: pytest.MonkeyPatch, character: str
) -> None:
    drawn = Random(character)
    monkeypatch.setattr(uuid, "uuid4", lambda: uuid.UUID(int=drawn.getrandbits(128), version=4))
    # Asked once by the rules on SQL, and once by those in memory.
    capping = Capping(alike=2)
    for name in ("fifo", "lifo"):
        monkeypatch.setitem(ALGORITHMS, name, capping.algorithm)
    history = History(CHARACTERS[character], seed=1)
    for _ in range(STEPS):
        history.step()
        assert _over(history.both.store) == {}
    assert capping.calls


def _over(store: Store) -> dict[int, int]:
    """Return the jobs that have more tasks on nodes than they are granted, with how many."""
    listed, most = Counter[int](), Counter[int]()
    for stage in store.stages.values():
        job = store.jobs[stage.row.job_id].row.number
        listed[job] += sum(stage.row.counts[state] for state in LISTED)
        most[job] = max(most[job], cap(job), stage.row.parallelism if stage.row.gang else 0)
    return {job: count for job, count in listed.items() if count > most[job]}

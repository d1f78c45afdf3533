"""No job has more tasks on nodes than its pool's algorithm grants it, at any commit of whole runs."""

from collections import Counter
from collections.abc import Iterator

import pytest

from switchyard.scheduling.allocation.base import ALGORITHMS
from switchyard.scheduling.lifecycle.states import LISTED
from switchyard.simulation import invariants
from switchyard.simulation.memory.store import Store
from switchyard.simulation.runs import run
from tests.scheduling.capping import Capping, cap


def within_targets(store: Store) -> Iterator[str]:
    """Yield jobs with more tasks on nodes than they are ever granted at once."""
    listed: Counter[int] = Counter()
    gangs: Counter[int] = Counter()
    for stage in store.stages.values():
        job = store.jobs[stage.row.job_id].row.number
        listed[job] += sum(stage.row.counts[state] for state in LISTED)
        gangs[job] = max(gangs[job], stage.row.parallelism if stage.row.gang else 0)
    for job, count in listed.items():
        if count > max(cap(job), gangs[job]):
            yield f"job {job} has {count} tasks on nodes, and is granted {cap(job)}"


@pytest.mark.parametrize("part", range(4))
def test_targets_bind_whatever_happens(monkeypatch: pytest.MonkeyPatch, part: int) -> None:
    capping = Capping()
    for name in ("fifo", "lifo"):
        monkeypatch.setitem(ALGORITHMS, name, capping.algorithm)
    monkeypatch.setattr(invariants, "INVARIANTS", (*invariants.INVARIANTS, ("targets", within_targets)))
    for seed in range(1 + part * 10, 1 + (part + 1) * 10):
        ended = run(seed)
        assert not ended.broken, "\n".join([*ended.story, f"seed {seed}: {ended.broken}"])
    assert capping.bounded

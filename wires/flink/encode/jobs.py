"""Jobs: lists, single jobs, settings."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from json import dumps
from operator import itemgetter
from typing import TYPE_CHECKING, Any

from switchyard.scheduling.lifecycle.states import JOB_STARTABLE, JobState, TaskState
from wires.flink import ids, states
from wires.flink.encode.measures import NONE, counts, io, last_modification, sums, times
from wires.writing import with_rows

if TYPE_CHECKING:
    from jobs.reading.counts import Tally
    from jobs.reading.progress import Flows, Progress

Row = dict[str, Any]
_TASKS = {word: word.lower() for word in states.TASK_WORDS}
#: States are numbered so that those of tasks that do not run yet come first.
_BEGUN = int(TaskState.RUNNING)


def listed(found: Iterable[tuple[str, JobState]]) -> dict[str, Any]:
    """Return ids and states."""
    return {"jobs": [{"id": ids.job_id(id_), "status": states.JOBS[state]} for id_, state in found]}


def overview(pieces: Iterable[Sequence["Tally"]], shape: Callable[[Row], Row], *, now: int) -> Iterator[str]:
    """Yield the text of the list of all jobs, each row in the shape that was asked for."""
    rows = (shape(row(tally, now=now)) for tallies in pieces for tally in tallies)
    return with_rows({}, "jobs", rows)


def row(tally: "Tally", *, now: int) -> Row:
    """Return a job as the list shows it; `pending` is of the older shape. Flink's command line takes no other keys."""
    pending = sum(tally.counts[:_BEGUN])
    tasks = {_TASKS[word]: count for word, count in counts(tally.counts).items()}
    return {
        "jid": ids.job_id(tally.id),
        "name": tally.name,
        "state": states.JOBS[tally.state],
        **times(tally.created, tally.ended, now),
        "last-modification": last_modification(tally),
        "tasks": {"total": sum(tally.counts), "pending": pending, **tasks},
    }


def in_full(
    tally: "Tally",
    entered: Mapping[JobState, int],
    stages: Sequence["Progress"],
    flows: Mapping[int, "Flows"],
    plan: dict[str, Any],
    *,
    now: int,
) -> dict[str, Any]:
    """Return a job with its vertices and its graph."""
    vertices = [_vertex(stage, flows, now=now) for stage in stages]
    found = Counter(vertex["status"] for vertex in vertices)
    return {
        "jid": ids.job_id(tally.id),
        "name": tally.name,
        "isStoppable": tally.state in JOB_STARTABLE,
        "state": states.JOBS[tally.state],
        **times(tally.created, tally.ended, now),
        "maxParallelism": NONE,
        "now": now,
        "timestamps": _timestamps(tally, entered),
        "vertices": vertices,
        "status-counts": {word: found[word] for word in states.TASK_WORDS},
        "plan": plan,
    }


def config(shown: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings of a job: those that it brought along are `user-config`, as texts."""
    spec: Mapping[str, Any] = shown["spec"]
    given: Mapping[str, Any] = spec.get("config") or {}
    retry = dumps(spec["retry"]) if spec.get("retry") else "No restart"
    return {
        "jid": ids.job_id(shown["id"]),
        "name": shown["name"],
        "execution-config": {
            "execution-mode": "PIPELINED",
            "restart-strategy": retry,
            "job-parallelism": NONE,
            "object-reuse-mode": False,
            "user-config": {name: value if isinstance(value, str) else dumps(value) for name, value in given.items()},
        },
    }


def _vertex(stage: "Progress", flows: Mapping[int, "Flows"], *, now: int) -> dict[str, Any]:
    status = states.vertex(stage.counts, ended=stage.ended is not None)
    return {
        "id": ids.vertex_id(stage.id),
        "name": stage.name,
        "parallelism": stage.tasks,
        "maxParallelism": stage.tasks,
        "status": states.TASKS[status],
        **times(stage.started, stage.ended, now),
        "tasks": counts(stage.counts),
        "metrics": io(sums(flows[stage.id])),
    }


def _timestamps(tally: "Tally", entered: Mapping[JobState, int]) -> dict[str, int]:
    known = {**entered, JobState.CREATED: tally.created}
    if tally.started is not None:
        known[JobState.RUNNING] = tally.started
    if tally.ended is not None:
        known[tally.state] = tally.ended
    # Of two states that are one word, the time of the first.
    words = {states.JOBS[state]: at for state, at in sorted(known.items(), key=itemgetter(1), reverse=True)}
    return {word: words.get(word, 0) for word in states.JOB_WORDS}

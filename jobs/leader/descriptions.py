"""What agents need to know of stages, read from the rows. Long descriptions are left out; agents fetch them over HTTP."""

import json
from collections import defaultdict
from collections.abc import Iterable
from typing import Any

from django.conf import settings

from database import rows
from jobs.store.results import ended_without, kind_of
from switchyard.leader.descriptions import STAGE, Described, Description
from switchyard.leader.packing import RANGE
from switchyard.scheduling.indexes import IndexSet
from switchyard.scheduling.lifecycle.states import Intent, TaskState

#: Bytes of a description that travel in a command. Of a longer one an agent is told what stands for it (`Description.short`).
LARGE = 64 * 1024
#: Of these, bytes of items, of the results of one producer, and of the results of all producers.
INLINE, RESULTS = 8 * 1024, 32 * 1024
#: Bytes of descriptions that are remembered.
REMEMBERED = 32 * 1024 * 1024
#: Bytes of a message, about, for each input of a stage, beside texts of users; for a result.
INPUT, RESULT = 120, 20
_SPECS = """SELECT s.id, job_id::text, s.name, parallelism, left((s.spec - 'files' - 'foreach' - 'needs')::text, %(most)s),
        left((s.given -> 'args')::text, %(most)s), left((s.given -> 'kwargs')::text, %(most)s),
        CASE WHEN s.spec -> 'files' <> '{}' OR s.spec ? 'program' THEN encode(sha256(convert_to(
            (s.spec -> 'files')::text || coalesce((s.spec -> 'program')::text, ''), 'UTF8')), 'hex') END,
        left(coalesce((SELECT i.items::text FROM jobs_items i WHERE i.stage_id = s.id ORDER BY low LIMIT 1),
            (s.given -> 'foreach')::text), %(most)s), (j.spec ->> 'disconnect_grace')::float8,
        left((CASE WHEN s.spec ->> 'environment' IS NULL AND s.spec ->> 'interpreter' IS NULL
            THEN j.spec -> 'environment' END)::text, %(most)s), left(nullif(j.config::text, '{}'), %(most)s),
        j.restored_from IS NOT NULL
    FROM jobs_stage s JOIN jobs_job j ON j.id = s.job_id WHERE s.id = ANY(%(stages)s)"""


class StoredDescriptions:
    """Descriptions of stages, of which what never changes is remembered."""

    def __init__(self) -> None:
        self._specs: Described = {}
        self._size = 0

    def ask(self, stages: set[int]) -> rows.Answer[Described]:
        """Ask what agents are told of these stages now."""
        if self._size > REMEMBERED:
            self._specs, self._size = {}, 0
        unknown = stages - self._specs.keys()
        specs, inputs = _ask_specs(unknown, LARGE), _ask_inputs(stages)

        def answer() -> Described:
            new = specs()
            self._specs |= new
            self._size += sum(spec.size for spec in new.values())
            given = inputs()
            return {stage: _whole(self._specs[stage], given[stage]).within(LARGE) for stage in stages}

        return answer

    def read(self, stages: set[int]) -> Described:
        """Return what agents are told of these stages now."""
        with rows.together():
            return self.ask(stages)()


def description_of(stage: int) -> dict[str, Any] | None:
    """Return all that agents are told of a stage, however long, but for its files and long items; None if there is none."""
    with rows.together():
        specs, inputs = _ask_specs({stage}, 2**31 - 1), _ask_inputs([stage])
        found = specs().get(stage)
        return _whole(found, inputs()[stage]).told if found else None


def _whole(spec: Description, inputs: Description) -> Description:
    if "left_out" in spec.told:
        return spec
    return Description({**spec.told, **inputs.told}, spec.size + inputs.size)


def _ask_specs(stages: set[int], most: int) -> rows.Answer[Described]:
    """Ask what never changes of stages; what takes more bytes than this is left out."""
    if not stages:
        return dict
    asked = rows.execute(_SPECS, {"stages": list(stages), "most": min(most + 1, 2**31 - 1)})
    return lambda: {row[0]: _spec(most, *row[1:]) for row in asked.fetchall()}


def _spec(
    most: int,
    job: str,
    name: str,
    parallelism: int,
    spec: str,
    args: str | None,
    kwargs: str | None,
    files: str | None,
    items: str | None,
    grace: float | None,
    environment: str | None,
    config: str | None,
    restored: bool,  # noqa: FBT001 - a column of the row
) -> Description:
    texts = {"args": args, "kwargs": kwargs, "environment": environment}
    short = items if items and len(items) <= INLINE else None
    size = STAGE + sum(len(json.dumps(text)) for text in (name, spec, config, short, *texts.values()) if text)
    left_out = {"files_digest": files, "foreach": True if items else None}
    whole = {name: json.loads(text) for name, text in texts.items() if text} | json.loads(spec) if size <= most else {}
    described = Description(
        {
            "job": job,
            "name": name,
            "parallelism": parallelism,
            "spec": {**whole, **left_out},
            "items": {str(index): item for index, item in enumerate(json.loads(short))} if short else {},
            **({"restored": True} if restored else {}),
            **({"disconnect_grace": grace} if grace else {}),
            **({"config": json.loads(config)} if config and size <= most else {}),
            **({"largest_file": settings.LARGEST_ARTIFACT} if whole.get("outputs") else {}),
        },
        size,
    )
    return described.within(most)


def _ask_inputs(stages: Iterable[int]) -> rows.Answer[Described]:
    """Ask what the producers of each stage have given so far; an agent fetches what is missing, such as many results."""
    consumers = list(stages)
    asked = rows.execute(
        """SELECT e.consumer_id, e.producer_id, p.name, p.parallelism, e.exchange, p.counts[%s],
            p.counts[%s] + p.counts[%s] > 0, (SELECT j.intent = %s FROM jobs_job j WHERE j.id = p.job_id),
            coalesce((p.spec ->> 'gang')::bool, false), p.spec -> 'outputs'
        FROM jobs_edge e JOIN jobs_stage p ON p.id = e.producer_id WHERE e.consumer_id = ANY(%s) ORDER BY p.position""",
        [
            int(TaskState.FINISHED) + 1,
            int(TaskState.CANCELED) + 1,
            int(TaskState.FAILED) + 1,
            int(Intent.DRAIN),
            consumers,
        ],
    )
    return lambda: _inputs(consumers, [(*edge[:-1], list(json.loads(edge[-1] or "{}"))) for edge in asked.fetchall()])


def _inputs(consumers: Iterable[int], edges: list[Any]) -> Described:
    # What hands on files is asked for, so that the files are fetched with it.
    given = _results({edge[1] for edge in edges if 0 < edge[5] <= INLINE // 2 and not edge[9]})
    without = ended_without({edge[1] for edge in edges if edge[6] and not edge[9]})
    inputs: dict[int, list[dict[str, Any]]] = {consumer: [] for consumer in consumers}
    sizes, left = dict.fromkeys(inputs, 0), dict.fromkeys(inputs, RESULTS)
    for consumer, producer, name, parallelism, exchange, _, _, draining, gang, outputs in edges:
        told = {"stage": producer, "name": name, "parallelism": parallelism, "exchange": exchange, "given": []}
        outcomes, size = _outcomes(given.get(producer, []), without.get(producer, {}), draining=draining)
        if size <= left[consumer]:
            left[consumer] -= size
            told |= outcomes
        inputs[consumer].append({**told, **({"gang": True} if gang else {}), **({"files": outputs} if outputs else {})})
        sizes[consumer] += INPUT + len(json.dumps([name, *outputs]))
    return {
        consumer: Description({"inputs": told}, sizes[consumer] + RESULTS - left[consumer])
        for consumer, told in inputs.items()
    }


def _outcomes(
    given: list[tuple[int, str]], without: dict[TaskState, IndexSet], *, draining: bool
) -> tuple[dict[str, Any], int]:
    """Return what tasks of a producer have given, or that they will give nothing, and about how many bytes that takes."""
    ended = {kind_of(state, draining=draining): tasks for state, tasks in without.items()}
    size = sum(2 * len(text) + RESULT for _, text in given) + sum(RANGE * len(tasks.ranges) for tasks in ended.values())
    return {"given": given, **{kind: tasks.to_json() for kind, tasks in ended.items()}}, size


def _results(stages: set[int]) -> dict[int, list[tuple[int, str]]]:
    """Return the results of stages that are short, all of one stage together; of others none."""
    results: dict[int, list[tuple[int, str]]] = defaultdict(list)
    if stages:
        for stage, index, result in rows.fetch(
            """SELECT stage_id, index, coalesce(result::text, 'null') FROM (
                SELECT stage_id, index, result, sum(octet_length(result::text)) OVER (PARTITION BY stage_id) AS bytes
                FROM jobs_task WHERE stage_id = ANY(%s) AND state = %s AND result_digest IS NULL
            ) found WHERE coalesce(bytes, 0) <= %s""",
            [list(stages), int(TaskState.FINISHED), INLINE],
        ):
            results[stage].append((index, result))
    return results

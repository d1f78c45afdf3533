"""Describing: what agents are told of stages. What is long is left out, and they fetch it over HTTP."""

import json
from collections import defaultdict
from collections.abc import Iterable
from hashlib import sha256
from typing import Any

from database import rows
from jobs.results import ended_without, kind_of
from scheduling.lifecycle import TaskState

#: Bytes of results that travel in a command; an agent fetches more over HTTP.
INLINE_INPUTS = 8 * 1024
#: What agents are told of stages, by id.
Described = dict[int, dict[str, Any]]


class Descriptions:
    """Descriptions of stages, of which what never changes is remembered."""

    def __init__(self) -> None:
        self._specs: dict[int, dict[str, Any]] = {}

    def ask(self, stages: set[int]) -> rows.Answer[Described]:
        """Ask what agents are told of these stages now."""
        asked, inputs = self._ask_specs(stages), ask_inputs(stages)

        def answer() -> Described:
            asked()
            given = inputs()
            return {stage: {**self._specs[stage], "inputs": given[stage]} for stage in stages}

        return answer

    def _ask_specs(self, stages: set[int]) -> rows.Answer[None]:
        if len(self._specs) > 10_000:
            self._specs.clear()
        missing = stages - self._specs.keys()
        if not missing:
            return lambda: None
        asked = rows.execute(
            "SELECT s.id, job_id::text, s.name, parallelism, (s.spec - 'files' - 'foreach')::text, "
            "(s.given -> 'args')::text, (s.given -> 'kwargs')::text, (s.spec -> 'files')::text, "
            "coalesce(items, s.given -> 'foreach')::text, (j.spec ->> 'disconnect_grace')::float8 "
            "FROM jobs_stage s JOIN jobs_job j ON j.id = s.job_id WHERE s.id = ANY(%s)",
            [list(missing)],
        )
        return lambda: self._specs.update((row[0], _spec(*row[1:])) for row in asked.fetchall())


def ask_inputs(stages: Iterable[int]) -> rows.Answer[dict[int, list[dict[str, Any]]]]:
    """Ask what the producers of each stage have given so far; an agent fetches what is missing, such as many results."""
    inputs: dict[int, list[dict[str, Any]]] = {stage: [] for stage in stages}
    asked = rows.execute(
        """SELECT e.consumer_id, e.producer_id, p.name, p.parallelism, e.exchange, p.counts[%s],
            p.counts[%s] + p.counts[%s] > 0, (SELECT j.draining FROM jobs_job j WHERE j.id = p.job_id),
            coalesce((p.spec ->> 'gang')::bool, false)
        FROM jobs_edge e JOIN jobs_stage p ON p.id = e.producer_id WHERE e.consumer_id = ANY(%s) ORDER BY p.position""",
        [int(TaskState.FINISHED) + 1, int(TaskState.CANCELED) + 1, int(TaskState.FAILED) + 1, list(inputs)],
    )
    return lambda: _inputs(inputs, asked.fetchall())


def _inputs(inputs: dict[int, list[dict[str, Any]]], edges: list[Any]) -> dict[int, list[dict[str, Any]]]:
    given = _results({edge[1] for edge in edges if 0 < edge[5] <= INLINE_INPUTS // 2})
    without = ended_without({edge[1] for edge in edges if edge[6]})
    for consumer, producer, name, parallelism, exchange, _, _, draining, gang in edges:
        known = given.get(producer, [])
        ended = {kind_of(state, draining=draining): tasks.to_json() for state, tasks in without.get(producer, {}).items()}
        inputs[consumer].append(
            {
                "stage": producer,
                "name": name,
                "parallelism": parallelism,
                "exchange": exchange,
                "given": known if sum(len(value) for _, value in known) <= INLINE_INPUTS else [],
                **ended,
                **({"gang": True} if gang else {}),
            }
        )
    return inputs


def _spec(
    job: str,
    name: str,
    parallelism: int,
    spec: str,
    args: str | None,
    kwargs: str | None,
    files: str | None,
    items: str | None,
    grace: float | None,
) -> dict[str, Any]:
    return {
        "job": job,
        "name": name,
        "parallelism": parallelism,
        "spec": json.loads(spec) | _given(args=args, kwargs=kwargs) | _left_out(files, items),
        "items": _items(items),
        **({"disconnect_grace": grace} if grace else {}),
    }


def _results(stages: set[int]) -> dict[int, list[tuple[int, str]]]:
    results: dict[int, list[tuple[int, str]]] = defaultdict(list)
    if stages:
        for stage, index, result in rows.fetch(
            "SELECT stage_id, index, coalesce(result::text, 'null') FROM jobs_task "
            "WHERE stage_id = ANY(%s) AND state = %s AND result_digest IS NULL",
            [list(stages), int(TaskState.FINISHED)],
        ):
            results[stage].append((index, result))
    return results


def _given(**texts: str | None) -> dict[str, Any]:
    return {name: json.loads(text) for name, text in texts.items() if text}


def _left_out(files: str | None, items: str | None) -> dict[str, Any]:
    """Return what stands for the parts of a stage's description that may be long: an agent fetches them."""
    digest = sha256(files.encode()).hexdigest() if files and files != "{}" else None
    return {"files_digest": digest, "foreach": True if items else None}


def _items(text: str | None) -> dict[str, Any]:
    """Return the items that a stage's tasks are made from by index; none where they are too long for a message."""
    if text is None or len(text) > INLINE_INPUTS:
        return {}
    return {str(index): item for index, item in enumerate(json.loads(text))}

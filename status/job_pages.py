"""Pages about one job: where it stands, its tasks, and one task with its log."""

from typing import Any
from uuid import UUID

from django.http import HttpRequest, HttpResponse
from django.utils.safestring import mark_safe

from database import rows
from jobs.drawing import job_graph
from jobs.reading import checkpoints, jobs, operations, retries
from jobs.reading import stages as stage_reading
from jobs.reading import tasks as task_reading
from jobs.reading.explanations import explain_job
from jobs.reading.files import BEFORE_ALL, files_of_job, has_outputs, read_place
from jobs.reading.results import shown_result
from jobs.reading.tasks import Place
from nodes import events
from status.answering import answer, missing, page
from status.tails import tails
from switchyard.scheduling.lifecycle.states import TaskState

TASKS_A_PAGE = FILES_A_PAGE = 50
EVENTS = 20
OPERATIONS = CHECKPOINTS = 20
SHOWN_RESULT = 20_000
LARGEST_INDEX = 2**31 - 1
#: States of tasks that wait for something.
WAITING = (TaskState.CREATED.name, TaskState.SCHEDULED.name)
#: Graphs of more stages are looked at less often.
SMALL_GRAPH = 100


@page
def job(request: HttpRequest, key: str) -> HttpResponse:
    """One job: its state, its graph, its stages, why it waits; and its tasks."""
    id_ = jobs.id_of(key)
    shown = jobs.job(id_) if id_ else None
    if id_ is None or shown is None:
        return missing(request, "job")
    stages = stage_reading.stages(id_)
    context = {
        "job": shown,
        "links": retries.links(id_),
        "has_files": has_outputs(id_),
        "stages": stages,
        # Made by jobs.drawing.svg, which escapes whatever users wrote.
        "graph": mark_safe(job_graph.picture(stages)),
        "waits": _waits(id_) if shown["ended_at"] is None else [],
        "checkpoints": checkpoints.overview(id_, CHECKPOINTS),
        "operations": operations.of_job(id_, OPERATIONS),
        "events": events.named(events.events().filter(job_id=id_)[:EVENTS]),
        "seconds": 2 if len(stages) <= SMALL_GRAPH else 10,
    }
    if not request.headers.get("HX-Request"):
        context |= _tasks(request, id_, [stage["name"] for stage in stages])
    return answer(request, "job", context)


@page
def tasks(request: HttpRequest, key: str) -> HttpResponse:
    """The tasks of a job, by stage and state."""
    id_ = jobs.id_of(key)
    shown = jobs.job(id_) if id_ else None
    if id_ is None or shown is None:
        return missing(request, "job")
    return answer(request, "tasks", {"job": shown} | _tasks(request, id_, list(stage_reading.stage_ids(id_))))


@page
def files(request: HttpRequest, key: str) -> HttpResponse:
    """The files that the tasks of a job hand on, by stage and output."""
    id_ = jobs.id_of(key)
    shown = jobs.job(id_) if id_ else None
    if id_ is None or shown is None:
        return missing(request, "job")
    stage, output = request.GET.get("stage", ""), request.GET.get("output", "")
    after = read_place(request.GET.get("after", ""))
    found = files_of_job(id_, stage=stage, output=output, after=after or BEFORE_ALL, limit=FILES_A_PAGE + 1)
    query = request.GET.copy()
    query.pop("after", None)
    context = {
        "job": shown,
        "files": [file for _, file in found[:FILES_A_PAGE]],
        "stages": list(stage_reading.stage_ids(id_)),
        "stage": stage,
        "output": output,
        "first": f"?{query.urlencode()}" if after else None,
        "more": None,
    }
    if len(found) > FILES_A_PAGE:
        query["after"] = found[FILES_A_PAGE - 1][0].text
        context["more"] = f"?{query.urlencode()}"
    return answer(request, "files", context)


@page
def task(request: HttpRequest, key: str, stage: str, index: str) -> HttpResponse:
    """One task: its attempts, its result, and the end of its log."""
    id_ = jobs.id_of(key)
    stage_id = stage_reading.stage_ids(id_).get(stage) if id_ else None
    number = int(index)
    shown = task_reading.task(stage_id, number) if stage_id and number <= LARGEST_INDEX else None
    if id_ is None or stage_id is None or shown is None:
        return missing(request, "task")
    attempt = _attempt(shown, request.GET.get("attempt", ""))
    result, cut = shown_result(stage_id, number, SHOWN_RESULT)
    context = {
        "job": jobs.job(id_),
        "stage": stage,
        "task": shown,
        "attempt": attempt,
        "reasons": _reasons(id_, stage) if shown["state"] in WAITING else [],
        "result": result,
        "result_cut": cut,
        "saved": checkpoints.saved_state(stage_id, number),
        "tails": tails(stage_id, number, attempt),
        "here": request.get_full_path(),
    }
    return answer(request, "task", context)


def _waits(job: UUID) -> list[dict[str, Any]]:
    explained = explain_job(job, now=rows.now())
    found: list[dict[str, Any]] = explained["stages"] if explained else []
    return found


def _reasons(job: UUID, stage: str) -> list[str]:
    return next((waiting["reasons"] for waiting in _waits(job) if waiting["stage"] == stage), [])


def _tasks(request: HttpRequest, job: UUID, stages: list[str]) -> dict[str, Any]:
    ids = stage_reading.stage_ids(job)
    stage, state = request.GET.get("stage", ""), request.GET.get("state", "")
    chosen = [ids[stage]] if stage in ids else list(ids.values())
    states = [TaskState[state]] if state in TaskState.__members__ else []
    after = _place(request.GET.get("after", ""))
    found = task_reading.tasks(chosen, states=states, after=after, limit=TASKS_A_PAGE + 1)
    shown = task_reading.with_stage_names(found[:TASKS_A_PAGE], {id_: name for name, id_ in ids.items()})
    query = request.GET.copy()
    query.pop("after", None)
    last = shown[-1] if len(found) > TASKS_A_PAGE else None
    return {
        "tasks": shown,
        "task_stages": list(ids),
        "task_states": list(TaskState.__members__),
        "stage": stage,
        "state": state,
        "query": request.GET.urlencode(),
        "first": f"?{query.urlencode()}#tasks" if after != task_reading.BEFORE_ALL else None,
        "more": f"?{_joined(query.urlencode(), last)}#tasks" if last else None,
    }


def _joined(query: str, last: dict[str, Any]) -> str:
    return f"{query}{'&' if query else ''}after={last['stage_id']}.{last['index']}"


def _place(text: str) -> Place:
    """Read where a page of tasks begins; anything odd is the beginning."""
    stage, _, index = text.partition(".")
    if all(part.isascii() and part.isdigit() and len(part) < 10 for part in (stage, index)):
        return Place(int(stage), int(index))
    return task_reading.BEFORE_ALL


def _attempt(task: dict[str, Any], wanted: str) -> dict[str, Any]:
    """Return the attempt of this number, else the current one."""
    attempts: list[dict[str, Any]] = task["attempts"]
    return next((attempt for attempt in attempts if str(attempt["attempt"]) == wanted), attempts[-1])

"""The pages: what they show to whom, what they say where there is nothing, and that much costs no more than little."""

import re
from collections.abc import Callable

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from access.roles import Role
from artifacts.logs import LogKey, Stream, logs
from artifacts.storage import Storage
from jobs.commands import control as job_services
from jobs.leader import lease
from jobs.leader.loop import Leader
from jobs.models import Job, Task
from nodes import services
from tests.jobs import submissions
from tests.jobs.agents import ListAgent, turn
from tests.people import ADA, ANN
from tests.status.conftest import As

Submit = Callable[..., Job]
PAGES = ["/ui/", "/ui/jobs", "/ui/nodes"]
NASTY = "<script>alert(1)</script>"


def text(client: Client, path: str, **headers: str) -> str:
    answer = client.get(path, headers=headers)
    assert answer.status_code == 200, path
    return answer.content.decode()


def queries(client: Client, path: str) -> int:
    with CaptureQueriesContext(connection) as captured:
        text(client, path)
    return len(captured)


def run(leader: Leader, agent: ListAgent, *, finish: int = 1000, fail: int = 0) -> None:
    turn(leader)
    agent.listen()
    tasks = agent.tasks()
    if finish:
        turn(leader, agent.finish(tasks[:finish]))
    if fail:
        turn(leader, agent.fail(tasks[finish : finish + fail], error="ValueError: no such thing"))


@pytest.mark.parametrize("path", [*PAGES, "/ui/jobs/1", "/ui/jobs/1/tasks", "/ui/jobs/1/files"])
def test_pages_ask_strangers_to_log_in(leader: Leader, client: Client, path: str) -> None:
    answer = client.get(path)
    assert (answer.status_code, answer["Location"]) == (302, f"/ui/login?next={path}")


@pytest.mark.parametrize("path", PAGES)
def test_people_without_a_role_see_nothing(leader: Leader, logged_in: As, path: str) -> None:
    assert logged_in(None).get(path).status_code == 403


@pytest.mark.parametrize("path", PAGES)
def test_pages_change_nothing(leader: Leader, operator: Client, path: str) -> None:
    assert operator.post(path).status_code == 405


@pytest.mark.parametrize("path", [*PAGES, "/ui/login", "/ui/jobs/1"])
def test_pages_run_only_our_own_files(leader: Leader, agent: ListAgent, job: Submit, viewer: Client, path: str) -> None:
    job({"a": {}})
    answer = viewer.get(path)
    policy = answer["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert not re.search(rb"<style|<script(?! src=)|\son\w+=|\sstyle=|javascript:", answer.content)


@pytest.mark.parametrize("path", ["/api/v1", "/api/v1/docs", "/api/v1/jobs", "/api/v1/nodes/99", "/api/v1/schema"])
def test_pages_of_the_api_run_only_our_own_files(leader: Leader, viewer: Client, path: str) -> None:
    answer = viewer.get(path, headers={"Accept": "text/html"})
    policy = answer["Content-Security-Policy"]
    assert "default-src 'none'; script-src 'self'; " in policy
    assert "font-src 'self'" in policy, "the icons of the API's pages are a font"
    assert "frame-ancestors 'none'" in policy
    assert not re.search(rb"<script(?! src=| type=.application/json.)[^>]*>|\son\w+=|javascript:", answer.content)


def test_page_of_the_document_gets_its_script_as_a_file(viewer: Client) -> None:
    page = viewer.get("/api/v1/docs", headers={"Accept": "text/html"}).content.decode()
    [path] = re.findall(r'<script src="(/api/v1/docs[^"]*)"', page)
    answer = viewer.get(path.replace("&amp;", "&"))
    assert answer["Content-Type"].startswith("application/javascript")
    assert "SwaggerUIBundle(" in answer.content.decode()


def test_browsers_are_led_from_the_root_to_the_pages(client: Client) -> None:
    assert client.get("/", headers={"Accept": "text/html"})["Location"] == "/ui/"
    assert client.get("/", headers={"Accept": "application/json"}).status_code == 404


@pytest.mark.parametrize("path", ["/ui", "/ui/jobs/", "/ui/nodes/"])
def test_pages_are_found_with_a_slash_at_the_end_and_without(viewer: Client, path: str) -> None:
    assert viewer.get(path, headers={"Accept": "text/html"}, follow=True).status_code == 200


def test_an_empty_installation_says_what_to_do(leader: Leader, viewer: Client) -> None:
    assert "switchyard submit" in text(viewer, "/ui/")
    assert "switchyard submit" in text(viewer, "/ui/jobs")
    assert "switchyard agent" in text(viewer, "/ui/nodes")


def test_the_overview_tells_jobs_tasks_nodes_and_resources(
    leader: Leader, agent: ListAgent, job: Submit, viewer: Client
) -> None:
    job({"a": {"parallelism": 5}}, name="counting")
    run(leader, agent, finish=2)
    shown = text(viewer, "/ui/")
    assert "counting" in shown
    assert "2 finished, of 5" in shown
    assert re.search(r"READY</span></dt><dd>1<", shown)
    assert "<span>2 / 2</span>" in shown, "cpus held"


def test_a_pause_of_the_scheduler_is_told_with_its_reason(leader: Leader, agent: ListAgent, viewer: Client) -> None:
    services.change_scheduler(ANN, paused=True, pause_reason="moving house")
    assert "The scheduler is pausing: moving house" in text(viewer, "/ui/")


def test_a_cluster_without_scheduler_is_told(leader: Leader, viewer: Client) -> None:
    lease.release(leader.epoch)
    assert "No scheduler runs" in text(viewer, "/ui/")


@pytest.mark.parametrize("page", ["/ui/", "/ui/nodes"])
def test_pages_say_that_the_broker_does_not_work(viewer: Client, leader: Leader, page: str) -> None:
    assert "Redis takes no messages" not in text(viewer, page)
    lease.renew(leader.epoch, "takes no messages")
    assert "Redis takes no messages" in text(viewer, page)


def test_jobs_are_found_by_name_number_and_state(leader: Leader, job: Submit, viewer: Client) -> None:
    first, _second = job({"a": {}}, name="alpha"), job({"a": {}}, name="beta")
    assert "beta" not in text(viewer, "/ui/jobs?search=alph")
    assert "beta" not in text(viewer, f"/ui/jobs?search={first.number}")
    assert "alpha" in text(viewer, "/ui/jobs?state=CREATED&search=")
    assert "No job matches" in text(viewer, "/ui/jobs?state=FAILED")


@pytest.mark.parametrize("query", ["before=x", "before=99999999999999999999999", "state=NONSENSE", "before=²"])
def test_odd_queries_of_jobs_are_not_errors(leader: Leader, job: Submit, viewer: Client, query: str) -> None:
    text(viewer, f"/ui/jobs?{query}")


def test_older_jobs_are_a_page_away(leader: Leader, job: Submit, viewer: Client) -> None:
    made = [job({"a": {}}, name=f"job-{number:02}") for number in range(51)]
    shown = text(viewer, "/ui/jobs")
    assert "job-50" in shown
    assert "job-00" not in shown
    assert f'href="?before={made[1].number}"' in shown
    older = text(viewer, f"/ui/jobs?before={made[1].number}")
    assert "job-00" in older
    assert "job-01" not in older


@pytest.mark.parametrize("rest", ["", "/tasks", "/stages/load/tasks/0"])
def test_a_slash_at_the_end_leads_to_the_same_page(leader: Leader, job: Submit, viewer: Client, rest: str) -> None:
    made = job({"load": {}})
    assert text(viewer, f"/ui/jobs/{made.number}{rest}/").count("<h1") == 1


def test_a_reused_task_leads_to_the_one_that_made_its_result(
    leader: Leader, agent: ListAgent, job: Submit, viewer: Client
) -> None:
    old = job({"load": {"parallelism": 2}})
    run(leader, agent, finish=1, fail=1)
    turn(leader)
    new = Job.objects.get(id=submissions.retry(old.id))
    shown = [text(viewer, f"/ui/jobs/{new.number}/stages/load/tasks/{index}") for index in (0, 1)]
    made = f'id="reused-from" href="/ui/jobs/{old.number}/stages/load/tasks/0?attempt=0"'
    assert [made in page for page in shown] == [True, False]
    assert f'id="retried-from" href="/ui/jobs/{old.number}"' in (page := text(viewer, f"/ui/jobs/{new.number}"))
    assert 'id="reused-load">1 reused' in page
    assert f'id="retry-{new.number}" href="/ui/jobs/{new.number}"' in text(viewer, f"/ui/jobs/{old.number}")


def test_a_job_is_shown_with_its_graph_stages_and_tasks(
    leader: Leader, agent: ListAgent, job: Submit, viewer: Client
) -> None:
    made = job({"load": {"parallelism": 4}, "merge": {"needs": ["load"]}})
    run(leader, agent, finish=2, fail=1)
    shown = text(viewer, f"/ui/jobs/{made.number}")
    assert '<svg xmlns="http://www.w3.org/2000/svg" class="dag"' in shown
    assert "2 of 5 finished" in shown
    assert "ValueError: no such thing" in shown
    assert "load [3]" in shown
    assert "&lt;svg" not in shown


def test_what_keeps_a_stage_waiting_is_said(leader: Leader, agent: ListAgent, job: Submit, viewer: Client) -> None:
    made = job({"big": {"resources": {"cpus": 64}}, "after": {"needs": ["big"]}})
    turn(leader)
    shown = text(viewer, f"/ui/jobs/{made.number}")
    assert "Infeasible: no registered node could ever run this" in shown
    assert "It needs the results of stage big." in shown
    assert "It needs the results of stage big." in text(viewer, f"/ui/jobs/{made.number}/stages/after/tasks/0")


def test_tasks_are_narrowed_by_stage_and_state(leader: Leader, agent: ListAgent, job: Submit, viewer: Client) -> None:
    made = job({"a": {"parallelism": 2}, "b": {"parallelism": 2}})
    run(leader, agent, finish=1)
    tasks = f"/ui/jobs/{made.number}/tasks"
    assert re.findall(r"\w \[\d\]", text(viewer, tasks)) == ["a [0]", "a [1]", "b [0]", "b [1]"]
    assert re.findall(r"\w \[\d\]", text(viewer, f"{tasks}?stage=b")) == ["b [0]", "b [1]"]
    assert len(re.findall(r"\w \[\d\]", text(viewer, f"{tasks}?state=FINISHED"))) == 1
    assert "No task matches" in text(viewer, f"{tasks}?state=FAILED")


def test_tasks_are_paged(leader: Leader, job: Submit, viewer: Client) -> None:
    made = job({"a": {"parallelism": 60}})
    first = text(viewer, f"/ui/jobs/{made.number}")
    assert "a [49]" in first
    assert "a [50]" not in first
    more = re.search(r'id="more-tasks" href="([^"]+)"', first)
    assert more
    second = text(viewer, more[1].partition("#")[0].replace("&amp;", "&"))
    assert re.findall(r"a \[\d+\]", second)[0] == "a [50]"


def test_a_task_is_shown_with_its_log_result_and_attempts(
    leader: Leader, agent: ListAgent, job: Submit, viewer: Client, kept: Storage
) -> None:
    made = job({"a": {}}, retry={"attempts": 2, "backoff": {"initial": 0.0}})
    run(leader, agent, finish=0, fail=1)
    turn(leader)
    agent.listen()
    turn(leader, agent.finish(agent.tasks(), '{"answer": 42}'))
    stage = made.stages.get().id
    logs().append(LogKey(stage, 0, 0, Stream.STDERR), 0, b"it broke\n" + NASTY.encode() + b"\xff")
    shown = text(viewer, f"/ui/jobs/{made.number}/stages/a/tasks/0")
    assert "{&quot;answer&quot;: 42}" in shown
    assert "it broke" not in shown
    first = text(viewer, f"/ui/jobs/{made.number}/stages/a/tasks/0?attempt=0")
    assert "it broke\n&lt;script&gt;alert(1)&lt;/script&gt;\ufffd" in first
    assert "ValueError: no such thing" in first


def test_a_task_page_links_the_files_that_it_hands_on(leader: Leader, agent: ListAgent, job: Submit, viewer: Client) -> None:
    made = job({"a": {"outputs": {"parts": "*"}}})
    run(leader, agent, finish=1)
    Task.objects.filter(stage__job=made).update(files=[["parts", "<1> of 2.csv", "0" * 64, 2048, False]])
    shown = text(viewer, f"/ui/jobs/{made.number}/stages/a/tasks/0")
    assert f'/api/v1/jobs/{made.number}/stages/a/tasks/0/files/parts/%3C1%3E%20of%202.csv">&lt;1&gt; of 2.csv</a>' in shown
    assert "<td>2 KiB</td>" in shown


def test_of_a_long_log_the_end_is_shown_from_a_whole_line_on(
    leader: Leader, agent: ListAgent, job: Submit, viewer: Client, kept: Storage
) -> None:
    made = job({"a": {}})
    lines = b"".join(b"line %06d\n" % number for number in range(10_000))
    logs().append(LogKey(made.stages.get().id, 0, 0, Stream.STDOUT), 0, lines)
    shown = text(viewer, f"/ui/jobs/{made.number}/stages/a/tasks/0")
    assert re.search(r">line \d{6}\n", shown)
    assert "line 009999" in shown
    assert "line 000000" not in shown
    assert re.search(r"The first 53\.\d KiB are not shown here", shown)


@pytest.mark.parametrize("path", ["/ui/jobs/999999", "/ui/jobs/no", "/ui/jobs/1/stages/a/tasks/0", "/ui/jobs/999999/tasks"])
def test_what_is_not_there_is_said_on_a_page(leader: Leader, viewer: Client, path: str) -> None:
    answer = viewer.get(path)
    assert answer.status_code == 404
    assert b"There is no such" in answer.content


def test_unknown_stages_and_tasks_of_a_job_are_not_there(leader: Leader, job: Submit, viewer: Client) -> None:
    made = job({"a": {}})
    for rest in ("x/tasks/0", "a/tasks/1", "a/tasks/99999999999999999999"):
        assert viewer.get(f"/ui/jobs/{made.number}/stages/{rest}").status_code == 404


def test_only_operators_get_buttons(leader: Leader, agent: ListAgent, job: Submit, logged_in: As) -> None:
    made = job({"a": {}})
    viewer, operator = logged_in(Role.VIEWER), logged_in(Role.OPERATOR)
    for path in (*PAGES, f"/ui/jobs/{made.number}"):
        assert "data-api" not in text(viewer, path)
    assert 'data-api="/api/v1/scheduler"' in text(operator, "/ui/")
    assert f'data-api="/api/v1/nodes/{agent.node}/pause"' in text(operator, "/ui/nodes")
    for action in ("cancel", "drain", "suspend"):
        assert f'data-api="/api/v1/jobs/{made.number}/{action}"' in text(operator, f"/ui/jobs/{made.number}")


def test_a_job_that_drains_says_so(leader: Leader, job: Submit, viewer: Client) -> None:
    made = job({"a": {}})
    assert "DRAINING" not in text(viewer, f"/ui/jobs/{made.number}")
    job_services.drain(ADA, made.id)
    assert "DRAINING" in text(viewer, f"/ui/jobs/{made.number}")


def test_a_suspended_job_says_by_whom_and_why_and_can_be_resumed(leader: Leader, job: Submit, operator: Client) -> None:
    made = job({"a": {}})
    job_services.suspend(ADA, made.id, NASTY)
    turn(leader)
    shown = text(operator, f"/ui/jobs/{made.number}")
    assert f"</strong> by {ADA.name} since" in shown
    assert "&lt;script&gt;" in shown
    assert NASTY not in shown
    assert f'data-api="/api/v1/jobs/{made.number}/resume"' in shown
    assert f'data-api="/api/v1/jobs/{made.number}/suspend"' not in shown


def test_a_paused_node_tells_why_and_can_be_resumed(leader: Leader, agent: ListAgent, operator: Client) -> None:
    services.pause(ANN, agent.node, NASTY)
    shown = text(operator, "/ui/nodes")
    assert "&lt;script&gt;" in shown
    assert NASTY not in shown
    assert f'data-api="/api/v1/nodes/{agent.node}/resume"' in shown


def test_a_refresh_gets_the_live_part_alone(leader: Leader, job: Submit, viewer: Client) -> None:
    made = job({"a": {}})
    for path in (*PAGES, f"/ui/jobs/{made.number}", f"/ui/jobs/{made.number}/tasks"):
        part = text(viewer, path, **{"HX-Request": "true"})
        assert part.startswith('<div id="live')
        assert "<html" not in part


def test_a_job_that_has_ended_is_looked_at_no_more(leader: Leader, agent: ListAgent, job: Submit, viewer: Client) -> None:
    made = job({"a": {}})
    assert 'hx-trigger="every 2s"' in text(viewer, f"/ui/jobs/{made.number}")
    run(leader, agent)
    assert "hx-trigger" not in text(viewer, f"/ui/jobs/{made.number}")


def test_pages_cost_the_same_however_much_there_is(
    leader: Leader, agent: ListAgent, broker: object, job: Submit, viewer: Client
) -> None:
    made = job({"a": {"resources": {"cpus": 64}}, "b": {"needs": ["a"]}})
    turn(leader)
    few = {path: queries(viewer, path) for path in PAGES} | {"job": queries(viewer, f"/ui/jobs/{made.number}")}
    for number in range(2, 8):
        ListAgent(agent.broker, f"n{number}")
    wide = {f"s{number}": {"parallelism": 9, "resources": {"cpus": 64}} for number in range(8)}
    many = [job(wide | {"end": {"needs": list(wide)}}) for _ in range(9)][-1]
    turn(leader)
    much = {path: queries(viewer, path) for path in PAGES} | {"job": queries(viewer, f"/ui/jobs/{many.number}")}
    assert much == few


def test_names_that_users_chose_are_never_markup(leader: Leader, job: Submit, viewer: Client) -> None:
    made = job({"a": {}}, name=NASTY)
    for path in ("/ui/", "/ui/jobs", f"/ui/jobs/{made.number}", f"/ui/jobs/{made.number}/stages/a/tasks/0"):
        shown = text(viewer, path)
        assert NASTY not in shown
        assert "&lt;script&gt;alert(1)" in shown


def test_what_happened_to_a_job_is_told_on_its_page(leader: Leader, agent: ListAgent, job: Submit, viewer: Client) -> None:
    number = job({"a": {}}).number
    run(leader, agent)
    page = text(viewer, f"/ui/jobs/{number}")
    assert "Stage a finished." in page
    assert "The agent of the node began" not in page
    (told, *_) = viewer.get(f"/api/v1/events?job={number}").json()["results"]
    assert (told["kind"], told["node"]) == ("job_finished", None)


def test_what_happened_to_nodes_is_told_on_their_page(leader: Leader, agent: ListAgent, job: Submit, viewer: Client) -> None:
    job({"a": {}})
    services.pause(ANN, agent.node, "smoke")
    page = text(viewer, "/ui/nodes")
    assert "The node was paused: smoke" in page
    assert "The job was submitted" not in page

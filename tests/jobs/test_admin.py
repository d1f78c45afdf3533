"""The admin of jobs and of the cluster: for admins alone, read-only but for its actions, each audited, at a constant cost."""

import html
from collections.abc import Callable

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from access import tokens
from access.models import AuditEntry
from access.roles import Role, grant
from jobs.leader.loop import Leader
from jobs.models import Job, JobType
from nodes.models import Node, Scheduler
from switchyard.scheduling.lifecycle.states import JobState
from tests.jobs.agents import ListAgent, turn

Submit = Callable[..., Job]
LISTS = ["jobs/job", "jobs/jobtype", "nodes/node", "nodes/scheduler"]


def person(role: Role) -> Client:
    user = User.objects.create_user(f"the-{role}")
    grant(user, role)
    client = Client()
    client.force_login(user)
    return client


@pytest.fixture
def admin(leader: Leader) -> Client:
    return person(Role.ADMIN)


def text(client: Client, path: str) -> str:
    answer = client.get(f"/admin/{path}")
    assert answer.status_code == 200, path
    return answer.content.decode()


def queries(client: Client, path: str) -> int:
    with CaptureQueriesContext(connection) as captured:
        text(client, path)
    return len(captured)


def act(client: Client, rows: str, action: str, *keys: object, **more: str) -> str:
    data = {"action": action, "_selected_action": [str(key) for key in keys], **more}
    return client.post(f"/admin/{rows}/", data, follow=True).content.decode()


def audited() -> list[str]:
    return list(AuditEntry.objects.order_by("id").values_list("action", flat=True))


@pytest.mark.parametrize("role", [Role.VIEWER, Role.OPERATOR])
@pytest.mark.parametrize("path", ["", *(f"{each}/" for each in LISTS)])
def test_only_admins_enter(leader: Leader, role: Role, path: str) -> None:
    assert person(role).get(f"/admin/{path}").status_code == 403


def test_a_token_of_an_admin_does_not_open_the_admin(leader: Leader, client: Client) -> None:
    user = User.objects.create_user("ada")
    grant(user, Role.ADMIN)
    _, secret = tokens.create("t", role=Role.ADMIN, owner=user)
    assert client.get("/admin/jobs/job/", headers={"Authorization": f"Token {secret}"}).status_code == 302


def test_strangers_are_led_to_the_one_log_in_page(leader: Leader, client: Client) -> None:
    answer = client.get("/admin/nodes/node/", follow=True)
    assert answer.redirect_chain[-1][0] == "/ui/login?next=/admin/nodes/node/"


def test_nodes_tell_what_they_hold(admin: Client, agent: ListAgent) -> None:
    assert "0 cpus, 0 MiB memory of 2 cpus, 4 GiB memory" in text(admin, "nodes/node/")


def test_nothing_is_added_changed_or_deleted_by_hand(admin: Client, agent: ListAgent, job: Submit) -> None:
    made = job({"a": {}})
    for rows, key in (("jobs/job", made.pk), ("nodes/node", agent.node)):
        assert admin.get(f"/admin/{rows}/add/").status_code == 403
        assert admin.post(f"/admin/{rows}/{key}/delete/", {"post": "yes"}).status_code == 403
        assert admin.post(f"/admin/{rows}/{key}/change/", {"state": "6", "name": "x"}).status_code == 403
    assert Job.objects.get().name == "test"


def test_a_job_is_shown_with_its_graph_and_stages(admin: Client, agent: ListAgent, job: Submit) -> None:
    made = job({"load": {"parallelism": 3}, "merge": {"needs": ["load"]}})
    shown = text(admin, f"jobs/job/{made.pk}/change/")
    assert 'class="dag"' in shown
    assert "<td>load<td>READY<td>0 / 3" in shown


def test_lists_of_jobs_cost_the_same_however_many(admin: Client, agent: ListAgent, job: Submit) -> None:
    job({"a": {}})
    few = [queries(admin, f"{rows}/") for rows in LISTS]
    for number in range(2, 9):
        job({"a": {}}, type=f"kind{number}:1")
        ListAgent(agent.broker, f"n{number}")
    assert [queries(admin, f"{rows}/") for rows in LISTS] == few


def test_a_job_costs_the_same_however_many_stages(admin: Client, job: Submit) -> None:
    small, large = job({"a": {}}), job({f"s{number}": {} for number in range(20)})
    text(admin, f"jobs/job/{small.pk}/change/")
    assert queries(admin, f"jobs/job/{small.pk}/change/") == queries(admin, f"jobs/job/{large.pk}/change/")


def test_jobs_are_found_by_name_number_and_state(admin: Client, job: Submit) -> None:
    first, _second = job({"a": {}}, name="alpha"), job({"a": {}}, name="beta")
    for query in ("q=alph", f"q={first.number}", f"q={first.pk}"):
        shown = text(admin, f"jobs/job/?{query}")
        assert "alpha" in shown
        assert "beta" not in shown
    assert "alpha" not in text(admin, f"jobs/job/?state__exact={int(JobState.FAILED)}")


def test_jobs_are_canceled_and_retried(admin: Client, leader: Leader, agent: ListAgent, job: Submit) -> None:
    made = job({"a": {}})
    act(admin, "jobs/job", "cancel", made.pk)
    made.refresh_from_db()
    assert (made.state, made.error) == (JobState.CANCELING, "canceled by the-admin")
    turn(leader)
    assert "New jobs:" in act(admin, "jobs/job", "retry", made.pk)
    assert Job.objects.get(retried_from=made).owner == User.objects.get()
    assert audited() == ["job.cancel", "job.retry"]
    assert AuditEntry.objects.earliest("id").target == str(made.pk)


def test_jobs_are_suspended_and_resumed(admin: Client, leader: Leader, job: Submit) -> None:
    made = job({"a": {}})
    assert "it is CREATED, and is left as it is" in act(admin, "jobs/job", "resume", made.pk)
    assert "Done: job.suspend of 1." in act(admin, "jobs/job", "suspend", made.pk)
    assert "it is SUSPENDING, and is left as it is" in act(admin, "jobs/job", "suspend", made.pk)
    turn(leader)
    assert "Done: job.resume of 1." in act(admin, "jobs/job", "resume", made.pk)
    assert audited() == ["job.suspend", "job.resume"]


def test_canceling_what_has_ended_or_is_being_canceled_says_so(admin: Client, leader: Leader, job: Submit) -> None:
    made = job({"a": {}})
    assert "Done: job.cancel of 1." in act(admin, "jobs/job", "cancel", made.pk)
    assert "it was CANCELING already" in act(admin, "jobs/job", "cancel", made.pk)
    turn(leader)
    again = act(admin, "jobs/job", "cancel", made.pk)
    assert "it was CANCELED already" in again
    assert "Done:" not in again
    assert audited() == ["job.cancel"]


def test_what_cannot_be_done_is_said_and_not_audited(admin: Client, job: Submit) -> None:
    made = job({"a": {}})
    assert "The job has not ended" in act(admin, "jobs/job", "retry", made.pk)
    assert audited() == []


def test_a_node_is_paused_with_a_reason_asked_for_and_resumed(admin: Client, agent: ListAgent) -> None:
    asked = act(admin, "nodes/node", "pause", agent.node)
    assert 'name="reason"' in asked
    assert not Node.objects.get().paused
    act(admin, "nodes/node", "pause", agent.node, apply="1", reason="disk change")
    node = Node.objects.get()
    assert (node.paused, node.pause_reason) == (True, "disk change")
    assert AuditEntry.objects.get().details == {"reason": "disk change"}
    act(admin, "nodes/node", "resume", agent.node)
    assert not Node.objects.get().paused


def test_a_node_is_deleted_once_it_is_gone(admin: Client, agent: ListAgent) -> None:
    assert "has a session" in act(admin, "nodes/node", "remove", agent.node, apply="1", reason="sold")
    Node.objects.update(session="")
    assert "Delete nodes" in act(admin, "nodes/node", "remove", agent.node)
    act(admin, "nodes/node", "remove", agent.node, apply="1", reason="sold")
    assert not Node.objects.exists()
    assert Node.history.latest().history_change_reason == "sold"
    assert audited() == ["node.delete"]


def test_a_node_is_drained_and_taken_out_of_the_cluster(admin: Client, agent: ListAgent) -> None:
    act(admin, "nodes/node", "drain", agent.node, apply="1", reason="")
    act(admin, "nodes/node", "deactivate", agent.node, apply="1", reason="sold")
    node = Node.objects.get()
    assert (node.draining, node.active) == (True, False)
    assert "INACTIVE" in text(admin, "nodes/node/?state=INACTIVE")
    assert audited() == ["node.drain", "node.deactivate"]


def test_a_reason_that_is_too_long_is_asked_for_again(admin: Client, agent: ListAgent) -> None:
    assert "errorlist" in act(admin, "nodes/node", "pause", agent.node, apply="1", reason="x" * 251)
    assert not Node.objects.get().paused


def test_the_scheduler_is_paused_and_resumed(admin: Client) -> None:
    act(admin, "nodes/scheduler", "pause", 1, apply="1", reason="moving")
    scheduler = Scheduler.objects.get()
    assert (scheduler.paused, scheduler.pause_reason) == (True, "moving")
    act(admin, "nodes/scheduler", "resume", 1)
    assert not Scheduler.objects.get().paused


def test_the_way_of_placing_is_chosen_among_those_there_are(admin: Client) -> None:
    def choose(name: str) -> None:
        rest = {"allocation": "fifo", "log_level": "INFO", "message_handlers": "1"}
        admin.post("/admin/nodes/scheduler/1/change/", {"strategy": name, **rest})

    choose("spread")
    choose("nonsense")
    assert Scheduler.objects.get().strategy == "spread"
    assert AuditEntry.objects.get().details == {"strategy": "spread"}


def test_pools_are_given_algorithms_of_their_own(admin: Client) -> None:
    rest = {"strategy": "bias", "allocation": "fifo", "log_level": "INFO", "message_handlers": "1"}
    for told in ('{"gpu": "best"}', '{"../etc": "lifo"}', '["gpu"]', "{", '{"gpu": "lifo"}'):
        admin.post("/admin/nodes/scheduler/1/change/", {"allocation_of": told, **rest})
    assert Scheduler.objects.get().allocation_of == {"gpu": "lifo"}
    assert AuditEntry.objects.get().details == {"allocation_of": {"gpu": "lifo"}}
    admin.post("/admin/nodes/scheduler/1/change/", {"allocation_of": "", **rest})
    assert Scheduler.objects.get().allocation_of == {}


def test_what_is_logged_is_chosen(admin: Client) -> None:
    rest = {"strategy": "bias", "allocation": "fifo", "message_handlers": "1"}
    admin.post("/admin/nodes/scheduler/1/change/", {"log_level": "DEBUG", **rest})
    assert Scheduler.objects.get().log_level == "DEBUG"


def test_a_job_type_says_what_it_is_and_what_is_at_fault(admin: Client, job: Submit) -> None:
    job({"a": {}})
    path = f"/admin/jobs/jobtype/{JobType.objects.get().pk}/change/"
    for told in ('["data"]', '{"3": "fate"}', '{"3": {}}', "{"):
        admin.post(path, {"title": "no", "failure_categories": told})
    assert JobType.objects.get().title == ""
    admin.post(path, {"title": "Index", "icon": "f00e", "failure_categories": '{"3": "data"}'})
    kind = JobType.objects.get()
    assert (kind.title, kind.icon, kind.failure_categories) == ("Index", "f00e", {"3": "data"})


def test_a_job_type_is_limited_and_paused(admin: Client, job: Submit) -> None:
    job({"a": {}})
    kind = JobType.objects.get()
    admin.post(f"/admin/jobs/jobtype/{kind.pk}/change/", {"max_running": "3"})
    act(admin, "jobs/jobtype", "pause", kind.pk, apply="1", reason="too many")
    kind.refresh_from_db()
    assert (kind.max_running, kind.paused, kind.pause_reason) == (3, True, "too many")
    assert audited() == ["job_type.set", "job_type.pause"]


def test_a_job_shows_its_settings_as_they_were_given(admin: Client, job: Submit) -> None:
    made = job({"a": {"args": [6.02e23]}}, config={"z": 6.02e23, "a": -0.0, "n": 2**64 + 1})
    page = html.unescape(text(admin, f"jobs/job/{made.pk}/change/"))
    assert '{"z": 6.02e+23, "a": -0.0, "n": 18446744073709551617}' in page

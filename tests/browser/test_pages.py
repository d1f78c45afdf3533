"""The pages in a real browser: what a reader does and sees, that they stay live, and that the browser has no complaint."""

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from access.roles import Role
from jobs.leader.loop import Leader
from jobs.models import Job
from nodes.models import Node, Scheduler
from switchyard.scheduling.lifecycle.states import JobState
from tests.browser.conftest import Open
from tests.jobs.agents import ListAgent, turn

pytestmark = pytest.mark.browser
expect.set_options(timeout=15_000)

Submit = Callable[..., Job]
NASTY = "<img src=x onerror=alert(1)>"


def run(leader: Leader, agent: ListAgent, count: int) -> None:
    turn(leader)
    agent.listen()
    turn(leader, agent.finish(agent.tasks()[:count], '{"answer": 42}'))


def test_a_reader_finds_a_job_its_graph_and_a_task(leader: Leader, agent: ListAgent, job: Submit, enter: Open) -> None:
    job({"load": {"parallelism": 4}, "merge": {"needs": ["load"]}}, name="nightly")
    run(leader, agent, 2)
    page = enter(Role.VIEWER)
    page.get_by_role("link", name="Jobs", exact=True).click()
    page.get_by_role("link", name="nightly").click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("nightly RUNNING")
    expect(page.get_by_role("region", name="Graph of the stages").locator(".stage")).to_have_count(2)
    page.get_by_label("State").select_option("FINISHED")
    page.get_by_role("button", name="Show").click()
    page.get_by_role("link", name="load [0]").click()
    expect(page.locator("#result")).to_have_text('{"answer": 42}')


def test_a_job_is_followed_to_its_end_without_a_reload(leader: Leader, agent: ListAgent, job: Submit, enter: Open) -> None:
    made = job({"a": {"parallelism": 4}})
    page = enter(Role.VIEWER)
    page.goto(f"{page.url}jobs/{made.number}")
    page.evaluate("window.untouched = true")
    run(leader, agent, 2)
    expect(page.locator(".overall")).to_contain_text("50%")
    run(leader, agent, 2)
    expect(page.get_by_role("heading", level=1)).to_contain_text("FINISHED")
    expect(page.locator("#live[hx-get]")).to_have_count(0)
    assert page.evaluate("window.untouched")


def test_an_operator_pauses_a_node_with_a_reason_and_resumes_it(leader: Leader, agent: ListAgent, enter: Open) -> None:
    page = enter(Role.OPERATOR)
    page.get_by_role("link", name="Nodes", exact=True).click()
    page.get_by_text("Pause or drain").click()
    page.get_by_label("Reason").last.fill(NASTY)
    page.get_by_role("button", name="Pause", exact=True).click()
    expect(page.get_by_text(f"Because: {NASTY}")).to_be_visible()
    expect(page.get_by_text(f"The node was paused: {NASTY}")).to_be_visible()
    assert Node.objects.get().pause_reason == NASTY
    page.get_by_role("button", name="Resume n1").click()
    expect(page.get_by_role("heading", name="n1 READY")).to_be_visible()


def test_an_operator_pauses_the_scheduler(leader: Leader, agent: ListAgent, enter: Open) -> None:
    page = enter(Role.OPERATOR)
    page.get_by_text("Pause the scheduler").click()
    page.get_by_label("Reason").fill("moving")
    page.keyboard.press("Enter")
    expect(page.get_by_text(re.compile("The scheduler is paus(ing|ed): moving"))).to_be_visible()
    page.get_by_role("button", name="Resume the scheduler").click()
    expect(page.get_by_text("Pause the scheduler")).to_be_visible()
    assert not Scheduler.objects.get().paused


def test_an_operator_cancels_a_job_and_runs_it_again(leader: Leader, agent: ListAgent, job: Submit, enter: Open) -> None:
    made = job({"a": {}})
    page = enter(Role.OPERATOR)
    page.on("dialog", lambda dialog: dialog.accept())
    page.goto(f"{page.url}jobs/{made.number}")
    page.get_by_role("button", name="Cancel").click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("CANCELING")
    turn(leader)
    page.get_by_role("button", name="Run the rest again").click()
    expect(page.get_by_role("link", name=f"job {made.number}")).to_be_visible()
    assert Job.objects.get(retried_from=made).state == JobState.CREATED


def test_a_field_that_is_being_filled_in_is_left_alone(leader: Leader, agent: ListAgent, enter: Open) -> None:
    page = enter(Role.OPERATOR)
    page.goto(f"{page.url}nodes")
    page.get_by_text("Pause or drain").click()
    page.get_by_label("Reason").last.type("disk")
    with page.expect_event("console", predicate=lambda message: message.text == "looked"):
        page.evaluate(
            "document.addEventListener('htmx:beforeRequest', () => setTimeout(() => console.log('looked')), {once: true})"
        )
    expect(page.get_by_label("Reason").last).to_have_value("disk")
    expect(page.get_by_label("Reason").last).to_be_focused()


def test_a_refusal_of_the_server_is_told(
    leader: Leader, agent: ListAgent, job: Submit, enter: Open, complaints: list[str]
) -> None:
    made = job({"a": {}})
    page = enter(Role.OPERATOR)
    page.goto(f"{page.url}jobs/{made.number}")
    page.on("dialog", lambda dialog: dialog.accept())
    page.evaluate("document.body.dataset.csrf = 'x'.repeat(64)")
    page.get_by_role("button", name="Cancel").click()
    expect(page.get_by_role("alert").filter(has_text="without the CSRF token")).to_be_visible()
    assert [text for text in complaints if "403 (Forbidden)" not in text] == []
    complaints.clear()


@pytest.mark.parametrize("path", ["", "jobs", "nodes", "nodes/n1", "password", "jobs/{}", "jobs/{}/stages/load/tasks/0"])
def test_pages_fit_a_phone(leader: Leader, agent: ListAgent, job: Submit, enter: Open, path: str) -> None:
    made = job({"load": {"parallelism": 40}, "merge": {"needs": ["load"]}}, name="x" * 120)
    run(leader, agent, 2)
    page = enter(Role.OPERATOR)
    page.set_viewport_size({"width": 360, "height": 740})
    page.goto(f"{page.url}{path.format(made.number)}")
    expect(page.get_by_role("heading", level=1)).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth") <= 360


def test_the_keyboard_reaches_the_content_first(leader: Leader, job: Submit, enter: Open) -> None:
    page = enter(Role.VIEWER)
    page.reload()
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to content")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("main")).to_be_focused()


def test_logging_out_ends_the_session(leader: Leader, enter: Open) -> None:
    page = enter(Role.VIEWER)
    page.get_by_role("button", name="Log out").click()
    page.wait_for_url("**/ui/login")
    page.goto(page.url.replace("login", "jobs"))
    expect(page.get_by_role("button", name="Log in")).to_be_visible()


def test_an_admin_finds_a_job_with_its_graph(leader: Leader, agent: ListAgent, job: Submit, enter: Open) -> None:
    job({"load": {"parallelism": 4}, "merge": {"needs": ["load"]}}, name="nightly")
    page: Page = enter(Role.ADMIN)
    page.get_by_role("link", name="Admin").click()
    page.get_by_role("link", name="Jobs", exact=True).last.click()
    page.get_by_role("link", name="nightly").click()
    expect(page.locator(".dag .stage")).to_have_count(2)

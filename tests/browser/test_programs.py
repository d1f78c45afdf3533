"""The page of programs in a real browser: upload, plan, run with arguments, and functions that an agent calls."""

import json
import re
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from access.roles import Role
from artifacts.storage import Storage
from jobs.leader.loop import Leader
from jobs.models import Job, Program
from tests.browser.conftest import Open
from tests.jobs.agents import ListAgent, turn
from tests.programs.archives import BAD, zipped

pytestmark = pytest.mark.browser

NASTY = "<img src=x onerror=alert(1)>"
MANIFEST = """jobs:
  count:
    description: Count words
    parameters: {text: hello, times: 2}
    job:
      name: count ${{ text }}
      stages:
        - {name: split, parallelism: "${{ parallelism }}", command: [echo, "${{ text }}", "${{ times }}"]}
        - {name: add, command: ["true"], needs: [split]}
  built: {description: By code, entry: "jobs:build"}
"""
COUNT = zipped({"switchyard.yaml": MANIFEST, "jobs.py": ""})
MADE = {
    "name": "made",
    "stages": [{"name": "first", "command": ["true"]}, {"name": "last", "command": ["true"], "needs": ["first"]}],
}


@pytest.fixture(autouse=True)
def data_folder(kept: Storage) -> None:
    """Keep artifacts in a folder of the test's own."""


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    path = tmp_path / "count.zip"
    path.write_bytes(COUNT)
    return path


@pytest.fixture
def programs(enter: Open, archive: Path) -> Page:
    """Give the page of programs with one that was uploaded there."""
    page = enter(Role.OPERATOR)
    page.get_by_role("link", name="Programs").click()
    page.get_by_label("Archive").set_input_files(archive)
    page.get_by_role("button", name="Upload").click()
    expect(page.get_by_role("heading", name="count.zip")).to_be_visible()
    return page


def call(leader: Leader, agent: ListAgent, result: object = None, error: str = "") -> None:
    """Have the agent call the function, and the leader end the operation."""
    turn(leader)
    agent.listen()
    tasks = agent.tasks()
    turn(leader, agent.fail(tasks, error=error) if error else agent.finish(tasks, json.dumps(result)))
    turn(leader)
    leader.planner.step()
    leader.planner.wait()


def test_an_archive_is_uploaded_and_shows_its_entry_points(leader: Leader, programs: Page) -> None:
    expect(programs.get_by_text("count: Count words")).to_be_visible()
    expect(programs.get_by_text("built: By code")).to_be_visible()
    expect(programs.get_by_label("Archive")).to_have_value("")


def test_an_archive_is_uploaded_by_a_drop(leader: Leader, enter: Open) -> None:
    page = enter(Role.OPERATOR)
    page.get_by_role("link", name="Programs").click()
    dropped = page.evaluate_handle(
        """(bytes) => {
            const carried = new DataTransfer();
            carried.items.add(new File([new Uint8Array(bytes)], "dropped.zip"));
            return carried;
        }""",
        list(COUNT),
    )
    page.dispatch_event("main", "drop", {"dataTransfer": dropped})
    expect(page.get_by_role("heading", name="dropped.zip")).to_be_visible()


def test_a_bad_archive_is_refused_by_name(leader: Leader, enter: Open, tmp_path: Path, complaints: list[str]) -> None:
    name, data, reason = BAD["escapes"]
    (tmp_path / name).write_bytes(data)
    page = enter(Role.OPERATOR)
    page.get_by_role("link", name="Programs").click()
    page.get_by_label("Archive").set_input_files(tmp_path / name)
    page.get_by_role("button", name="Upload").click()
    expect(page.get_by_role("alert").filter(has_text=reason)).to_be_visible()
    assert not Program.objects.exists()
    assert [text for text in complaints if "400 (Bad Request)" not in text] == []
    complaints.clear()


def test_a_plan_is_drawn(leader: Leader, programs: Page) -> None:
    programs.get_by_text("count: Count words").click()
    programs.get_by_role("link", name="Plan").click()
    expect(programs.locator("svg .stage")).to_have_count(2)


def test_an_entry_point_is_run_with_arguments(leader: Leader, programs: Page) -> None:
    programs.get_by_text("count: Count words").click()
    programs.get_by_label("Arguments").first.fill("--text 'two words' --times 3")
    programs.get_by_label("Parallelism").first.fill("4")
    programs.get_by_role("button", name="Run").first.click()
    expect(programs.get_by_role("heading", level=1)).to_contain_text("count two words")
    stage = Job.objects.get().stages.get(name="split")
    assert (stage.parallelism, stage.spec["command"]) == (4, ["echo", "two words", "3"])


def test_a_wrong_argument_is_told(leader: Leader, programs: Page, complaints: list[str]) -> None:
    programs.get_by_text("count: Count words").click()
    programs.get_by_label("Arguments").first.fill("--odd 1")
    programs.get_by_role("button", name="Run").first.click()
    expect(programs.get_by_role("alert").filter(has_text="takes no argument '--odd'")).to_be_visible()
    assert [text for text in complaints if "400 (Bad Request)" not in text] == []
    complaints.clear()


def test_a_function_is_called_and_its_job_linked(leader: Leader, agent: ListAgent, programs: Page) -> None:
    programs.get_by_text("A function of its Python code").click()
    programs.get_by_label("Entry").fill("jobs:build")
    programs.get_by_label("Arguments").last.fill("a 'b c'")
    programs.get_by_role("button", name="Run").last.click()
    called = programs.get_by_role("region", name="Functions that were called")
    expect(called.get_by_text("An agent calls jobs:build of count.zip")).to_be_visible()
    assert Job.objects.get().stages.get().given["args"][1] == ["a", "b c"]
    call(leader, agent, MADE)
    expect(called.get_by_text("jobs:build has described")).to_be_visible()
    called.get_by_role("link", name=re.compile("job")).last.click()
    expect(programs.get_by_role("heading", level=1)).to_contain_text("made")


def test_a_plan_of_a_function_is_drawn(leader: Leader, agent: ListAgent, programs: Page) -> None:
    programs.get_by_text("built: By code").click()
    programs.get_by_role("button", name="Plan").first.click()
    expect(programs.get_by_text("An agent calls jobs:build")).to_be_visible()
    call(leader, agent, MADE)
    plan = programs.get_by_role("img", name="Plan of made")
    expect(plan).to_be_visible()
    assert plan.evaluate("image => image.decode().then(() => image.naturalWidth)") > 0
    assert Job.objects.count() == 1


def test_a_function_that_fails_is_told_with_its_traceback(leader: Leader, agent: ListAgent, programs: Page) -> None:
    programs.get_by_text("built: By code").click()
    programs.get_by_role("button", name="Run").first.click()
    expect(programs.get_by_text("An agent calls jobs:build")).to_be_visible()
    call(leader, agent, error=f"Traceback …\nValueError: {NASTY}")
    expect(programs.get_by_text(f"ValueError: {NASTY}")).to_be_visible()
    assert programs.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_a_program_is_deleted(leader: Leader, programs: Page) -> None:
    programs.on("dialog", lambda dialog: dialog.accept())
    programs.get_by_role("button", name="Delete").click()
    expect(programs.get_by_text("No program was uploaded")).to_be_visible()


def test_a_viewer_looks_only(leader: Leader, enter: Open, programs: Page) -> None:
    programs.get_by_role("button", name="Log out").click()
    page = enter(Role.VIEWER)
    page.get_by_role("link", name="Programs").click()
    expect(page.get_by_role("heading", name="count.zip")).to_be_visible()
    expect(page.locator("main button")).to_have_count(0)


def test_the_page_fits_a_phone(leader: Leader, programs: Page) -> None:
    programs.set_viewport_size({"width": 360, "height": 740})
    programs.get_by_text("A function of its Python code").click()
    programs.get_by_text("count: Count words").click()
    expect(programs.get_by_label("Entry")).to_be_visible()
    assert programs.evaluate("document.documentElement.scrollWidth") <= 360

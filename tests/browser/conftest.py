"""What browser tests share: Chromium, a real server, somebody logged in, and an eye on what the browser complains about."""

import os
import shutil
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from playwright.sync_api import BrowserContext, ConsoleMessage, Page
from pytest_django.live_server_helper import LiveServer

from access.roles import Role
from tests.jobs.conftest import agent, job, leader
from tests.people import PASSWORD, with_password

__all__ = ["agent", "job", "leader"]

NAMES = ("chromium", "chromium-browser", "google-chrome")
OPTIONS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-extensions",
    "--no-first-run",
]
SECONDS = 20

Open = Callable[[Role], Page]


@pytest.fixture(scope="session", autouse=True)
def _django_beside_playwright() -> Iterator[None]:
    """Let tests use the database although Playwright runs an event loop in their thread; nothing awaits there."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(os.environ, "DJANGO_ALLOW_ASYNC_UNSAFE", "1")
        yield


@pytest.fixture(scope="session")
def base_url() -> None:
    """Take the place of pytest-base-url's fixture, of whose form pytest warns; pages are named in full here."""


@pytest.fixture(scope="session")
def browser_type_launch_args() -> dict[str, Any]:
    """Start the Chromium of this machine; skip where there is none."""
    path = next(filter(None, map(shutil.which, NAMES)), None)
    if path is None:
        pytest.skip(f"no browser: none of {', '.join(NAMES)} is on PATH")
    return {"executable_path": path, "args": OPTIONS}


@pytest.fixture
def complaints(context: BrowserContext) -> Iterator[list[str]]:
    """Give what the browser complains about: errors of scripts, and what the content policy forbids; none is wanted."""
    found: list[str] = []

    def note(message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            found.append(message.text)

    context.on("console", note)
    context.on("weberror", lambda error: found.append(str(error.error)))
    yield found
    assert found == []


@pytest.fixture
def enter(live_server: LiveServer, page: Page, complaints: list[str]) -> Open:
    """Log in with a role, by the page for it, and give the browser's page at the overview."""

    def make(role: Role) -> Page:
        page.set_default_timeout(SECONDS * 1000)
        with_password(role)
        page.goto(f"{live_server.url}/ui/")
        page.get_by_label("Name").fill(role.value)
        page.get_by_label("Password").fill(PASSWORD)
        page.get_by_role("button", name="Log in").click()
        page.wait_for_url(f"{live_server.url}/ui/")
        return page

    return make

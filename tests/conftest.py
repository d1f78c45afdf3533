"""What all tests share: where this run's own PostgreSQL and Redis are (started by launch.testing).

Builders of jobs and nodes live beside the tests that use them.
"""

import os
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import hypothesis
import pytest
import redis

if TYPE_CHECKING:
    from pytest_django import Settings

    from artifacts.storage import Storage
    from tests.switchyard.stacks import Running

# Two cores shared by all workers: the time an example takes says nothing.
hypothesis.settings.register_profile("switchyard", deadline=None, max_examples=40)
# For a night: make test ARGS=--hypothesis-profile=thorough
hypothesis.settings.register_profile("thorough", deadline=None, max_examples=1000)
hypothesis.settings.load_profile("switchyard")


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int:
    """Run three workers on two cores: for a good part of their time tests wait for processes that start and end."""
    return -(-len(os.sched_getaffinity(0)) * 3 // 2)


@pytest.fixture(scope="session", autouse=True)
def _emptying() -> Iterator[None]:
    """Empty the database after each test that commits in our way instead of Django's."""
    from django.test import TransactionTestCase

    from tests import emptying

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(TransactionTestCase, "_fixture_teardown", lambda _: emptying.empty())
        yield


@pytest.fixture(scope="session", autouse=True)
def _static_files() -> Iterator[None]:
    """Look for the static files once: each client of a test has a handler of its own, which would look again."""
    from whitenoise.middleware import WhiteNoiseMiddleware

    look, found = WhiteNoiseMiddleware.add_files_from_finders, dict[str, dict[str, Any]]()

    def look_once(middleware: WhiteNoiseMiddleware) -> None:
        if middleware.static_prefix not in found:
            look(middleware)
            found[middleware.static_prefix] = dict(middleware.files)
        middleware.files |= found[middleware.static_prefix]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(WhiteNoiseMiddleware, "add_files_from_finders", look_once)
        yield


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call() -> Generator[None]:
    """Keep the answers in pieces that a test asks for, and close them at its end, before its tables are emptied.

    Each has a transaction until it is closed. The collector of garbage would end that of a forgotten one at any time, also
    within a statement of the same connection, which then waits for itself.
    """
    from django.core.signals import request_finished
    from django.db import close_old_connections
    from django.test import Client

    answers, request = list[Any](), Client.request

    def kept(client: Client, **environ: Any) -> Any:
        answer = request(client, **environ)
        if answer.streaming:
            answers.append(answer)
        return answer

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Client, "request", kept)
        try:
            return (yield)
        finally:
            request_finished.disconnect(close_old_connections)
            for answer in answers:
                answer.close()
            request_finished.connect(close_old_connections)


@pytest.fixture(scope="session")
def whole_stack() -> Iterator["Running"]:
    """Give a whole stack that runs, which all tests of this worker share that look from outside."""
    from tests.switchyard.stacks import running

    with running() as stack:
        yield stack


@pytest.fixture
def kept(settings: "Settings", tmp_path: Path) -> Iterator["Storage"]:
    """Give a storage in a folder of the test's own."""
    from artifacts.logs import logs
    from artifacts.storage import storage
    from artifacts.storing import uploads

    settings.DATA_DIR = tmp_path
    for cached in (logs, storage, uploads):
        cached.cache_clear()
    logs()
    yield storage()
    for cached in (logs, storage, uploads):
        cached.cache_clear()


@pytest.fixture(scope="session")
def redis_url() -> str:
    """Give the URL of this worker's own database in the run's Redis."""
    return os.environ["REDIS_URL"]


@pytest.fixture
def broker(redis_url: str) -> Iterator[redis.Redis]:
    """Give a client of this worker's Redis database, empty at the start of the test."""
    with redis.Redis.from_url(redis_url) as client:
        client.flushdb()
        yield client


@pytest.fixture
def database_url(transactional_db: None) -> str:
    """Give the URL of this worker's test database, for processes that the test starts."""
    from django.db import connection

    name = connection.settings_dict["NAME"]
    return urlsplit(os.environ["DATABASE_URL"])._replace(path=f"/{name}").geturl()

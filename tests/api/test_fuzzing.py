"""Whatever is sent, by whoever may send it: no route ever answers with an error of ours."""

from collections.abc import Callable
from typing import Any

import pytest
import schemathesis
from django.core.wsgi import get_wsgi_application
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis import GenerationMode

from access.forwarding import forwarded
from access.roles import Role
from tests.jobs.agents import ListAgent, turn
from tests.people import as_

EXAMPLES = 8
Submit = Callable[..., dict[str, Any]]


@pytest.mark.timeout(300)
@pytest.mark.parametrize("mode", list(GenerationMode))
def test_no_request_makes_the_server_fail(mode: GenerationMode, submit: Submit, leader: Any, agent: ListAgent) -> None:
    submit({"a": {}, "b": {"needs": ["a"]}})
    turn(leader)
    headers = as_(Role.ADMIN)
    # Not that of scheduler_project.wsgi: with it comes the haste of a web process, for all tests that follow in this one.
    application = forwarded(get_wsgi_application(), [])
    described = schemathesis.openapi.from_wsgi("/api/v1/schema?format=json", application, headers=headers)
    for found in described.get_all_operations():
        operation: Any = found.ok()  # type: ignore[union-attr]  # anything else is an error of the description
        _try(operation.as_strategy(generation_mode=mode), headers)


def _try(cases: Any, headers: dict[str, str]) -> None:
    @settings(
        max_examples=EXAMPLES,
        derandomize=True,
        deadline=None,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=cases)
    def attempt(case: Any) -> None:
        answer = case.call(headers=headers)
        assert answer.status_code < 500, f"{case.method} {case.path}: {case.as_curl_command()}"

    attempt()

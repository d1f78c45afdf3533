"""What is not served is told at once with a status that no client repeats after, and says what is missing."""

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from jobs.models import Job
from switchyard.scheduling.lifecycle.states import JobState

pytestmark = pytest.mark.django_db

Submit = Callable[..., dict[str, Any]]


@pytest.mark.parametrize(
    ("method", "path", "missing"),
    [
        ("PATCH", "/jobs/{job}/rescaling?parallelism=2", "parallelism"),
        ("GET", "/jobs/{job}/resource-requirements", "parallelism"),
        ("PUT", "/jobs/{job}/resource-requirements", "parallelism"),
    ],
)
def test_it_names_what_is_missing(operator: Client, submit: Submit, method: str, path: str, missing: str) -> None:
    answer = operator.generic(method, path.format(job=submit({"a": {}})["id"]), b"{}")
    (text,) = answer.json()["errors"]
    assert (answer.status_code, missing in text) == (501, True)
    assert Job.objects.get().state == JobState.CREATED


@pytest.mark.parametrize("path", ["/training", "/algorithm", "/ratelimit", "/allocation", "/training/"])
def test_paths_of_voda_say_that_it_is_not_served(viewer: Client, anonymous: Client, path: str) -> None:
    for method in ("GET", "POST", "PUT", "DELETE"):
        answer = viewer.generic(method, path, b'"ElasticFIFO"')
        assert (answer.status_code, answer["Content-Type"]) == (501, "text/plain; charset=utf-8")
        assert b"Voda" in answer.content
    assert viewer.patch(path).status_code == 405
    assert anonymous.get(path).status_code == 401

"""What is answered while the database does not answer: that it is a moment's matter, and when to try again."""

from typing import Any

import pytest
from django.db import OperationalError, connection
from django.test import Client


def away(*_: Any) -> Any:
    raise OperationalError("the connection is lost")


@pytest.mark.parametrize("path", ["/api/v1/me", "/api/v1/nodes", "/ui/", "/metrics"])
def test_a_request_is_to_be_tried_again(viewer: Client, path: str) -> None:
    viewer.raise_request_exception = False
    with connection.execute_wrapper(away):
        answer = viewer.get(path)
    assert (answer.status_code, answer["Retry-After"]) == (503, "1")
    if path.startswith("/api/"):
        assert answer.json()["errors"][0]["code"] == "unavailable"
        assert "connection is lost" not in answer.content.decode()

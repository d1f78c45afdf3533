"""Nodes in Scale's words: lists, pages, and what operators do to them."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from access.models import AuditEntry
from nodes import services
from nodes.models import Event, Node
from tests.people import ANN

pytestmark = pytest.mark.django_db

BOTH = pytest.mark.parametrize("version", ["v5", "v6"])
FIELDS = ["id", "hostname", "pause_reason", "is_paused", "is_active", "deprecated", "created", "last_modified"]


@pytest.fixture
def node() -> Node:
    return registered("n1")


def registered(name: str) -> Node:
    return services.register(name, totals={"cpus": 2000}, labels={}, pool="default", info={})[0]


def patch(client: Client, path: str, body: Any) -> Any:
    return client.generic("PATCH", path, json.dumps(body).encode())


def names(client: Client, path: str) -> list[str]:
    answer = client.get(path)
    assert answer.status_code == 200, answer.content
    return [item["hostname"] for item in answer.json()["results"]]


@BOTH
def test_a_node_is_told_alike_in_the_list_and_alone(viewer: Client, node: Node, version: str) -> None:
    told = viewer.get(f"/{version}/nodes/").json()
    assert list(told) == ["count", "next", "previous", "results"]
    assert (told["count"], told["next"], told["previous"]) == (1, None, None)
    [item] = told["results"]
    assert item == viewer.get(f"/{version}/nodes/{node.id}/").json()
    assert list(item) == FIELDS
    assert item | {"created": "", "last_modified": ""} == {
        "id": node.id,
        "hostname": "n1",
        "pause_reason": None,
        "is_paused": False,
        "is_active": True,
        "deprecated": None,
        "created": "",
        "last_modified": "",
    }
    assert datetime.fromisoformat(item["created"]) <= datetime.fromisoformat(item["last_modified"]) <= datetime.now(UTC)


def test_a_list_is_told_page_by_page(viewer: Client) -> None:
    for number in range(5):
        registered(f"n{number}")
    first = viewer.get("/v6/nodes/?order=hostname&page_size=2").json()
    assert (first["count"], first["previous"]) == (5, None)
    assert first["next"] == "http://testserver/v6/nodes/?order=hostname&page_size=2&page=2"
    second = viewer.get(first["next"]).json()
    assert [item["hostname"] for item in second["results"]] == ["n2", "n3"]
    assert viewer.get(second["next"]).json()["next"] is None
    assert viewer.get("/v6/nodes/?page=4&page_size=2").status_code == 404
    assert viewer.get("/v6/nodes/?page_size=5000").json()["count"] == 5


def test_lists_are_ordered_and_narrowed(viewer: Client) -> None:
    a, b, c = (registered(name) for name in "abc")
    Node.objects.filter(id=a.id).update(changed_at=timezone.now() - timedelta(hours=5))
    services.pause(ANN, c.id, "why")
    services.deactivate(ANN, b.id)
    assert names(viewer, "/v6/nodes/") == ["a", "c", "b"]
    assert names(viewer, "/v6/nodes/?order=-hostname") == ["c", "b", "a"]
    assert names(viewer, "/v6/nodes/?order=is_paused&order=-hostname") == ["b", "a", "c"]
    assert names(viewer, "/v6/nodes/?order=deprecated&order=hostname") == ["a", "c", "b"]
    assert names(viewer, "/v6/nodes/?is_active=false") == ["b"]
    assert names(viewer, "/v6/nodes/?is_active=true") == ["a", "c"]
    assert names(viewer, "/v5/nodes/") == ["a", "c"]
    assert names(viewer, "/v5/nodes/?include_inactive=true") == ["a", "c", "b"]
    assert names(viewer, "/v6/nodes/?started=PT3H0M0S") == ["c", "b"]
    assert names(viewer, "/v6/nodes/?ended=PT3H0M0S") == ["a"]
    assert names(viewer, "/v6/nodes/?started=2000-01-01T00:00:00Z&ended=9999-12-31T23:59:59Z") == ["a", "c", "b"]


@pytest.mark.parametrize(
    "query",
    [
        "page=0",
        "page=x",
        "page_size=-1",
        "page_size=0",
        "order=nonsense",
        "order=--id",
        "is_active=maybe",
        "started=yesterday",
        "started=2000-01-01T00:00:00",
        "started=P999999D",
        "started=PT1H&ended=PT2H",
        "ended=P",
    ],
)
def test_what_a_list_cannot_be_asked_for_is_a_400(viewer: Client, node: Node, query: str) -> None:
    answer = viewer.get(f"/v6/nodes/?{query}")
    assert (answer.status_code, list(answer.json())) == (400, ["detail"])


def test_a_list_costs_the_same_for_one_node_and_for_ten(viewer: Client, django_assert_num_queries: Any) -> None:
    viewer.get("/v6/nodes/")
    registered("one")
    with django_assert_num_queries(2):
        viewer.get("/v6/nodes/")
    for number in range(9):
        registered(f"n{number}")
    with django_assert_num_queries(2):
        assert len(viewer.get("/v6/nodes/").json()["results"]) == 10


@BOTH
def test_a_node_is_paused_with_a_reason_and_resumed(operator: Client, node: Node, version: str) -> None:
    path = f"/{version}/nodes/{node.id}/"
    before = operator.get(path).json()
    answer = patch(operator, path, {"is_paused": True, "pause_reason": "broken fan"})
    after = operator.get(path).json()
    assert (answer.status_code, answer.content) == (204, b"") if version == "v6" else (200, answer.content)
    if version == "v5":
        assert answer.json() == after
    assert (after["is_paused"], after["pause_reason"]) == (True, "broken fan")
    assert after["last_modified"] > before["last_modified"]
    assert after["deprecated"] is None
    patch(operator, path, {"is_paused": False, "pause_reason": "ignored"})
    resumed = operator.get(path).json()
    assert (resumed["is_paused"], resumed["pause_reason"]) == (False, None)
    assert list(AuditEntry.objects.values_list("action", flat=True)) == ["node.pause", "node.resume"]


def test_a_reason_alone_is_kept_and_does_not_pause(operator: Client, node: Node) -> None:
    patch(operator, f"/v6/nodes/{node.id}/", {"pause_reason": "soon"})
    told = operator.get(f"/v6/nodes/{node.id}/").json()
    assert (told["is_paused"], told["pause_reason"]) == (False, "soon")
    patch(operator, f"/v6/nodes/{node.id}/", {"is_paused": True})
    assert operator.get(f"/v6/nodes/{node.id}/").json()["pause_reason"] == "soon"
    patch(operator, f"/v6/nodes/{node.id}/", {"pause_reason": None})
    assert operator.get(f"/v6/nodes/{node.id}/").json()["pause_reason"] is None


def test_a_draining_node_is_paused_and_resuming_ends_that(operator: Client, node: Node) -> None:
    services.drain(ANN, node.id, "update")
    AuditEntry.objects.all().delete()
    path = f"/v6/nodes/{node.id}/"
    assert operator.get(path).json()["is_paused"] is True
    patch(operator, path, {"is_paused": True, "pause_reason": "update"})
    assert not AuditEntry.objects.exists()
    patch(operator, path, {"is_paused": False})
    assert Node.objects.values_list("paused", "draining").get() == (False, False)


def test_deactivating_says_since_when_and_other_changes_do_not(operator: Client, node: Node) -> None:
    path = f"/v6/nodes/{node.id}/"
    before = operator.get(path).json()["last_modified"]
    patch(operator, path, {"is_active": False})
    told = operator.get(path).json()
    assert told["is_active"] is False
    assert before < told["deprecated"] <= told["last_modified"]
    patch(operator, path, {"is_active": False, "is_paused": True})
    assert operator.get(path).json()["deprecated"] == told["deprecated"]
    patch(operator, path, {"is_active": True})
    back = operator.get(path).json()
    assert (back["is_active"], back["deprecated"], back["is_paused"]) == (True, None, True)


def test_what_is_so_already_is_not_done_again(operator: Client, node: Node) -> None:
    before = Event.objects.count(), operator.get(f"/v6/nodes/{node.id}/").json()
    answer = patch(operator, f"/v6/nodes/{node.id}/", {"is_paused": False, "is_active": True, "pause_reason": ""})
    assert answer.status_code == 204
    assert (Event.objects.count(), operator.get(f"/v6/nodes/{node.id}/").json()) == before
    assert not AuditEntry.objects.exists()


@BOTH
@pytest.mark.parametrize(
    ("body", "told"),
    [
        ({}, "No fields specified for update."),
        ({"hostname": "x", "port": 1}, "Unexpected fields: hostname, port"),
        ({"is_paused": "maybe"}, "Validation Error: is_paused must be a boolean."),
        ({"is_active": None}, "Validation Error: is_active must be a boolean."),
        ({"pause_reason": 7}, "Validation Error: pause_reason must be text."),
        ({"pause_reason": "x" * 251}, "Validation Error: pause_reason must be text of at most 250 characters."),
        ({"pause_reason": "\x00"}, "Validation Error: pause_reason must be text of at most 250 characters."),
        ({"pause_reason": "\ud800"}, "Validation Error: pause_reason must be text of at most 250 characters."),
    ],
)
def test_what_a_node_cannot_be_told_is_a_400_before_it_is_looked_for(
    operator: Client, node: Node, version: str, body: Any, told: str
) -> None:
    for id_ in (node.id, 999):
        answer = patch(operator, f"/{version}/nodes/{id_}/", body)
        assert (answer.status_code, answer.json()) == (400, told)


@BOTH
@pytest.mark.parametrize("id_", ["999", "0", "-1", "9" * 18, "9" * 400, "n1", "1e3", "%C3%A9", "%C2%B2", "1%0a"])
def test_a_node_that_is_not_there_is_a_404(operator: Client, node: Node, version: str, id_: str) -> None:
    path = f"/{version}/nodes/{id_}/"
    for answer in (operator.get(path), patch(operator, path, {"is_paused": True})):
        assert (answer.status_code, answer.json()) == (404, {"detail": "Not found."})

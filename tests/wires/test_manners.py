"""How wires take requests as such: who asks, by which verb, in which encoding, from which page; never an error of ours."""

import re
from typing import Any

import pytest
from django.test import Client
from hypothesis import HealthCheck, given, settings, strategies
from pytest_django import Settings

from access.roles import Role
from tests.access.routes import routes
from tests.people import as_, user_in
from tests.wires.speakers import Flink, Speaker
from wires.base import WireView
from wires.registry import owner, wires

pytestmark = pytest.mark.django_db

ORIGIN = "https://ui.example.org"
OF_VIEWS = [route for route in routes() if issubclass(getattr(route.view, "view_class", object), WireView)]
OF_WIRES = [route for route in OF_VIEWS if route.view.view_class.wire in wires()]  # type: ignore[attr-defined]
METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "PROPFIND", "get"]
#: What stands in the place of an id: characters that a path may have, and what is hard to read.
IDS = strategies.one_of(
    strategies.text(strategies.characters(exclude_characters="/?#", exclude_categories=["Cs"]), min_size=1, max_size=50),
    strategies.sampled_from(
        ["0", "-1", "9" * 40, "1e9", "null", "%00", "%ff", "..", "{}", "a" * 3000, "00000000000000000000000000000001"]
    ),
    strategies.integers().map(str),
    strategies.uuids().map(str),
)
#: As many as the longest path has.
PARTS = 4
BODIES = strategies.one_of(
    strategies.binary(max_size=200),
    strategies.sampled_from([b"", b"{", b"null", b"[]", b'{"a": NaN}', b"[" * 5000, b"\xff\xfe", b'"\\ud800"', b"a=1&b=2"]),
)
TYPES = [
    "application/json",
    "text/plain",
    "multipart/form-data",
    "multipart/form-data; boundary=x",
    "application/x-www-form-urlencoded",
    "nonsense",
    "",
]
HOSTS = ["localhost:8000", "localhost:99999999", "[::1]:1", "[::1", "a b", ""]
ACCEPTS = ["application/json", "text/html", "image/png", "nonsense", "*/*;q=0", ""]


def test_every_route_of_a_wire_belongs_to_it() -> None:
    assert OF_WIRES
    for route in OF_WIRES:
        assert owner(route.path) is route.view.view_class.wire, route  # type: ignore[attr-defined]
        # All that varies in it has a name, which what follows fills.
        assert re.fullmatch(r"[\w/{}.-]+", route.pattern), route.pattern
    assert owner("/api/v1/jobs") is None
    assert owner("/api/v1") is None
    assert owner("/apis") is None
    assert owner("/healthz") is None


def test_the_words_for_who_may_not_ask_are_the_wires_own(speaker: Speaker, anonymous: Client, viewer: Client) -> None:
    answer = anonymous.generic(*speaker.reading)
    assert (answer.status_code, speaker.is_error(401, answer)) == (401, True)
    assert answer["WWW-Authenticate"].startswith("Bearer")
    answer = Client(headers={"Authorization": "Bearer wrong"}).generic(*speaker.reading)
    assert (answer.status_code, speaker.is_error(401, answer)) == (401, True)
    answer = viewer.generic(*speaker.changing)
    assert (answer.status_code, speaker.is_error(403, answer)) == (403, True)


def test_a_cookie_identifies_nobody(speaker: Speaker) -> None:
    client = Client()
    client.force_login(user_in(Role.ADMIN))
    for request in (speaker.reading, speaker.changing):
        assert client.generic(*request).status_code == 401


def test_what_leads_nowhere_is_told_in_its_words(speaker: Speaker, anonymous: Client) -> None:
    for path in (speaker.nowhere, f"{speaker.nowhere}/", f"{speaker.nowhere}%00"):
        answer = anonymous.get(path)
        assert (answer.status_code, speaker.is_error(404, answer)) == (404, True), path


@pytest.mark.parametrize("path", ["/nosuch", "/nosuch/a/", "//jobs", "/v2/overview", "/v2/jobs/a", "/v1/nosuch"])
def test_what_leads_nowhere_from_the_root_is_told_in_the_words_of_its_wire(anonymous: Client, path: str) -> None:
    answer = anonymous.get("/", PATH_INFO=path)
    assert (answer.status_code, Flink().is_error(404, answer)) == (404, True)


def test_people_who_mistype_an_address_see_a_page(anonymous: Client) -> None:
    for path in ("/nosuch", "/ui/nosuch"):
        assert anonymous.get(path, headers={"Accept": "text/html,*/*;q=0.8"})["Content-Type"].startswith("text/html")
    assert anonymous.get("/ui/nosuch")["Content-Type"].startswith("text/html")
    assert anonymous.get("/v3/nosuch").json().keys() == {"detail"}


def test_an_unreadable_query_is_told_in_its_words(speaker: Speaker, viewer: Client) -> None:
    for query in ("a=%00", "a=%ff", "&".join(f"a{number}=1" for number in range(3000))):
        answer = viewer.get(f"{speaker.reading[1]}?{query}")
        assert (answer.status_code, speaker.is_error(400, answer)) == (400, True)


def test_a_body_beyond_all_measure_is_refused_in_its_words(speaker: Speaker, operator: Client, settings: Settings) -> None:
    settings.LARGEST_BODY = 10
    answer = operator.generic(*speaker.changing, b"x" * 11)
    assert (answer.status_code, speaker.is_error(413, answer)) == (413, True)


def test_a_fault_of_ours_is_told_in_its_words(speaker: Speaker, viewer: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("forced")

    monkeypatch.setattr(WireView, "_handled", fail)
    viewer.raise_request_exception = False
    answer = viewer.generic(*speaker.reading)
    assert (answer.status_code, speaker.is_error(500, answer)) == (500, True)


def test_a_wrong_verb_is_answered_as_the_wire_does(speaker: Speaker, viewer: Client) -> None:
    method, status = speaker.wrong_verb
    answer = viewer.generic(method, speaker.reading[1])
    assert answer.status_code == status
    assert (status == 405 and answer.content == b"" and "Content-Type" not in answer) or speaker.is_error(status, answer)
    assert status != 405 or "GET" in answer["Allow"].split(", ")


def test_nothing_is_negotiated(speaker: Speaker, viewer: Client) -> None:
    plain = viewer.generic(*speaker.reading)
    for accept in ACCEPTS:
        answer = viewer.generic(*speaker.reading, b"\xff{", content_type="application/x-nonsense", headers={"Accept": accept})
        assert (answer.status_code, answer.content) == (plain.status_code, plain.content)


def test_named_origins_may_read_and_others_only_with_a_token(
    speaker: Speaker, anonymous: Client, viewer: Client, settings: Settings
) -> None:
    settings.CORS_ORIGINS = [ORIGIN]
    method, path = speaker.reading
    assert viewer.generic(method, path, headers={"Origin": ORIGIN})["Access-Control-Allow-Origin"] == ORIGIN
    assert anonymous.generic(method, path, headers={"Origin": ORIGIN})["Access-Control-Allow-Origin"] == ORIGIN
    assert viewer.generic(method, path, headers={"Origin": "https://other"})["Access-Control-Allow-Origin"] == "*"
    assert "Access-Control-Allow-Origin" not in anonymous.generic(method, path, headers={"Origin": "https://other"})


def test_a_preflight_of_a_named_origin_is_answered_without_credentials(
    speaker: Speaker, anonymous: Client, settings: Settings
) -> None:
    settings.CORS_ORIGINS = [ORIGIN]
    method, path = speaker.changing
    asked = {"Access-Control-Request-Method": method, "Access-Control-Request-Headers": "authorization"}
    answer = anonymous.options(path, headers={"Origin": ORIGIN, **asked})
    assert answer.status_code == 204
    assert answer["Access-Control-Allow-Origin"] == ORIGIN
    assert method in answer["Access-Control-Allow-Methods"]
    assert answer["Access-Control-Allow-Headers"] == "authorization"
    assert anonymous.options(path, headers={"Origin": "https://other", **asked}).status_code == 401


def test_the_open_loopback_serves_this_machine_and_no_page_of_another_site(
    speaker: Speaker, anonymous: Client, settings: Settings
) -> None:
    settings.SWITCHYARD_OPEN_ON_LOOPBACK, settings.CORS_ORIGINS = "operator", [ORIGIN]
    settings.ALLOWED_HOSTS = ["localhost"]
    local = {"Host": "localhost:8000"}
    assert anonymous.generic(*speaker.reading, headers=local).status_code == 200
    assert anonymous.generic(*speaker.reading, headers={**local, "Sec-Fetch-Site": "cross-site"}).status_code == 401
    for foreign in (ORIGIN, "null"):
        answer = anonymous.generic(*speaker.reading, headers={**local, "Origin": foreign})
        assert (answer.status_code, speaker.is_error(401, answer)) == (401, True)
        assert f"origin {foreign} " in answer.content.decode(), "it names what the browser adds"


@pytest.mark.parametrize("route", OF_VIEWS, ids=lambda route: route.pattern)
def test_no_request_makes_a_wire_fail(route: Any) -> None:
    headers = [as_(Role.ADMIN), as_(Role.VIEWER), {"Authorization": "Basic \xff"}, {}]
    client = Client()

    @settings(derandomize=True, database=None, suppress_health_check=list(HealthCheck))
    @given(
        method=strategies.sampled_from(METHODS),
        ids=strategies.lists(IDS, min_size=PARTS, max_size=PARTS),
        query=strategies.text(max_size=30),
        body=BODIES,
        type_=strategies.sampled_from(TYPES),
        accept=strategies.sampled_from(ACCEPTS),
        host=strategies.just("testserver") | strategies.sampled_from(HOSTS),
        sender=strategies.sampled_from(headers),
    )
    def attempt(
        method: str, ids: list[str], query: str, body: bytes, type_: str, accept: str, host: str, sender: dict[str, str]
    ) -> None:
        left = iter(ids)
        path = re.sub(r"\{\w+\}", lambda _: next(left), route.pattern)
        asked = {"Accept": accept, "Host": host, **sender}
        answer = client.generic(method, f"{path}?{query}", body, content_type=type_, headers=asked)
        assert answer.status_code < 500 or answer.status_code == 501, (method, path, query, body)
        assert answer.status_code not in (406, 415, 301, 302, 303, 307, 308)

    attempt()

"""Every route, from the resolver: each has a rule, the rule is the one meant, and it holds for each kind of caller.

A new route fails here until it is written into MEANT with the role that its meaning asks for.
"""

import pytest
from django.test import Client

from access.middleware import guards_itself, is_guarded_by_drf
from access.roles import Role
from access.rules import PUBLIC, rule_of
from switchyard.messaging.messages import IDENTITY
from tests.access.routes import Route, routes
from tests.people import as_

V, O, A, N = Role.VIEWER, Role.OPERATOR, Role.ADMIN, Role.AGENT  # noqa: E741
API = "/api/v1"
JOB, TASKS = f"{API}/jobs/{{job}}", f"{API}/jobs/{{job}}/stages/{{stage}}/tasks"
F_JOB = "/jobs/{job}"
VERTEX = f"{F_JOB}/vertices/{{vertex}}"
SUBTASK = f"{VERTEX}/subtasks/{{subtask}}"
#: What each route means, by method. Django's admin is one group: see test_admin.
MEANT: dict[str, dict[str, str]] = {
    "/healthz": {"GET": PUBLIC},
    "/readyz": {"GET": PUBLIC},
    "/": {"GET": PUBLIC},
    "/ui/login": {"GET": PUBLIC},
    "/ui/logout": {"GET": PUBLIC},
    "/ui/password": {"GET": V},
    "/ui/password/changed": {"GET": V},
    "/metrics": {"GET": V},
    "/ui": {"GET": PUBLIC},
    "/ui/": {"GET": V},
    "/ui/jobs": {"GET": V},
    "/ui/jobs/{key}": {"GET": V},
    "/ui/jobs/{key}/tasks": {"GET": V},
    "/ui/jobs/{key}/files": {"GET": V},
    "/ui/jobs/{key}/stages/{stage}/tasks/{index}": {"GET": V},
    "/ui/programs": {"GET": V},
    "/ui/nodes": {"GET": V},
    "/ui/nodes/{key}": {"GET": V},
    API: {"GET": V},
    f"{API}/schema": {"GET": V},
    f"{API}/docs": {"GET": V},
    f"{API}/me": {"GET": V},
    f"{API}/tokens": {"GET": A, "POST": A},
    f"{API}/tokens/{{token}}": {"DELETE": A},
    f"{API}/users": {"GET": A},
    f"{API}/audit": {"GET": A},
    f"{API}/programs": {"GET": V, "POST": O},
    f"{API}/programs/{{program}}": {"GET": V, "DELETE": O},
    f"{API}/programs/{{program}}/plan": {"POST": V},
    f"{API}/programs/{{program}}/plan.svg": {"GET": V},
    f"{API}/programs/{{program}}/run": {"POST": O},
    f"{API}/operations": {"GET": V},
    f"{API}/operations/{{operation}}": {"GET": V},
    f"{API}/operations/{{operation}}/plan.svg": {"GET": V},
    f"{API}/jobs": {"GET": V, "POST": O},
    JOB: {"GET": V, "DELETE": O},
    f"{JOB}/cancel": {"POST": O},
    f"{JOB}/checkpoint": {"POST": O},
    f"{JOB}/checkpoints": {"GET": V},
    f"{JOB}/checkpoints/{{checkpoint}}": {"GET": V, "DELETE": O},
    f"{JOB}/savepoint": {"POST": O},
    f"{JOB}/suspend": {"POST": O},
    f"{JOB}/resume": {"POST": O},
    f"{JOB}/release": {"POST": O},
    f"{JOB}/drain": {"POST": O},
    f"{JOB}/retry": {"POST": O},
    f"{JOB}/summary": {"GET": V},
    f"{JOB}/explain": {"GET": V},
    f"{JOB}/results": {"GET": V},
    f"{JOB}/dag.dot": {"GET": V},
    f"{JOB}/dag.svg": {"GET": V},
    f"{JOB}/tasks": {"GET": V},
    f"{JOB}/files": {"GET": V},
    f"{JOB}/stages": {"GET": V},
    f"{JOB}/stages/{{stage}}": {"GET": V},
    f"{JOB}/stages/{{stage}}/results": {"GET": V},
    TASKS: {"GET": V},
    f"{TASKS}/{{index}}": {"GET": V},
    f"{TASKS}/{{index}}/result": {"GET": V},
    f"{TASKS}/{{index}}/files": {"GET": V},
    f"{TASKS}/{{index}}/files/{{output}}/{{path}}": {"GET": V},
    f"{TASKS}/{{index}}/logs/{{stream}}": {"GET": V},
    f"{API}/job-types": {"GET": V},
    f"{API}/job-types/{{type}}": {"GET": V, "PATCH": O},
    f"{API}/job-types/{{type}}/pause": {"POST": O},
    f"{API}/job-types/{{type}}/resume": {"POST": O},
    f"{API}/nodes": {"GET": V},
    f"{API}/nodes/{{node}}": {"GET": V, "DELETE": A},
    f"{API}/nodes/{{node}}/pause": {"POST": O},
    f"{API}/nodes/{{node}}/resume": {"POST": O},
    f"{API}/nodes/{{node}}/drain": {"POST": O},
    f"{API}/nodes/{{node}}/deactivate": {"POST": O},
    f"{API}/nodes/{{node}}/activate": {"POST": O},
    f"{API}/scheduler": {"GET": V, "PATCH": O},
    f"{API}/events": {"GET": V},
    f"{API}/agent/register": {"POST": N},
    f"{API}/agent/heartbeat": {"POST": N},
    f"{API}/agent/left": {"POST": PUBLIC},
    f"{API}/agent/inputs/{{stage}}/{{producer}}": {"GET": N},
    f"{API}/agent/inputs/{{stage}}/{{producer}}/{{index}}": {"GET": N},
    f"{API}/agent/files/{{stage}}": {"GET": N},
    f"{API}/agent/stages/{{stage}}": {"GET": N},
    f"{API}/agent/items/{{stage}}": {"GET": N},
    f"{API}/agent/states/{{stage}}": {"GET": N, "POST": N},
    f"{API}/agent/states/{{stage}}/{{kept}}": {"POST": N},
    f"{API}/agent/programs/{{stage}}/{{digest}}": {"GET": N},
    f"{API}/agent/artifacts/{{digest}}": {"GET": N, "PUT": N},
    f"{API}/agent/inputs/{{stage}}/{{producer}}/{{index}}/files/{{digest}}": {"GET": N},
    f"{API}/agent/logs/{{stage}}/{{index}}/{{attempt}}/{{stream}}": {"POST": N},
    "/api/state": {"GET": V, "POST": V},
    "/api/version": {"GET": V},
    "/api/executors": {"GET": V, "POST": V},
    "/api/executor/{executor}": {"GET": V},
    "/api/jobs": {"GET": V, "POST": V},
    "/api/job/{job}": {"GET": V, "PATCH": O},
    "/api/job/{job}/stages": {"GET": V},
    "/api/job/{job}/config": {"GET": V},
    "/api/job/{job}/dot": {"GET": V},
    "/api/job/{job}/dot_svg": {"GET": V},
    "/api/job/{job}/stage/{stage}/dot": {"GET": V},
    "/api/metrics": {"GET": V},
    "/cluster": {"DELETE": A},
    "/config": {"GET": V},
    "/datasets": {"GET": V},
    "/jars": {"GET": V},
    "/jars/upload": {"POST": O},
    "/jars/{jar}": {"DELETE": O},
    "/jars/{jar}/plan": {"GET": V, "POST": V},
    "/jars/{jar}/run": {"POST": O},
    "/jobmanager/config": {"GET": V},
    "/jobmanager/environment": {"GET": V},
    "/jobmanager/log": {"GET": V},
    "/jobmanager/logs": {"GET": V},
    "/jobmanager/logs/{file}": {"GET": V},
    "/jobmanager/metrics": {"GET": V},
    "/jobmanager/stdout": {"GET": V},
    "/jobmanager/thread-dump": {"GET": V},
    "/jobs": {"GET": V, "POST": O},
    "/jobs/metrics": {"GET": V},
    f"{F_JOB}/metrics": {"GET": V},
    f"{VERTEX}/jm-operator-metrics": {"GET": V},
    f"{VERTEX}/metrics": {"GET": V},
    f"{VERTEX}/subtasks/metrics": {"GET": V},
    f"{SUBTASK}/metrics": {"GET": V},
    "/taskmanagers/metrics": {"GET": V},
    "/taskmanagers/{node}/log": {"GET": V},
    "/taskmanagers/{node}/logs": {"GET": V},
    "/taskmanagers/{node}/logs/{file}": {"GET": V},
    "/taskmanagers/{node}/metrics": {"GET": V},
    "/taskmanagers/{node}/stdout": {"GET": V},
    "/taskmanagers/{node}/thread-dump": {"GET": V},
    "/jobs/overview": {"GET": V},
    F_JOB: {"GET": V, "PATCH": O},
    f"{F_JOB}/accumulators": {"GET": V},
    f"{F_JOB}/cancel": {"GET": O, "DELETE": O},
    f"{F_JOB}/cancel-with-savepoint": {"GET": O},
    f"{F_JOB}/cancel-with-savepoint/in-progress/{{request_id}}": {"GET": V},
    f"{F_JOB}/cancel-with-savepoint/target-directory/{{directory}}": {"GET": O},
    f"{F_JOB}/clientHeartbeat": {"PATCH": O},
    f"{F_JOB}/checkpoints": {"GET": V, "POST": O},
    f"{F_JOB}/checkpoints/{{trigger}}": {"GET": V},
    f"{F_JOB}/checkpoints/config": {"GET": V},
    f"{F_JOB}/checkpoints/details/{{checkpoint}}": {"GET": V},
    f"{F_JOB}/checkpoints/details/{{checkpoint}}/subtasks/{{vertex}}": {"GET": V},
    f"{F_JOB}/config": {"GET": V},
    f"{F_JOB}/exceptions": {"GET": V},
    f"{F_JOB}/execution-result": {"GET": V},
    f"{F_JOB}/jobmanager/config": {"GET": V},
    f"{F_JOB}/jobmanager/environment": {"GET": V},
    f"{F_JOB}/jobmanager/log-url": {"GET": V},
    f"{F_JOB}/plan": {"GET": V},
    f"{F_JOB}/rescaling": {"PATCH": O},
    f"{F_JOB}/rescaling/{{trigger}}": {"GET": V},
    f"{F_JOB}/resource-requirements": {"GET": V, "PUT": O},
    f"{F_JOB}/savepoints": {"POST": O},
    f"{F_JOB}/savepoints/{{trigger}}": {"GET": V},
    f"{F_JOB}/status": {"GET": V},
    f"{F_JOB}/stop": {"GET": O, "DELETE": O, "POST": O},
    f"{F_JOB}/taskmanagers/{{node}}/log-url": {"GET": V},
    f"{F_JOB}/vertices": {"GET": V},
    VERTEX: {"GET": V},
    f"{VERTEX}/accumulators": {"GET": V},
    f"{VERTEX}/backpressure": {"GET": V},
    f"{VERTEX}/flamegraph": {"GET": V},
    f"{VERTEX}/subtasks/accumulators": {"GET": V},
    SUBTASK: {"GET": V},
    f"{SUBTASK}/attempts/{{attempt}}": {"GET": V},
    f"{SUBTASK}/attempts/{{attempt}}/accumulators": {"GET": V},
    f"{VERTEX}/subtasktimes": {"GET": V},
    f"{VERTEX}/taskmanagers": {"GET": V},
    f"{VERTEX}/watermarks": {"GET": V},
    f"{F_JOB}/yarn-cancel": {"GET": O},
    f"{F_JOB}/yarn-stop": {"GET": O},
    "/overview": {"GET": V},
    **{
        f"/{path}": dict.fromkeys(("GET", "POST", "PUT", "DELETE"), V)
        for path in ("training", "algorithm", "ratelimit", "allocation")
    },
    "/savepoint-disposal": {"POST": O},
    "/savepoint-disposal/{trigger}": {"GET": V},
    "/taskmanagers": {"GET": V},
    "/taskmanagers/{node}": {"GET": V},
    "/scheduler": {"GET": V, "PATCH": O},
    "/v4/scheduler": {"GET": V, "PATCH": O},
    "/v5/scheduler": {"GET": V, "PATCH": O},
    "/status": {"GET": V},
    "/v4/status": {"GET": V},
    "/v5/status": {"GET": V},
    "/v6/scheduler": {"GET": V, "PATCH": O},
    "/v6/status": {"GET": V},
    "/v6/version": {"GET": PUBLIC},
    "/v5/nodes": {"GET": V},
    "/v5/nodes/{node}": {"GET": V, "PATCH": O},
    "/v6/nodes": {"GET": V},
    "/v6/nodes/{node}": {"GET": V, "PATCH": O},
}
#: What the server refuses to everybody who may ask.
REFUSED = {"/cluster"}
CALLERS = (None, V, O, A, N)
OURS = [route for route in routes() if "admin" not in route.app_names]
CALLS = [(route, method) for route in OURS for method in route.methods]


def name(value: object) -> str | None:
    return value.pattern if isinstance(value, Route) else None


def client_of(caller: Role | None) -> Client:
    # No agent of a node: what asks for one says so with another status than that of a role which does not suffice.
    return Client(headers={**as_(caller), IDENTITY: "1 none"} if caller else {})


@pytest.mark.parametrize("route", routes(), ids=lambda route: route.pattern)
def test_every_route_has_a_rule(route: Route) -> None:
    if is_guarded_by_drf(route.view):
        rules = route.view.cls.rules  # type: ignore[attr-defined]
        actions = getattr(route.view, "actions", None) or {method.lower(): method.lower() for method in route.methods}
        assert set(actions.values()) <= set(rules)
    elif guards_itself(route.view):
        assert {method.lower() for method in route.methods} == set(route.view.view_class.rules)  # type: ignore[attr-defined]
    else:
        assert rule_of(route.view, app_names=route.app_names, url_name=route.url_name) is not None


def test_every_route_is_meant() -> None:
    assert {route.pattern: set(route.methods) for route in OURS} == {path: set(MEANT[path]) for path in MEANT}


@pytest.mark.django_db
@pytest.mark.parametrize("caller", CALLERS, ids=lambda caller: caller or "nobody")
def test_rules_hold_on_every_route(caller: Role | None) -> None:
    client = client_of(caller)
    wrong = []
    for route, method in CALLS:
        rule = MEANT[route.pattern][method]
        status = client.generic(method, route.path, content_type="application/json").status_code
        if not _is_right(status, rule, caller, route):
            wrong.append((method, route.path, rule, status))
    assert wrong == []


def _is_right(status: int, rule: str, caller: Role | None, route: Route) -> bool:
    if rule == PUBLIC or (caller and caller.includes(Role(rule))):
        return status == 403 if route.pattern in REFUSED else status not in (401, 403)
    if caller is None:
        return status == (302 if route.path.startswith("/ui/") else 401)
    return status == 403


@pytest.mark.django_db
@pytest.mark.parametrize(("caller", "status"), [(None, 302), (V, 403), (O, 403), (N, 403)], ids=str)
def test_admin_is_closed_to_all_but_admins(caller: Role | None, status: int) -> None:
    client = client_of(caller)
    pages = [route for route in routes() if "admin" in route.app_names and route.url_name not in ("login", "logout")]
    assert pages
    assert {client.get(route.path).status_code for route in pages} == {status}


@pytest.mark.django_db
def test_admin_shows_the_login_page_to_anyone(client: Client) -> None:
    assert client.get("/admin/login/", follow=True).status_code == 200


@pytest.mark.django_db
@pytest.mark.parametrize("path", ["/api/v1/jobs", "/api/v1/tokens", "/metrics"])
@pytest.mark.parametrize("method", ["OPTIONS", "HEAD", "TRACE", "PUT"])
def test_no_other_method_opens_a_route(client: Client, path: str, method: str) -> None:
    assert client.generic(method, path).status_code in (401, 405)


@pytest.mark.django_db
def test_token_in_a_query_identifies_nobody(client: Client) -> None:
    token = as_(Role.ADMIN)["Authorization"].split()[1]
    assert client.get(f"/api/v1/jobs?token={token}&access_token={token}").status_code == 401

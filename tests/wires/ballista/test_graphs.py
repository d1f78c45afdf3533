"""The graphs of jobs and stages in the language of Graphviz, as Ballista's own clients read them."""

import re
import subprocess
from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from jobs.drawing.layout import program
from jobs.leader.loop import Leader
from tests.jobs.agents import ListAgent, turn
from tests.wires.ballista.conftest import recorded
from wires.ballista.encode.plans import LONGEST_LABEL, label

Submit = Callable[..., dict[str, Any]]
Placed = Callable[[], list[tuple[int, int, int]]]
DIAMOND = {"a": {"parallelism": 2}, "b": {"needs": ["a"]}, "c": {"needs": ["a"]}, "d": {"needs": ["c", "b"]}}
TWO_STAGES = """digraph G {
\tsubgraph cluster0 {
\t\tlabel = "Stage 1 [Resolved]";
\t\tstage_1_0 [shape=box, label="ShuffleWriter [2 partitions]"]
\t\tstage_1_0_0 [shape=box, label="CommandExec: [`echo`, `a?b`]"]
\t\tstage_1_0_0 -> stage_1_0
\t}
\tsubgraph cluster1 {
\t\tlabel = "Stage 2 [Unresolved]";
\t\tstage_2_0 [shape=box, label="ShuffleWriter [1 partitions]"]
\t\tstage_2_0_0 [shape=box, label="PythonExec: bench.callables:square"]
\t\tstage_2_0_0_0 [shape=box, label="ShuffleReader [2 partitions]"]
\t\tstage_2_0_0_0 -> stage_2_0_0
\t\tstage_2_0_0 -> stage_2_0
\t}
\tstage_1_0 -> stage_2_0_0_0
}
"""


@pytest.mark.django_db
def test_a_job_is_drawn_with_a_cluster_for_each_stage(viewer: Client, operator: Client) -> None:
    stages = [
        {"name": "a", "command": ["echo", "a\\b"], "parallelism": 2},
        {"name": "b", "python": "bench.callables:square", "needs": ["a"]},
    ]
    job = operator.post("/api/v1/jobs", {"name": "x", "stages": stages}, content_type="application/json").json()
    answer = viewer.get(f"/api/job/{job['id']}/dot", headers={"Accept": "application/json"})
    assert answer["Content-Type"] == "text/plain; charset=utf-8"
    assert answer.content.decode().replace("a??b", "a?b") == TWO_STAGES


def test_a_stage_is_drawn_alone_with_what_was_measured(
    viewer: Client, submit: Submit, leader: Leader, agent: ListAgent, placed: Placed
) -> None:
    id_ = submit(DIAMOND)["id"]
    while tasks := placed():
        turn(leader, agent.finish(tasks))
    drawn = viewer.get(f"/api/job/{id_}/stage/4/dot").content.decode()
    assert "cluster" not in drawn
    assert re.search(r'stage_4_0 \[shape=box, label="ShuffleWriter \[1 partitions\]\noutput_rows=1, elapsed_compute=', drawn)
    assert drawn.count(" -> ") == 3
    assert drawn.startswith("digraph G {\n\t")
    assert drawn.endswith("\n}\n")


@pytest.mark.django_db
def test_edges_between_stages_are_sorted_by_what_is_read(viewer: Client, submit: Submit) -> None:
    drawn = viewer.get(f"/api/job/{submit(DIAMOND)['id']}/dot").content.decode()
    edges = [line.strip() for line in drawn.splitlines() if re.fullmatch(r"\tstage_\d+_0 -> stage_.*", line)]
    assert edges == [
        "stage_1_0 -> stage_2_0_0_0",
        "stage_1_0 -> stage_3_0_0_0",
        "stage_2_0 -> stage_4_0_0_0",
        "stage_3_0 -> stage_4_0_0_1",
    ]


@pytest.mark.django_db
def test_nothing_that_a_user_wrote_leaves_its_label(viewer: Client, operator: Client) -> None:
    nasty = 'x"]; evil [label="\\" \n}\n{ü'
    stages = [{"name": "a", "command": ["echo", nasty, "y" * 300]}]
    job = operator.post("/api/v1/jobs", {"name": "x", "stages": stages}, content_type="application/json").json()
    drawn = viewer.get(f"/api/job/{job['id']}/dot").content.decode()
    nodes = re.findall(r'^\t\t(stage_[0-9_]+) \[shape=box, label="([^"\\]*)"\]$', drawn, re.MULTILINE)
    assert [name for name, _ in nodes] == ["stage_1_0", "stage_1_0_0"]
    assert len(drawn.splitlines()) == 8


def test_the_terminal_ui_finds_every_operator_and_every_edge(
    viewer: Client, operator: Client, leader: Leader, agent: ListAgent, placed: Placed
) -> None:
    stages = [
        {"name": "a", "command": ["sh", "-c", "cat -- x -> y; z"], "parallelism": 2},
        {"name": "b", "command": ["true"], "needs": ["a"]},
    ]
    job = operator.post("/api/v1/jobs", {"name": "x", "stages": stages}, content_type="application/json").json()
    turn(leader, agent.finish(placed()))
    labels, edges = read_by_lines(viewer.get(f"/api/job/{job['id']}/dot").content.decode())
    assert list(labels) == ["stage_1_0", "stage_1_0_0", "stage_2_0", "stage_2_0_0", "stage_2_0_0_0"]
    assert labels["stage_1_0"].startswith("ShuffleWriter [2 partitions")
    assert labels["stage_2_0_0_0"] == "ShuffleReader [2 partitions]"
    assert edges == [
        ("stage_1_0_0", "stage_1_0"),
        ("stage_2_0_0_0", "stage_2_0_0"),
        ("stage_2_0_0", "stage_2_0"),
        ("stage_1_0", "stage_2_0_0_0"),
    ]


def read_by_lines(drawn: str) -> tuple[dict[str, str], list[tuple[str, ...]]]:
    """Read a graph as Ballista's terminal UI does, which knows no more of the language than this."""
    lines = [line.strip() for line in drawn.splitlines()]
    edges = [tuple(part.strip() for part in line.split("->")) for line in lines if "->" in line]
    labels = {}
    for line in lines:
        id_, bracket, rest = line.partition("[")
        if bracket and "]" in rest and "->" not in line and id_.startswith("stage_"):
            given = [part.split("=") for part in rest.rpartition("]")[0].split(",")]
            named = {pair[0].strip(): pair[1].strip().strip('"') for pair in given if len(pair) == 2}
            labels[id_.strip()] = named.get("label", id_.strip())
    return labels, edges


@pytest.mark.django_db
def test_graphviz_reads_the_graph(viewer: Client, submit: Submit) -> None:
    drawn = viewer.get(f"/api/job/{submit(DIAMOND)['id']}/dot").content
    graphviz = program()
    assert graphviz is not None
    told = subprocess.run([graphviz, "-Tplain"], input=drawn, check=True, capture_output=True, timeout=30).stdout
    assert told.count(b"\nnode ") == 12
    assert told.count(b"\nedge ") == 12


@pytest.mark.django_db
def test_the_picture_is_an_svg_whatever_is_accepted(viewer: Client, submit: Submit) -> None:
    answer = viewer.get(f"/api/job/{submit(DIAMOND)['id']}/dot_svg", headers={"Accept": "application/json"})
    assert (answer.status_code, answer["Content-Type"]) == (200, "image/svg+xml")
    assert answer.content.startswith(b"<svg")


@pytest.mark.django_db
@pytest.mark.parametrize("stage", ["0", "3", "99999999999999999999"[:19]])
def test_an_unknown_stage_is_a_404(viewer: Client, submit: Submit, stage: str) -> None:
    answer = viewer.get(f"/api/job/{submit({'a': {}, 'b': {}})['id']}/stage/{stage}/dot")
    assert answer.status_code == 404
    assert recorded("errors")["unknown"].items() <= answer.json().items()


@pytest.mark.django_db
@pytest.mark.parametrize("stage", ["x", "-1", "1.0", "٣", "9" * 30, "18446744073709551616"])
def test_a_stage_that_is_no_number_is_refused_in_plain_text(viewer: Client, submit: Submit, stage: str) -> None:
    answer = viewer.get(f"/api/job/{submit({'a': {}})['id']}/stage/{stage}/dot")
    assert (answer.status_code, answer["Content-Type"]) == (400, "text/plain; charset=utf-8")


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ('say "x"', "say `x`"),
        ("a\nb\tc\\dé", "a?b?c?d?"),
        ("a -> b => c", "a -? b => c"),
        ("x" * 101, "x" * LONGEST_LABEL + " ..."),
        ("x" * 100, "x" * 100),
    ],
)
def test_labels_are_short_plain_ascii(text: str, shown: str) -> None:
    assert label(text) == shown

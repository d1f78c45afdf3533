"""Graphs of jobs: what is drawn, that nothing a user wrote becomes markup, and what happens where drawing fails."""

import re
import time
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from xml.etree import ElementTree

import pytest
from django.utils import timezone

from jobs.commands.control import NoSuchJob
from jobs.drawing import job_graph, layout, layouts, svg
from jobs.drawing.job_graph import EdgeView, StageView, dot, job_dot, job_svg
from jobs.drawing.layout import Layout, NoLayout, lay_out
from jobs.leader.loop import Leader
from jobs.models import Job, LaidOut
from tests.jobs.agents import ListAgent, turn

Submit = Callable[..., Job]
SVG = "{http://www.w3.org/2000/svg}"
NASTY = ["<svg/onload=alert(1)>", 'x" URL="javascript:alert(1)', "</text><script>", "a\\nb\\", "&lt;b&gt;", "<<b>h</b>>"]


def stage(name: str = "a", **more: object) -> StageView:
    values: dict[str, object] = {"id": 1, "state": "RUNNING", "finished": 0, "failed": 0, "total": 1}
    return StageView(name=name, **(values | more))  # type: ignore[arg-type]


def texts(picture: bytes) -> list[str]:
    return [element.text or "" for element in ElementTree.fromstring(picture).iter(f"{SVG}text")]


def test_a_running_job_is_drawn_with_its_counts(leader: Leader, agent: ListAgent, job: Submit) -> None:
    made = job({"load": {"parallelism": 3}, "merge": {"needs": ["load"]}})
    turn(leader)
    agent.listen()
    turn(leader, agent.finish(agent.tasks()[:2]))
    assert texts(job_svg(made.id)) == ["load", "RUNNING 2/3", "merge", "WAITING 0/1"]
    assert "RUNNING 2/3" in job_dot(made.id)


@pytest.mark.django_db
def test_an_edge_points_from_producer_to_consumer_and_pointwise_is_dashed(job: Submit) -> None:
    made = job({"a": {"parallelism": 2}, "b": {"parallelism": 2, "needs": [{"stage": "a", "exchange": "pointwise"}]}})
    ids = dict(made.stages.values_list("name", "id"))
    assert f"s{ids['a']} -> s{ids['b']} [style=dashed]" in job_dot(made.id)
    edges = [e for e in ElementTree.fromstring(job_svg(made.id)).iter(f"{SVG}path") if e.get("class") == "edge"]
    assert [edge.get("stroke-dasharray") for edge in edges] == ["5 4"]


@pytest.mark.django_db
def test_an_unknown_job_is_not_drawn() -> None:
    with pytest.raises(NoSuchJob):
        job_dot(uuid.uuid4())
    with pytest.raises(NoSuchJob):
        job_svg(uuid.uuid4())


@pytest.mark.parametrize("name", NASTY)
def test_names_are_never_markup_in_the_svg(name: str) -> None:
    picture = svg.draw(lay_out(1, ()), [stage(name)], {}, job_graph.COLOURS)
    root = ElementTree.fromstring(svg.alone(picture))
    tags = {element.tag.removeprefix(SVG) for element in root.iter()}
    assert tags == {"svg", "style", "title", "defs", "marker", "path", "g", "rect", "circle", "text"}
    assert next(title.text for title in root.iter(f"{SVG}title") if title.text != "Graph of 1 stages") == (
        f"{name}: RUNNING 0/1"
    )
    assert not [key for element in root.iter() for key in element.attrib if key.startswith("on") or "href" in key]


@pytest.mark.parametrize("name", NASTY)
def test_names_are_never_attributes_or_markup_in_dot(name: str) -> None:
    text = dot([stage(name)], [EdgeView(1, 1, "all")])
    node = next(line for line in text.splitlines() if line.strip().startswith("s1 ["))
    unquoted = re.sub(r'"(?:[^"\\]|\\.)*"', '""', node)
    assert unquoted.strip() == 's1 [label="" fillcolor=""]'


def test_the_same_graph_is_laid_out_once(monkeypatch: pytest.MonkeyPatch) -> None:
    first = lay_out(3, ((0, 1), (1, 2)))
    monkeypatch.setattr(layout, "program", lambda: None)
    assert lay_out(3, ((0, 1), (1, 2))) is first


def test_without_graphviz_the_picture_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(layout, "program", lambda: None)
    with pytest.raises(NoLayout, match="neither dot nor graphviz-pure is installed"):
        lay_out(4, ((0, 3),))


def test_a_layout_that_takes_too_long_is_given_up(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    slow = tmp_path / "dot"
    slow.write_text("#!/bin/sh\nexec sleep 60\n")
    slow.chmod(0o755)
    monkeypatch.setattr(layout, "program", lambda: str(slow))
    monkeypatch.setattr(layout, "SECONDS", 0.2)
    with pytest.raises(NoLayout, match=r"more than 0.2 s"):
        lay_out(5, ((0, 4),))


def dot_that_counts(tmp_path: Path, then: str) -> tuple[Path, Path]:
    """Make a program in the place of Graphviz, and the file that gets a line for each of its runs."""
    program, runs = tmp_path / "dot", tmp_path / "runs"
    program.write_text(f"#!/bin/sh\necho run >> {runs}\n{then}\n")
    program.chmod(0o755)
    return program, runs


def test_a_graph_that_was_not_laid_out_is_not_tried_at_each_view(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    program, runs = dot_that_counts(tmp_path, "exit 1")
    monkeypatch.setattr(layout, "program", lambda: str(program))
    for _ in range(3):
        with pytest.raises(NoLayout, match="Graphviz failed"):
            lay_out(6, ((0, 5),))
    assert runs.read_text().splitlines() == ["run"]
    monkeypatch.setattr("jobs.drawing.layout.time.monotonic", lambda now=time.monotonic: now() + layout.FAILED_FOR)
    with pytest.raises(NoLayout):
        lay_out(6, ((0, 5),))
    assert runs.read_text().splitlines() == ["run", "run"]


def test_viewers_of_one_graph_at_once_have_it_laid_out_once(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    program, runs = dot_that_counts(tmp_path, f"sleep 0.5; exec {layout.program()} -Tplain")
    monkeypatch.setattr(layout, "program", lambda: str(program))
    with ThreadPoolExecutor(4) as threads:
        made = list(threads.map(lambda _: lay_out(7, ((0, 6),)), range(4)))
    assert len({id(each) for each in made}) == 1
    assert runs.read_text().splitlines() == ["run"]


@pytest.fixture
def forgets() -> Callable[[], None]:
    """Give what makes this process one that has just begun."""
    return layout._kept.clear


@pytest.mark.django_db(transaction=True)
def test_a_graph_is_laid_out_once_for_all_processes(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, forgets: Callable[[], None]
) -> None:
    program, runs = dot_that_counts(tmp_path, f"exec {layout.program()} -Tplain")
    monkeypatch.setattr(layout, "program", lambda: str(program))
    made = []
    for _ in range(3):
        forgets()
        made.append(lay_out(8, ((0, 7), (1, 7)), layouts.keep))
    assert made[1:] == made[:1] * 2
    assert runs.read_text().splitlines() == ["run"]


@pytest.mark.django_db(transaction=True)
def test_a_graph_that_was_not_laid_out_is_not_tried_by_another_process(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, forgets: Callable[[], None]
) -> None:
    program, runs = dot_that_counts(tmp_path, "exit 1")
    monkeypatch.setattr(layout, "program", lambda: str(program))

    def views() -> list[str]:
        for _ in range(2):
            forgets()
            with pytest.raises(NoLayout, match="Graphviz failed"):
                lay_out(9, ((0, 8),), layouts.keep)
        return runs.read_text().splitlines()

    assert views() == ["run"]
    LaidOut.objects.update(made_at=timezone.now() - timedelta(days=2))
    assert views() == ["run", "run"], "once a day, as the machine may have been busy"


@pytest.mark.django_db(transaction=True)
def test_processes_that_want_one_graph_at_once_have_it_laid_out_once() -> None:
    turns = []

    def make() -> Layout:
        turns.append("run")
        time.sleep(0.2)
        return Layout(1.0, 2.0, ((0.5, 0.5),), ())

    with ThreadPoolExecutor(4) as threads:
        made = list(threads.map(lambda _: layouts.keep("a" * 64, make), range(4)))
    assert made == [Layout(1.0, 2.0, ((0.5, 0.5),), ())] * 4
    assert turns == ["run"]


@pytest.mark.django_db(transaction=True)
def test_only_the_newest_layouts_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(layouts, "MOST", 2)
    for letter in "abc":
        layouts.keep(letter * 64, lambda: Layout(1.0, 1.0, (), ()))
    assert {row.digest[0] for row in LaidOut.objects.all()} == {"b", "c"}


@pytest.mark.django_db
def test_too_many_stages_are_counted_instead_of_drawn(job: Submit, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(job_graph, "MOST_DRAWN", 2)
    made = job({"a": {}, "b": {}, "c": {}})
    assert texts(job_svg(made.id)) == ["3 stages are too many to draw (at most 2). The table has them all."]
    assert job_dot(made.id).count("label=") == 3


@pytest.mark.django_db
def test_the_answer_is_closed_to_scripts_and_guessing(job: Submit) -> None:
    answer = job_graph.svg_response(job({"a": {}}).id)
    assert answer["Content-Type"] == "image/svg+xml"
    assert answer["Content-Security-Policy"] == "default-src 'none'; style-src 'unsafe-inline'; sandbox"
    assert answer["X-Content-Type-Options"] == "nosniff"

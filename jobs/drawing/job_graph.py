"""A job's stages as a graph with their live states, as DOT and as SVG.

Positions come from `layout`, which sees no text of a user's; `svg` puts the states into them. So a state that changes costs
no new layout, and nothing that a user wrote is ever markup.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import graphviz
from django.http import HttpResponse

from jobs.commands.control import NoSuchJob
from jobs.drawing import layouts, svg
from jobs.drawing.layout import NoLayout, lay_out
from jobs.reading import stages as stage_reading

#: Stages that are drawn at the most; people read no larger graph.
MOST_DRAWN = 500
#: For whatever opens the image by itself: nothing in it may load, run or be taken for another type.
SVG_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; sandbox",
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-store",
}
COLOURS = {
    "WAITING": "#8b95a5",
    "READY": "#b7791f",
    "RUNNING": "#2f6fde",
    "FINISHED": "#22863a",
    "FAILED": "#cf2f3f",
    "CANCELED": "#6b5b95",
}


@dataclass(frozen=True, slots=True)
class StageView:
    """What is drawn of a stage; `total` is 0 while nobody knows how many tasks it will have."""

    id: int
    name: str
    state: str
    finished: int
    failed: int
    total: int


@dataclass(frozen=True, slots=True)
class EdgeView:
    """Stage `consumer` needs stage `producer`."""

    producer: int
    consumer: int
    exchange: str


def job_dot(job: UUID) -> str:
    """Return the graph of a job in the language of Graphviz; raises NoSuchJob."""
    return dot(*_views(_shown_stages(job)))


def job_svg(job: UUID) -> bytes:
    """Return the graph of a job as an SVG, or an SVG that says why it is not drawn; raises NoSuchJob."""
    return svg.alone(picture(_shown_stages(job)))


def picture(shown: Sequence[dict[str, Any]]) -> str:
    """Return the SVG of stages as `showing_stages` gives them, for a page that brings the style."""
    stages, edges = _views(shown)
    if len(stages) > MOST_DRAWN:
        return svg.note(f"{len(stages):,} stages are too many to draw (at most {MOST_DRAWN:,}). The table has them all.")
    numbers = {stage.id: number for number, stage in enumerate(stages)}
    pairs = tuple((numbers[edge.producer], numbers[edge.consumer]) for edge in edges)
    try:
        layout = lay_out(len(stages), pairs, layouts.keep)
    except NoLayout as error:
        return svg.note(str(error))
    return svg.draw(layout, stages, {pair: edge.exchange for pair, edge in zip(pairs, edges, strict=True)}, COLOURS)


def drawn_response(shown: Sequence[dict[str, Any]]) -> HttpResponse:
    """Return the answer that carries the SVG of stages that are of no job yet."""
    return HttpResponse(svg.alone(picture(shown)), content_type="image/svg+xml", headers=SVG_HEADERS)


def svg_response(job: UUID) -> HttpResponse:
    """Return the answer that carries the SVG, closed to everything that it does not need."""
    return HttpResponse(job_svg(job), content_type="image/svg+xml", headers=SVG_HEADERS)


def dot(stages: Iterable[StageView], edges: Iterable[EdgeView]) -> str:
    """Return a graph in the language of Graphviz: a node for each stage, coloured by its state."""
    graph = graphviz.Digraph("job", graph_attr={"rankdir": "LR", "bgcolor": "transparent"})
    graph.attr("node", shape="box", style="rounded,filled", fontname="Helvetica", fontcolor="white", penwidth="0")
    graph.attr("edge", color="#8b95a5")
    for stage in stages:
        graph.node(f"s{stage.id}", _label(stage), fillcolor=COLOURS[stage.state])
    for edge in edges:
        graph.edge(f"s{edge.producer}", f"s{edge.consumer}", style="dashed" if edge.exchange == "pointwise" else "solid")
    text: str = graph.source
    return text


def _label(stage: StageView) -> str:
    # Graphviz reads entities, and escapes with a backslash, in labels.
    name = graphviz.escape(stage.name.replace("&", "&amp;"))
    failed = f", {stage.failed} failed" if stage.failed else ""
    return f"{name}\\n{stage.state} {stage.finished}/{stage.total}{failed}"


def _shown_stages(job: UUID) -> list[dict[str, Any]]:
    found = stage_reading.stages(job)
    if not found:
        raise NoSuchJob(f"There is no job {job}.")
    return found


def _views(shown: Sequence[dict[str, Any]]) -> tuple[list[StageView], list[EdgeView]]:
    ids = {stage["name"]: stage["id"] for stage in shown}
    edges = [EdgeView(ids[need["stage"]], stage["id"], need["exchange"]) for stage in shown for need in stage["needs"]]
    return [_view(stage) for stage in shown], edges


def _view(stage: dict[str, Any]) -> StageView:
    tasks = stage["tasks"]
    return StageView(stage["id"], stage["name"], stage["state"], tasks["FINISHED"], tasks["FAILED"], tasks["total"])

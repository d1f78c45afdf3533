"""A layout and the states of its stages as SVG. Pure; all text is escaped, nothing links anywhere.

A page that embeds the picture brings its style (static/dag.css); a picture that stands alone has its own.
"""

from collections.abc import Iterator, Mapping, Sequence
from html import escape
from typing import Protocol

from jobs.drawing.layout import NODE_HEIGHT, NODE_WIDTH, Layout, Point

MARGIN = 8
SHOWN_NAME = 22
_STYLE = (
    "text{font:13px system-ui,sans-serif;fill:#1b2430}.small{font-size:11px;opacity:.75}"
    ".box{fill:#fff}.edge{stroke:#8b95a5;fill:none}.tip{fill:#8b95a5}.track{fill:#8b95a540}"
    "@media(prefers-color-scheme:dark){text{fill:#e6eaf0}.box{fill:#1d2530}}"
)


class Stage(Protocol):
    """What a box shows."""

    @property
    def name(self) -> str: ...
    @property
    def state(self) -> str: ...
    @property
    def finished(self) -> int: ...
    @property
    def failed(self) -> int: ...
    @property
    def total(self) -> int: ...


def draw(
    layout: Layout,
    stages: Sequence[Stage],
    exchanges: Mapping[tuple[int, int], str],
    colours: Mapping[str, str],
) -> str:
    """Return the picture: a box for each stage with its name, state and share of finished tasks, arrows between them."""
    parts = [
        *(_edge(points, exchanges[pair]) for pair, points in layout.edges),
        *(_box(place, stage, colours[stage.state]) for place, stage in zip(layout.nodes, stages, strict=True)),
    ]
    return _picture(layout.width, layout.height, f"Graph of {len(stages)} stages", parts)


def note(text: str) -> str:
    """Return a picture of one sentence."""
    return _picture(8.0 * len(text), 24, text, [f'<text x="0" y="17">{escape(text)}</text>'])


def alone(picture: str) -> bytes:
    """Return a picture with its style in it, as a file of its own."""
    head, end, rest = picture.partition("</title>")
    return f"{head}{end}<style>{_STYLE}</style>{rest}".encode()


def _picture(width: float, height: float, title: str, parts: Sequence[str]) -> str:
    wide, high = width + 2 * MARGIN, height + 2 * MARGIN
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" class="dag" role="img" width="{wide:.0f}" height="{high:.0f}" '
        f'viewBox="{-MARGIN} {-MARGIN} {wide:.0f} {high:.0f}"><title>{escape(title)}</title>'
    )
    tip = (
        '<defs><marker id="tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" orient="auto">'
        '<path class="tip" d="M0 0L8 4L0 8z"/></marker></defs>'
    )
    return "".join([head, tip, *parts, "</svg>"])


def _edge(points: Sequence[Point], exchange: str) -> str:
    start, *rest = (f"{x:.1f} {y:.1f}" for x, y in points)
    dashes = ' stroke-dasharray="5 4"' if exchange == "pointwise" else ""
    return f'<path class="edge" d="M{start}C{" ".join(rest)}" marker-end="url(#tip)"{dashes}/>'


def _box(place: Point, stage: Stage, colour: str) -> str:
    x, y = place[0] - NODE_WIDTH / 2, place[1] - NODE_HEIGHT / 2
    return (
        f'<g class="stage {stage.state.lower()}" transform="translate({x:.1f} {y:.1f})">{"".join(_inside(stage, colour))}</g>'
    )


def _inside(stage: Stage, colour: str) -> Iterator[str]:
    yield f"<title>{escape(stage.name)}: {_told(stage)}</title>"
    yield f'<rect class="box" width="{NODE_WIDTH}" height="{NODE_HEIGHT}" rx="7" stroke="{colour}" stroke-width="1.5"/>'
    yield f'<circle cx="15" cy="17" r="4.5" fill="{colour}"/>'
    yield f'<text x="26" y="21.5">{escape(_short(stage.name))}</text>'
    yield f'<text class="small" x="12" y="38">{_told(stage)}</text>'
    yield f'<rect class="track" x="12" y="43" width="{NODE_WIDTH - 24}" height="3" rx="1.5"/>'
    done = (NODE_WIDTH - 24) * _share(stage)
    yield f'<rect x="12" y="43" width="{done:.1f}" height="3" rx="1.5" fill="{colour}"/>'


def _told(stage: Stage) -> str:
    failed = f", {stage.failed:,} failed" if stage.failed else ""
    return f"{stage.state} {stage.finished:,}/{stage.total:,}{failed}"


def _share(stage: Stage) -> float:
    if not stage.total:
        return float(stage.state == "FINISHED")
    return (stage.finished + stage.failed) / stage.total


def _short(name: str) -> str:
    """Cut a long name in its middle, as stages often differ at the end."""
    if len(name) <= SHOWN_NAME:
        return name
    half = SHOWN_NAME // 2
    return f"{name[: half - 1]}…{name[-half:]}"

"""Positions of the nodes and edges of a graph, from Graphviz, within limits of time and memory.

It is given numbers alone. Layouts are kept, as a job's graph does not change; also that there is none, for a while: here
by each process, and by `jobs.drawing.layouts` for all.
"""

import hashlib
import resource
import shutil
import subprocess
import sys
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from threading import Lock

from switchyard.scheduling.errors import SwitchyardError

SECONDS = 5
BYTES = 512 * 1024 * 1024
KEPT = 256
#: Seconds after which a graph that was not laid out is tried again: the machine may have been busy.
FAILED_FOR = 24 * 3600.0
#: Points an inch, as Graphviz counts, and the size of a node in points.
INCH = 72.0
NODE_WIDTH, NODE_HEIGHT = 176, 52
_PURE = "graphviz-pure"

Point = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Layout:
    """Places in points from the upper left: the middles of nodes, and of each edge the points of its Bézier curves."""

    width: float
    height: float
    nodes: tuple[Point, ...]
    edges: tuple[tuple[tuple[int, int], tuple[Point, ...]], ...]


@dataclass(frozen=True, slots=True)
class Failed:
    """Why a graph was not laid out, and until when that counts."""

    reason: str
    until: float


class NoLayout(SwitchyardError):
    """This graph cannot be drawn."""


class NotDrawn(NoLayout):
    """Graphviz tried, and did not lay out this graph."""


#: Returns what is kept of a graph, by its digest, or what the second makes, which is kept then.
Keep = Callable[[str, Callable[[], "Layout | Failed"]], "Layout | Failed"]


def lay_out(nodes: int, edges: tuple[tuple[int, int], ...], keep: Keep = lambda _, make: make()) -> Layout:
    """Return the layout of a graph of nodes 0, 1, …; raises NoLayout where Graphviz is missing, too slow or too big."""
    text = _text(nodes, edges)
    key = hashlib.sha256(text.encode()).hexdigest()
    with _lock:
        work = _works.setdefault(key, Lock())
    try:
        with work:
            found = _known(key) or _remember(key, keep(key, lambda: _tried(text, nodes)))
    finally:
        with _lock:
            _works.pop(key, None)
    if isinstance(found, Failed):
        raise NoLayout(found.reason)
    return found


def program() -> str | None:
    """Return the path of `dot`, or of the program that the wheel brings, or None."""
    beside = Path(sys.executable).with_name(_PURE)
    return shutil.which("dot") or (str(beside) if beside.exists() else shutil.which(_PURE))


_kept: OrderedDict[str, Layout | Failed] = OrderedDict()
#: Held by whoever lays out a graph, so that others who want the same one wait for it.
_works: dict[str, Lock] = {}
_lock = Lock()


def _known(key: str) -> Layout | Failed | None:
    with _lock:
        found = _kept.get(key)
    return None if isinstance(found, Failed) and time.monotonic() > found.until else found


def _tried(text: str, nodes: int) -> Layout | Failed:
    """Lay out a graph; that Graphviz is missing is found out anew each time."""
    try:
        return _read(_run(text), nodes)
    except NotDrawn as error:
        return Failed(str(error), time.monotonic() + FAILED_FOR)


def _remember(key: str, found: Layout | Failed) -> Layout | Failed:
    with _lock:
        _kept[key] = found
        while len(_kept) > KEPT:
            _kept.popitem(last=False)
    return found


def _text(nodes: int, edges: tuple[tuple[int, int], ...]) -> str:
    size = f"width={NODE_WIDTH / INCH:.4f} height={NODE_HEIGHT / INCH:.4f}"
    lines = [
        "digraph { rankdir=LR nodesep=0.28 ranksep=0.55",
        f"node [shape=box fixedsize=true {size}]",
        *(str(number) for number in range(nodes)),
        *(f"{producer} -> {consumer}" for producer, consumer in edges),
        "}",
    ]
    return "\n".join(lines)


def _run(text: str) -> str:
    path = program()
    if path is None:
        raise NoLayout("Graphs are not drawn: neither dot nor graphviz-pure is installed.")
    with subprocess.Popen(
        [path, "-Tplain"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as child:
        try:
            resource.prlimit(child.pid, resource.RLIMIT_AS, (BYTES, BYTES))
            out, _ = child.communicate(text, timeout=SECONDS)
        except subprocess.TimeoutExpired as error:
            child.kill()
            raise NotDrawn(f"This graph is not drawn: it took more than {SECONDS} s.") from error
    if child.returncode:
        raise NotDrawn("This graph is not drawn: Graphviz failed.")
    return out


def _read(plain: str, nodes: int) -> Layout:
    """Read Graphviz's plain format: inches from the lower left."""
    width = height = 0.0
    places: dict[int, Point] = {}
    edges = []
    for words in (line.split() for line in plain.splitlines()):
        match words:
            case ["graph", _, wide, high]:
                width, height = float(wide) * INCH, float(high) * INCH
            case ["node", name, x, y, *_]:
                places[int(name)] = (float(x) * INCH, height - float(y) * INCH)
            case ["edge", tail, head, count, *rest]:
                numbers = [float(word) * INCH for word in rest[: 2 * int(count)]]
                edges.append(((int(tail), int(head)), tuple(_points(numbers, height))))
    return Layout(width, height, tuple(places[number] for number in range(nodes)), tuple(edges))


def _points(numbers: list[float], height: float) -> Iterator[Point]:
    return ((x, height - y) for x, y in zip(numbers[::2], numbers[1::2], strict=True))

"""Stages as Ballista's plans: a writer, the program, a reader for each needed stage.

Contract: the DOT text of its scheduler (one cluster a stage, `stage_<n>_0` the writer, child j of node N is N_j), read by
its terminal UI, which takes nodes by that beginning of their ids. It reads line by line: an arrow anywhere is an edge, and
a label ends at a comma, after a second `=` there is none.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from wires.ballista.decode import PlanFormat
from wires.ballista.states import PROGRAMS, READERS, STAGES, WRITER

if TYPE_CHECKING:
    from jobs.reading.plans import Input, Plan

#: Characters of a label, and what no label may hold.
LONGEST_LABEL = 100
_ODD = re.compile(r"[^ -~]|\\|(?<=-)>")


@dataclass(frozen=True, slots=True)
class Operator:
    """A step of a stage's plan, with those that it takes its input from, and how many partitions it reads or writes."""

    title: str
    detail: str
    children: tuple["Operator", ...] = ()
    partitions: int | None = None


def number(plan: "Plan | Input") -> int:
    """Return the number by which Ballista names a stage."""
    return plan.position + 1


def operators(plan: "Plan") -> Operator:
    """Return the plan of one stage."""
    readers = tuple(
        Operator(READERS[each.exchange], f"stage={number(each)}, partitions={each.tasks}", partitions=each.tasks)
        for each in plan.inputs
    )
    marks = "".join([", gang" if plan.gang else "", ", foreach" if plan.foreach else ""])
    program = Operator(PROGRAMS[plan.kind], f"{plan.program}{marks}", readers)
    return Operator(WRITER, f"partitions={plan.tasks}", (program,), plan.tasks)


def job_dot(plans: Sequence["Plan"]) -> str:
    """Return the graph of a whole job."""
    lines = ["digraph G {"]
    for place, plan in enumerate(plans):
        lines += [
            f"\tsubgraph cluster{place} {{",
            f'\t\tlabel = "Stage {number(plan)} [{STAGES[plan.state]}]";',
            *(f"\t\t{line}" for line in _drawn(plan)),
            "\t}",
        ]
    lines += [f"\t{edge}" for plan in plans for edge in _read(plan)]
    return "\n".join([*lines, "}", ""])


def stage_dot(plan: "Plan") -> str:
    """Return the graph of one stage."""
    return "\n".join(["digraph G {", *(f"\t{line}" for line in _drawn(plan)), "}", ""])


def stage_text(plan: "Plan", format_: PlanFormat) -> str:
    """Write the plan of one stage, an operator a line."""
    measured = f", metrics=[{measures(plan)}]" if format_ is PlanFormat.METRICS and plan.begun else ""
    lines = _tree(operators(plan)) if format_ is PlanFormat.TREE else _indented(operators(plan))
    head, *rest = lines
    return "\n".join([f"{head}{measured}", *rest, ""])


def job_text(plans: Sequence["Plan"], format_: PlanFormat) -> str:
    """Write the plans of all stages."""
    return "".join(f"Stage {number(plan)}: {plan.name}\n{stage_text(plan, format_)}" for plan in plans)


def logical_text(plans: Sequence["Plan"]) -> str:
    """Write what was submitted, a stage a line."""
    names = {plan.position: plan.name for plan in plans}
    return "".join(_described(plan, names) for plan in plans)


def states_text(plans: Sequence["Plan"]) -> str:
    """Write where all stages stand."""
    return "".join(
        f"Stage {number(plan)} [{STAGES[plan.state]}]: {plan.name}, {plan.finished} of {plan.tasks} partitions\n"
        for plan in plans
    )


def measures(plan: "Plan") -> str:
    """Write what was measured of a stage."""
    return f"output_rows={plan.finished}, elapsed_compute={duration(round(plan.seconds * 1000))}"


def duration(milliseconds: int) -> str:
    """Write a duration as DataFusion does: 500.00ms, 1.23s."""
    return f"{milliseconds / 1000:.2f}s" if milliseconds >= 1000 else f"{milliseconds:.2f}ms"


def label(text: str) -> str:
    """Return a text that is safe between double quotes in DOT: ASCII, on one line, not too long."""
    plain = _ODD.sub("?", text).replace('"', "`")
    return plain if len(plain) <= LONGEST_LABEL else f"{plain[:LONGEST_LABEL]} ..."


def _drawn(plan: "Plan") -> Iterator[str]:
    """Yield the lines of a stage's nodes, each before its children, and of the edges between them."""
    stack: list[tuple[Operator, str] | str] = [(operators(plan), f"stage_{number(plan)}_0")]
    while stack:
        item = stack.pop()
        if isinstance(item, str):
            yield item
            continue
        operator, id_ = item
        yield f'{id_} [shape=box, label="{_title(plan, operator)}"]'
        for place, child in reversed(list(enumerate(operator.children))):
            stack += [f"{id_}_{place} -> {id_}", (child, f"{id_}_{place}")]


def _title(plan: "Plan", operator: Operator) -> str:
    if operator.partitions is None:
        return label(f"{operator.title}: {operator.detail}")
    shown = f"{operator.title} [{operator.partitions} partitions]"
    return f"{shown}\n{measures(plan)}" if plan.begun and operator.title == WRITER else shown


def _read(plan: "Plan") -> Iterator[str]:
    """Yield the edges from the stages that a stage reads to its readers, by the producer's number."""
    for place, each in enumerate(plan.inputs):
        yield f"stage_{number(each)}_0 -> stage_{number(plan)}_0_0_{place}"


def _indented(operator: Operator, depth: int = 0) -> Iterator[str]:
    yield f"{'  ' * depth}{operator.title}: {operator.detail}"
    for child in operator.children:
        yield from _indented(child, depth + 1)


def _tree(operator: Operator, before: str = "", own: str = "") -> Iterator[str]:
    yield f"{before}{own}{operator.title}: {operator.detail}"
    inside = before + {"": "", "├── ": "│   ", "└── ": "    "}[own]
    for place, child in enumerate(operator.children, 1):
        yield from _tree(child, inside, "└── " if place == len(operator.children) else "├── ")


def _described(plan: "Plan", names: dict[int, str]) -> str:
    needs = ", ".join(f"{names[each.position]} ({each.exchange})" for each in plan.inputs)
    return f"{plan.name}: {plan.program}, {plan.tasks} partitions{f', reads {needs}' if needs else ''}\n"

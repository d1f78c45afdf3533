"""A reader that only one wire uses is listed below, which only grows shorter.

What one wire alone derives is computed in that wire. Wires may not name tables, so a fact that only one of them shows is
still read for it in jobs or nodes; the list gives the fact.
"""

import ast
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
USERS = ("access", "artifacts", "bench", "database", "jobs", "nodes", "scheduler_project", "status", "switchyard", "wires")
#: Each function by the wire that uses it, with the rows that it reads or the command that it is.
FACTS = {
    "ballista": {
        "jobs.reading.listing.line": "job row and counters of its stages",
        "jobs.reading.listing.pieces": "the same of all jobs, in pieces",
        "jobs.reading.times.courses": "tasks of stages without what they reported, in pieces",
        "nodes.reading.node_by_name": "node row by its name, which may look like an id",
    },
    "flink": {
        "jobs.reading.accumulators.accumulated": "sums of accumulators, added up in SQL",
        "jobs.reading.attempts.execution": "row of one attempt",
        "jobs.reading.attempts.executions": "tasks of a stage with what they reported, in pieces",
        "jobs.reading.attempts.failures": "rows of failed attempts",
        "jobs.reading.backpressure.held_shares": "time that tasks were blocked by full buffers",
        "jobs.reading.checkpoints.answers": "states that tasks of a stage saved for a checkpoint",
        "jobs.reading.checkpoints.figures": "counts of the checkpoints of jobs, and the last one",
        "jobs.reading.checkpoints.rule": "part of a job's description",
        "jobs.reading.counts.entered": "times of a job's events",
        "jobs.reading.counts.state": "state of one job",
        "jobs.reading.counts.states": "states of all jobs",
        "jobs.reading.counts.tallies": "job rows and counters of their tasks, in pieces",
        "jobs.reading.counts.tally": "the same of one job",
        "jobs.reading.progress.flows": "sums of what tasks read and wrote, added up in SQL",
        "jobs.reading.progress.stage": "counters and times of one stage",
        "jobs.reading.progress.stages": "counters and times of a job's stages",
        "nodes.reading.all_names": "names of all nodes, for lists that are streamed",
        "nodes.shutdown.shut_down": "a command",
    },
    "scale": {
        "jobs.reading.snapshot.running": "counts of running attempts by node and job type",
        "jobs.reading.snapshot.survey": "the leader's last rates",
        "jobs.reading.snapshot.types": "rows of job types",
        "nodes.reading.dated": "decisions about all nodes with their times, without resources",
        "nodes.services.explain_pause": "a command",
    },
}


def module_of(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


def sources() -> dict[str, ast.Module]:
    paths = [path for package in USERS for path in (ROOT / package).rglob("*.py") if "migrations" not in path.parts]
    return {module_of(path): ast.parse(path.read_text("utf-8")) for path in paths}


def is_public_reader(module: str) -> bool:
    return module.startswith(("jobs.reading.", "nodes."))


def defined(trees: dict[str, ast.Module]) -> set[str]:
    """Return the public functions of the readers."""
    return {
        f"{module}.{node.name}"
        for module, tree in trees.items()
        if is_public_reader(module)
        for node in tree.body
        if isinstance(node, ast.FunctionDef) and not node.name.startswith("_")
    }


def used(module: str, tree: ast.Module) -> Iterator[str]:
    """Yield the names that a module uses of others and, of its own, the functions that it calls."""
    modules: dict[str, str] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module:
            for name in node.names:
                modules[name.asname or name.name] = f"{node.module}.{name.name}"
                yield f"{node.module}.{name.name}"
        elif isinstance(node, ast.Import):
            modules |= {name.asname or name.name: name.name for name in node.names}
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id in modules:
            yield f"{modules[node.value.id]}.{node.attr}"
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            yield f"{module}.{node.func.id}"


def users(trees: dict[str, ast.Module]) -> dict[str, set[str]]:
    """Return the users of each public reader: a wire by its name, anything else by its module."""
    found: dict[str, set[str]] = {name: set() for name in defined(trees)}
    for module, tree in trees.items():
        parts = module.split(".")
        user = f"wire {parts[1]}" if parts[0] == "wires" and len(parts) > 2 else module
        for name in used(module, tree):
            if name in found:
                found[name].add(user)
    return found


def test_a_function_that_one_wire_alone_uses_reads_a_fact() -> None:
    alone: dict[str, set[str]] = {}
    for name, by in users(sources()).items():
        if len(by) == 1 and (user := next(iter(by))).startswith("wire "):
            alone.setdefault(user.removeprefix("wire "), set()).add(name)
    assert alone == {wire: set(facts) for wire, facts in FACTS.items()}


def test_a_function_of_one_wire_is_found_however_it_is_imported() -> None:
    trees = {
        "jobs.reading.a": ast.parse("def one(): ...\ndef two(): ...\ndef own(): ...\ndef _hidden(): own()\ndef state(): ..."),
        "wires.x.views": ast.parse("from jobs.reading import a\nfrom jobs.reading.a import two\na.one()\na.own()\na.state()"),
        "wires.y.views": ast.parse("import jobs.reading.a\nfrom jobs.reading.a import two as other\nstate = 1"),
    }
    assert users(trees) == {
        "jobs.reading.a.one": {"wire x"},
        "jobs.reading.a.two": {"wire x", "wire y"},
        "jobs.reading.a.own": {"wire x", "jobs.reading.a"},
        "jobs.reading.a.state": {"wire x"},
    }

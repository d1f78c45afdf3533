"""A workload runs on real processes, is checked, and leaves none of them behind."""

import psutil

from bench import descriptions, records, throughput
from bench.checking import problems
from bench.client import Client
from bench.host import running
from bench.installation import installed

SECONDS = 30.0


def test_a_small_fanout_is_run_checked_and_cleaned_up() -> None:
    description = descriptions.fanout(50)
    with running() as host:
        with installed(host, agents=1, slots=2) as installation, Client(installation) as client:
            id_, seconds = client.run(description, SECONDS)
            tasks = list(records.tasks(client.database, [id_]))
            processes = installation.trees()
        assert not [process for process in processes if process != installation.broker and runs(process)]
    assert not psutil.pid_exists(installation.broker.pid)
    assert seconds < SECONDS
    assert problems(tasks, {id_: description}, throughput.square) == []
    assert problems(tasks, {id_: description}, lambda index: index + 1)[0].endswith("gave 0")


def runs(process: psutil.Process) -> bool:
    """Whether it still does; a process that ended but that nobody has waited for yet does not."""
    return process.is_running() and process.status() != psutil.STATUS_ZOMBIE

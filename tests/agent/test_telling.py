"""Telling: what tasks write and what they tell of themselves while they run."""

import base64
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.agent.process import Agent, wait_until
from tests.agent.server import Server
from tests.agent.test_stopping import running


def log(server: Server, stage: int, index: int = 0, stream: str = "stdout") -> str:
    return server.logs.get(f"{stage}/{index}/0/{stream}", b"").decode()


def whole(server: Server, end: dict[str, Any], stream: str) -> str:
    """Wait for all of a log, as long as the report says it is."""
    size = end["logs"][stream]["bytes"]
    wait_until(lambda: len(log(server, end["stage"], end["index"], stream)) >= size)
    text = log(server, end["stage"], end["index"], stream)
    assert len(text) == size
    return text


def test_each_task_has_its_own_output(agent: Agent, server: Server) -> None:
    server.launch(1, 20, python="agent_tasks:speak", args=["hello"])
    for index in range(20):
        end = server.end(1, index)
        assert end["outcome"] == "FINISHED"
        assert whole(server, end, "stdout") == f"hello {index}\n"
        assert whole(server, end, "stderr") == f"error {index}\n"


def test_a_silent_task_has_no_log(agent: Agent, server: Server) -> None:
    server.launch(1, 5, python="agent_tasks:square")
    server.until(lambda: server.have_ended(5))
    assert not server.others()
    assert not server.logs


def test_output_over_the_cap_keeps_its_ends_around_a_marked_gap(start_agent: Callable[..., Agent], server: Server) -> None:
    start_agent("--slots", "1", "--log-cap", "1000")
    server.launch(1, python="agent_tasks:chatter", args=[5000])
    text = whole(server, server.end(1), "stdout")
    lines = "".join(f"{number:09d}\n" for number in range(500))
    assert text == lines[:500] + "\n[4000 bytes left out]\n" + lines[-500:]
    assert server.end(1)["logs"]["stdout"]["dropped"] == 4000


def test_a_flood_does_not_fill_the_disk(start_agent: Callable[..., Agent], server: Server) -> None:
    agent = start_agent("--slots", "1", "--log-cap", "1000000")
    server.launch(1, command="yes 0123456789 | head -c 300000000; sleep 1", shell=True)
    end = server.end(1)
    assert end["logs"]["stdout"]["dropped"] == 299_000_000
    files = agent.data.glob("workers/*/stdout")
    assert sum(path.stat().st_blocks * 512 for path in files) < 50_000_000


def test_output_of_a_command_is_kept_apart_and_whole(agent: Agent, server: Server) -> None:
    server.launch(1, command="seq 100000; echo problem > /dev/stderr; exit 3", shell=True)
    end = server.end(1)
    assert whole(server, end, "stdout") == "".join(f"{number}\n" for number in range(1, 100001))
    assert whole(server, end, "stderr") == "problem\n"


def test_output_is_shipped_while_a_task_runs(agent: Agent, server: Server, tmp_path: Path) -> None:
    server.launch(1, command=f"echo begun; while [ ! -e {tmp_path}/go ]; do sleep 0.01; done; echo done", shell=True)
    wait_until(lambda: log(server, 1) == "begun\n")
    (tmp_path / "go").touch()
    assert whole(server, server.end(1), "stdout") == "begun\ndone\n"


def test_logs_wait_for_the_server(agent: Agent, server: Server) -> None:
    server.down = True
    server.launch(1, python="agent_tasks:speak", args=["hello"])
    end = server.end(1)
    server.down = False
    assert whole(server, end, "stdout") == "hello 0\n"


def test_a_running_task_is_heard(agent: Agent, server: Server, tmp_path: Path) -> None:
    server.launch(1, python="agent_tasks:measured", args=[str(tmp_path)])
    running(tmp_path)
    server.until(lambda: any(report.updates for report in server.reports))
    (update,) = [update for report in server.reports for update in report.updates]
    assert update.metrics == {"progress": 0.25, "rows": 3}
    assert update.accumulators == {"sum": 5}
    (tmp_path / "go").touch()
    assert server.end(1)["metrics"] == {"progress": 1, "rows": 3}


def test_a_command_adds_up_what_it_likes(agent: Agent, server: Server) -> None:
    told = '{"accumulate": {"lines": 2, "sizes": {"histogram": 4}, "mean": {"average": 1.5}}}'
    server.launch(1, command=f"for n in 1 2; do echo '{told}' > $SWITCHYARD_REPORT; done", shell=True)
    added = {"lines": 4, "sizes": {"histogram": {"4": 2}}, "mean": {"average": [3.0, 2]}}
    assert server.end(1)["accumulators"] == added


def test_a_command_that_adds_up_what_makes_no_sense_fails(agent: Agent, server: Server) -> None:
    server.launch(1, command="""echo '{"accumulate": {"x": {"median": 1}}}' > $SWITCHYARD_REPORT""", shell=True)
    assert "the kind of x must be one of int, long, double, average, histogram" in server.end(1)["error"]


def test_an_agent_tells_of_its_own_process(agent: Agent, server: Server) -> None:
    found = server.client.blpop(["heartbeats"], timeout=40)
    assert found
    [beat] = json.loads(base64.b64decode(json.loads(found[1])["body"]))[0]
    process = json.loads(beat)["figures"]["process"]
    assert process["peak_rss"] >= process["rss"] > 0
    assert process["threads"] == len(list(Path(f"/proc/{agent.process.pid}/task").iterdir()))
    youngest = process["collections"][0]
    assert youngest["count"] > 0
    assert 0 < youngest["seconds"] < 10


def test_the_start_of_a_long_task_is_told_before_its_end(agent: Agent, server: Server, tmp_path: Path) -> None:
    server.launch(1, python="agent_tasks:wait", args=[str(tmp_path)])
    server.until(lambda: (1, 0, 0) in server.started())
    assert not server.ends()


def test_gpus_are_shown_to_those_who_hold_them_alone(start_agent: Callable[..., Agent], server: Server) -> None:
    start_agent("--slots", "2", "--gpus", "2", "--resource", "licenses=3", "--label", "zone=a")
    registration = server.registrations[0]
    assert {name: registration["totals"][name] for name in ("gpu0", "gpu1", "licenses")} == {
        "gpu0": 1000, "gpu1": 1000, "licenses": 3,
    }  # fmt: skip
    assert registration["labels"].items() >= {"zone": "a"}.items()
    server.launch(1, python="agent_tasks:environment", demand={"cpus": 1000, "gpu1": 500})
    server.launch(2, python="agent_tasks:environment")
    assert server.result(1)["CUDA_VISIBLE_DEVICES"] == "1"
    assert server.result(2)["CUDA_VISIBLE_DEVICES"] == ""

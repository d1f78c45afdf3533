"""Files that tasks hand on: taken from their folders, stored, and handed to the tasks that need them."""

import hashlib
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO
from pathlib import Path
from threading import Barrier

import pytest

from switchyard.agent.disk import cached
from switchyard.agent.network.cache import Cache
from switchyard.agent.network.server import Server as Client
from switchyard.agent.worker.outputs import BadOutput, Outputs
from switchyard.scheduling.lifecycle.ends import File
from tests.agent.process import Agent, wait_until
from tests.agent.server import Server

SHA = hashlib.sha256(b"abc\n").hexdigest()
MODEL = {"model": "out/model.bin"}
INPUT = {"stage": 1, "name": "s1", "parallelism": 2, "exchange": "all", "given": [], "files": ["model"]}


@pytest.fixture
def folders(tmp_path: Path) -> tuple[Path, Path]:
    """Give a working folder, and a data folder with a cache."""
    for name in ("own/out", f"data/{cached.NAME}"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "secret").write_text("secret")
    return tmp_path / "own", tmp_path / "data"


@pytest.mark.parametrize(
    ("make", "why"),
    [
        (lambda path: None, "output model: out/model.bin is missing"),
        (lambda path: path.mkdir(), "is a folder"),
        (lambda path: path.symlink_to("../../secret"), "is a link that leads out of the working folder"),
        (lambda path: path.symlink_to("nothing"), "is a link to what is not there"),
        (os.mkfifo, "is no file with contents"),
        (lambda path: path.write_bytes(bytes(101)), "has 101 bytes; up to 100 are kept"),
    ],
)
def test_what_is_wrong_with_an_output_is_named(folders: tuple[Path, Path], make: Callable[[Path], object], why: str) -> None:
    own, data = folders
    make(own / "out" / "model.bin")
    with pytest.raises(BadOutput, match=why):
        Outputs(MODEL, 100).take(own, data)
    assert list((data / cached.NAME).iterdir()) == []


def test_a_pattern_is_any_number_of_files(folders: tuple[Path, Path]) -> None:
    own, data = folders
    outputs = Outputs({"parts": "out/**/*.csv", "none": "*.txt"}, 100)
    assert outputs.take(own, data) == []
    (own / "out" / "deep").mkdir()
    for name in ("out/a.csv", "out/deep/b.csv"):
        (own / name).write_text("abc\n")
    (own / "out" / "deep" / "b.csv").chmod(0o755)
    assert outputs.take(own, data) == [["parts", "a.csv", SHA, 4, False], ["parts", "deep/b.csv", SHA, 4, True]]
    assert {path.name: path.stat().st_mode & 0o777 for path in (data / cached.NAME).iterdir()} == {
        SHA: 0o444,
        f"{SHA}.x": 0o555,
    }
    assert outputs.path(own, "parts") == own / "out"
    with pytest.raises(KeyError, match="its outputs are: parts, none"):
        outputs.path(own, "part")


def test_a_file_with_other_links_is_copied(folders: tuple[Path, Path], tmp_path: Path) -> None:
    own, data = folders
    (tmp_path / "other").write_text("abc\n")
    os.link(tmp_path / "other", own / "out" / "model.bin")
    Outputs(MODEL, 100).take(own, data)
    (tmp_path / "other").write_text("changed")
    assert cached.place(data, SHA, executable=False).read_text() == "abc\n"


def test_the_cache_fetches_once_mends_and_stays_within_its_bound(folders: tuple[Path, Path], tmp_path: Path) -> None:
    data, fetched = folders[1], []

    def fetch(path: Path) -> None:
        fetched.append(path)
        path.write_bytes(b"abc\n")

    cache, file = Cache(data, bound=3, grace=0), File("m", "a", SHA, 4)
    for name in ("one", "two"):
        cache.link(file, tmp_path / name, fetch)
    assert len(fetched) == 1
    cache.trim()
    assert cache.place(file).exists(), "a task may have it"
    (tmp_path / "one").chmod(0o644)
    (tmp_path / "one").write_text("abx\n")
    cache.link(file, tmp_path / "three", fetch)
    assert (len(fetched), (tmp_path / "three").read_text()) == (2, "abc\n")
    (tmp_path / "three").unlink()
    with cache.pinned([file]):
        cache.trim()
        assert cache.place(file).exists()
    assert not cache.place(file).exists()


def test_a_file_is_stored_before_the_end_is_told(agent: Agent, server: Server) -> None:
    server.launch(1, command="echo abc > out/model.bin", shell=True, outputs=MODEL)
    end = server.end(1)
    assert (end["outcome"], end["files"]) == ("FINISHED", [["model", "model.bin", SHA, 4, False]])
    assert server.artifacts[SHA] == b"abc\n"
    server.launch(2, python="agent_tasks:hand_on", outputs=MODEL)
    assert server.end(2)["files"] == [["model", "model.bin", SHA, 4, False]]
    server.launch(3, command=["true"], outputs=MODEL)
    assert "model: out/model.bin is missing" in server.end(3)["error"]


def test_a_successor_stores_what_was_not_stored(server: Server, start_agent: Callable[..., Agent]) -> None:
    server.full = server.resume = True
    agent = start_agent()
    server.launch(1, command="echo abc > out/model.bin", shell=True, outputs=MODEL)
    wait_until(lambda: server.requests["artifacts"] > 3)
    agent.kill()
    server.full = False
    start_agent()
    assert server.end(1)["files"] == [["model", "model.bin", SHA, 4, False]]
    assert server.artifacts[SHA] == b"abc\n"


def test_an_upload_goes_on_where_it_broke_off(agent: Agent, server: Server) -> None:
    server.partial[SHA] = b"ab"
    server.launch(1, command="echo abc > out/model.bin", shell=True, outputs=MODEL)
    assert server.end(1)["outcome"] == "FINISHED"
    assert server.artifacts[SHA] == b"abc\n"


def test_an_attempt_is_lost_whose_files_the_storage_does_not_take(server: Server, start_agent: Callable[..., Agent]) -> None:
    server.full = True
    start_agent("--slots", "2", "--patience", "0.5")
    server.launch(1, command="echo abc > out/model.bin", shell=True, outputs=MODEL)
    end = server.end(1)
    assert end["outcome"] == "FAILED"
    assert end["error"] == "its files could not be stored at the server: The storage is full."


def test_a_canceled_task_stores_no_more(agent: Agent, server: Server) -> None:
    server.full = True
    server.launch(1, command="echo abc > out/model.bin", shell=True, outputs=MODEL)
    wait_until(lambda: server.requests["artifacts"] > 3)
    server.command(cancels=[[1, 0, [[0, 1]]]])
    assert server.end(1)["outcome"] == "CANCELED"


def test_tasks_find_what_others_have_handed_on(agent: Agent, server: Server) -> None:
    server.artifacts[SHA] = b"abc\n"
    server.inputs[2] = server.inputs[3] = {"1": [None, "7"]}
    server.handed[0] = [["model", "model.bin", SHA, 4, True]]
    show = 'cd "$SWITCHYARD_FILES" && ls -R && stat -c %a s1/model/0/model.bin && ! test -e s1/model/1'
    server.launch(2, command=show, shell=True, inputs=[INPUT])
    end = server.end(2)
    assert end["outcome"] == "FINISHED", (end, server.logs)
    assert server.until(lambda: b"555" in server.logs.get("2/0/0/stdout", b""))
    server.launch(3, python="agent_tasks:read_files", inputs=[INPUT])
    assert server.result(3) == ["abc\n"]


def test_the_same_file_is_sent_once_though_it_is_stored_twice_at_a_time(server: Server) -> None:
    client, both = Client(server.url, "token"), Barrier(8)
    client.register(secret="secret", session="", last_report=0)

    def store(_: int) -> None:
        both.wait()
        client.store(SHA, BytesIO(b"abc\n"))

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(store, range(8)))
    client.close()
    assert server.artifacts == {SHA: b"abc\n"}
    assert server.requests["artifacts"] == 8 + 1  # Each asks whether it is there.

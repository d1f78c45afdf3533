"""Builds of environments as processes (switchyard.agent.core.environments.Builder), and the folder that these stand in.

An environment stands where it was built, as its programs know where that is. A link with its digest for a name, which is made
once all of it is on the disk, makes it one: what has no link was never whole, and is removed when the next agent begins.
"""

import errno
import json
import os
import secrets
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from switchyard.agent.core.builds import Built, Failed, Outcome
from switchyard.agent.core.environments import Done, Kept
from switchyard.agent.disk import output
from switchyard.agent.disk.folder import ENVIRONMENTS, remove
from switchyard.agent.machine import faults
from switchyard.agent.processes.build import MARK
from switchyard.agent.processes.zygotes import import_path

#: Bytes at the end of a build's log that are looked through for why it failed.
TAIL = 64 * 1024
#: With what an installer tells of a full disk.
FULL = (os.strerror(errno.ENOSPC), os.strerror(errno.EDQUOT), "os error 28")
#: What builds find in their environment of the agent's own: how packages are reached, and how they are compiled.
PASSED = frozenset({
    "PATH", "HOME", "USER", "LANG", "LC_ALL", "NETRC", "XDG_CACHE_HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME",
    "CC", "CXX", "CFLAGS", "CXXFLAGS", "CPPFLAGS", "LDFLAGS", "PKG_CONFIG_PATH",
    "SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE",
})  # fmt: skip
PREFIXES = ("PIP_", "UV_")
PROXIES = ("http_proxy", "https_proxy", "all_proxy", "no_proxy")


@dataclass(slots=True)
class Running:
    """A build that runs; closing `pipe` ends it."""

    pipe: int
    canceled: bool = False
    lock: threading.Lock = field(default_factory=threading.Lock)

    def end(self) -> None:
        with self.lock:
            if self.pipe >= 0:
                os.close(self.pipe)
            self.pipe = -1


class Builds:
    """The environments of one agent. `call` runs what it is given in the supervisor's thread."""

    def __init__(
        self, data: Path, call: Callable[[Callable[[], None]], None], options: Sequence[str] = (), keep: int | None = None
    ) -> None:
        self._data = data
        self._folder = data / ENVIRONMENTS
        self._call = call
        self._options = list(options)
        self._keep = keep
        self._running: dict[str, Running] = {}
        self._closed = False

    def kept(self) -> list[tuple[str, Kept]]:
        """Return the environments that a predecessor has left whole, and remove what else there is."""
        with suppress(OSError):
            self._folder.mkdir(mode=0o700, exist_ok=True)
        found = {}
        for link in self._folder.glob("*"):
            if link.is_symlink() and (kept := _read(link)):
                found[link.name] = kept
        homes = {Path(kept.home) for kept in found.values()}
        for path in self._folder.glob("*"):
            if path.name not in found and path not in homes:
                _remove(path)
        return list(found.items())

    def build(self, digest: str, wanted: Mapping[str, Any], done: Done) -> None:
        """Build an environment in a thread that waits for its process."""
        guard, pipe = os.pipe2(os.O_CLOEXEC)
        running = self._running[digest] = Running(pipe)

        def run() -> None:
            outcome = self._run(digest, wanted, guard, running)
            self._call(lambda: self._ended(digest, outcome, done))

        threading.Thread(target=run, name="build", daemon=True).start()

    def cancel(self, digest: str) -> None:
        """End a build: its guardian kills all that it started."""
        running = self._running[digest]
        running.canceled = True
        running.end()

    def said(self, digest: str) -> str:
        """Return the last line that a build has written."""
        return output.last_line(self._log(digest), 0)

    def use(self, home: str) -> bool:
        """Note that an environment is used; return whether it is there."""
        try:
            os.utime(Path(home) / MARK)
        except OSError:
            return False
        return (Path(home) / "bin" / "python").exists()

    def remove(self, home: str) -> None:
        """Remove an environment: first the link, so that what is left is none."""
        for link in self._folder.glob("*"):
            if link.is_symlink() and link.readlink() == Path(home):
                link.unlink()
                self._log(link.name).unlink(missing_ok=True)
        threading.Thread(target=_remove, args=[Path(home)], daemon=True).start()

    def close(self) -> None:
        """End all builds."""
        self._closed = True
        for running in self._running.values():
            running.canceled = True
            running.end()

    def _ended(self, digest: str, outcome: Outcome | None, done: Done) -> None:
        del self._running[digest]
        done(outcome)

    def _log(self, digest: str) -> Path:
        return self._folder / f"{digest}.log"

    def _run(self, digest: str, wanted: Mapping[str, Any], guard: int, running: Running) -> Outcome | None:
        """Build; return what came of it. What is not whole is removed."""
        home = self._folder / f"{digest[:12]}-{secrets.token_hex(3)}"
        try:
            told = self._wait(digest, home, wanted, guard)
            if told and "size" in told and not running.canceled:
                self._link(digest, home)
                return Built(str(home), told["size"], str(self._log(digest)))
            outcome = None if running.canceled else self._failed(digest, told)
        except OSError as error:
            outcome = Failed("", fault=faults.describe(error, self._data))
        finally:
            running.end()
        for path in (home, home.with_name(f"{home.name}.tmp"), _order(home)):
            _remove(path)
        return outcome

    def _wait(self, digest: str, home: Path, wanted: Mapping[str, Any], guard: int) -> dict[str, Any]:
        """Run the process of a build to its end; return what it told."""
        order, (told, tell) = _order(home), os.pipe2(os.O_CLOEXEC)
        with os.fdopen(guard, "rb", 0), os.fdopen(told, "rb") as answer, os.fdopen(tell, "wb", 0):
            order.write_text(json.dumps({"home": str(home), "wanted": wanted, "options": self._options}))
            build = [sys.executable, "-m", "switchyard.agent.processes.build", str(order)]
            with self._log(digest).open("wb") as log:
                guardian = subprocess.Popen(
                    [sys.executable, "-m", "switchyard.agent.processes.guardian", str(guard), str(tell), "", *build],
                    pass_fds=[guard, tell, *([self._keep] if self._keep is not None else [])],
                    env=_environment(),
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    start_new_session=True,
                )
            guardian.wait()
            os.set_blocking(told, False)
            text = answer.read()
        order.unlink(missing_ok=True)
        return json.loads(text) if text else {}

    def _link(self, digest: str, home: Path) -> None:
        aside = self._folder / f".{digest}"
        aside.unlink(missing_ok=True)
        aside.symlink_to(home)
        aside.rename(self._folder / digest)

    def _failed(self, digest: str, told: Mapping[str, Any]) -> Failed:
        log = self._log(digest)
        with log.open("rb") as file:
            file.seek(max(0, output.size(log) - TAIL))
            said = file.read().decode(errors="replace").rpartition("\n$ ")[2]
        step, _, words = said.partition("\n")
        full = any(each in words for each in FULL) or faults.no_space_left(self._data)
        return Failed(
            words or step,
            log=str(log),
            unsuited=told.get("failed") == "python",
            fault=faults.full(self._data) if full else "",
            killed=bool(told.get("killed", not told)),
        )


def _read(link: Path) -> Kept | None:
    """Return the environment that a link leads to; None if it is not what was linked."""
    try:
        home = link.readlink()
        mark = json.loads((home / MARK).read_bytes())
        used = (home / MARK).stat().st_mtime
    except (OSError, ValueError):
        return None
    there = home.parent == link.parent and mark["home"] == str(home)
    return Kept(str(home), mark["size"], used) if there else None


def _remove(path: Path) -> None:
    if path.is_symlink() or path.is_file():
        path.unlink(missing_ok=True)
    elif path.exists():
        remove(path)


def _order(home: Path) -> Path:
    return home.with_name(f"{home.name}.order")


def _environment() -> dict[str, str]:
    """Return what a build finds in its environment: never the agent's secrets, as packages run code of their own."""
    passed = {name: value for name, value in os.environ.items() if _is_passed(name)}
    quiet = {"PIP_DISABLE_PIP_VERSION_CHECK": "1", "PIP_NO_INPUT": "1", "PIP_PROGRESS_BAR": "off", "UV_NO_PROGRESS": "1"}
    return {**quiet, **passed, "PYTHONPATH": import_path(), "PYTHONUNBUFFERED": "1"}


def _is_passed(name: str) -> bool:
    return name in PASSED or name.startswith(PREFIXES) or name.lower() in PROXIES

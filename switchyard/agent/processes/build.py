"""Build one environment, in a process of its own below a guardian: by uv where that is there, else by venv and pip.

Everything that these write goes to standard output, which is a file. At last one JSON object is written to a pipe: {"size":
bytes} of a whole environment, else {"failed": "python" or "install"}, with "killed" if a signal ended the installer.
"""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

REQUIREMENTS, MARK = "requirements.txt", "environment.json"
VERSION = "import sys; print('.'.join(map(str, sys.version_info[:3])))"


class Failed(Exception):
    """A step has failed, and said why."""

    def __init__(self, step: str, status: int = 1) -> None:
        super().__init__(step)
        self.told = {"failed": step, "killed": status < 0}


def main(home: Path, wanted: dict[str, Any], options: Sequence[str], pipe: int) -> None:
    """Build the environment that is wanted in a folder that does not exist yet."""
    temporary = home.with_name(f"{home.name}.tmp")
    temporary.mkdir()
    os.environ["TMPDIR"] = str(temporary)
    del os.environ["PYTHONPATH"]
    try:
        told = _build(home, wanted, options)
    except Failed as error:
        told = error.told
    except OSError as error:
        _say(f"error: {error}")
        told = {"failed": "install"}
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    os.write(pipe, json.dumps(told).encode())


def _build(home: Path, wanted: dict[str, Any], options: Sequence[str]) -> dict[str, Any]:
    version, uv = wanted.get("python"), shutil.which("uv")
    python = str(home / "bin" / "python")
    if uv:
        _run("python", [uv, "venv", "--no-project", "--python", version or sys.executable, str(home)])
    else:
        _run("python", [_find_python(version), "-m", "venv", *([] if _lacks_pip() else ["--without-pip"]), str(home)])
    listed = wanted.get("lock") or "".join(f"{each}\n" for each in wanted.get("requirements") or ())
    if listed:
        path = home / REQUIREMENTS
        path.write_text(listed)
        if uv:
            install = [uv, "pip", "install", "--python", python]
        elif _lacks_pip():
            install = [python, "-m", "pip", "install"]
        else:
            install = [sys.executable, "-m", "pip", "--python", python, "install"]
        _run("install", [*install, *options, "-r", str(path)])
        if uv:
            # As pip does: else each process of a task would do so for itself, and keep nothing, as the folders are read-only.
            subprocess.run([python, "-m", "compileall", "-qq", str(home / "lib")], check=False)
    size = _size(home)
    (home / MARK).write_text(json.dumps({"home": str(home), "size": size}))
    for folder, _, _ in os.walk(home):
        Path(folder).chmod(0o555)
    os.sync()
    return {"size": size}


def _run(step: str, argv: Sequence[str]) -> None:
    _say("$ " + " ".join(argv))
    status = subprocess.run(argv, stdin=subprocess.DEVNULL, check=False).returncode
    if status:
        raise Failed(step, status)


def _find_python(version: str | None) -> str:
    """Return the program of a version of Python; the agent's own if there is no version."""
    if version is None:
        return sys.executable
    short = ".".join(version.split(".")[:2])
    found = []
    for name in (sys.executable, f"python{short}", "python3"):
        told = _version(name)
        if told is not None and f"{told}.".startswith(f"{version}."):
            return name
        found += [told] if told else []
    others = f"; there is {', '.join(dict.fromkeys(found))}"
    _say(f"error: Python {version} is not on this node{others}. uv, which could fetch it, is not here either")
    raise Failed("python")


def _version(name: str) -> str | None:
    try:
        done = subprocess.run([name, "-I", "-c", VERSION], capture_output=True, text=True, check=False)
    except OSError:
        return None
    return done.stdout.strip() if done.returncode == 0 else None


def _lacks_pip() -> bool:
    """Say whether the agent's own Python has no pip that could install into others."""
    return subprocess.run([sys.executable, "-m", "pip", "--version"], capture_output=True, check=False).returncode != 0


def _size(home: Path) -> int:
    """Return the bytes that a folder takes on the disk."""
    return sum((Path(top) / name).lstat().st_blocks * 512 for top, _, names in os.walk(home) for name in names)


def _say(text: str) -> None:
    print(text, flush=True)


if __name__ == "__main__":
    told = json.loads(Path(sys.argv[1]).read_bytes())
    main(Path(told["home"]), told["wanted"], told["options"], int(sys.argv[2]))

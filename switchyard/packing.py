"""Put local files into a job description that names them.

`files: [scan.py, shapes]` packs scan.py and all files below the folder shapes under their own paths; `files: {lib/scan.py:
{local: ../scan.py}}` names both. What is executable stays so; what is no text is packed as base64.
`environment: {lock: {local: requirements.txt}}` packs the text of a lock.
"""

import base64
import stat
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath
from typing import Any

from switchyard.errors import Unpackable
from switchyard.scheduling.spec.plain import UNFIT

#: Bytes that are read at most; a server takes much less (limit 'files_bytes').
MOST = 64 << 20
#: What lies in folders of sources and is none.
SKIPPED = frozenset({"__pycache__", "node_modules"})


def pack(description: object, folder: Path) -> object:
    """Return a description whose files are all there; relative paths start at `folder`.

    What is not a description at all is returned as it is: switchyard.scheduling.spec says what is wrong with it.
    """
    if not isinstance(description, dict) or not isinstance(description.get("stages"), list):
        return description
    return with_lock(description | {"stages": [_stage(stage, folder) for stage in description["stages"]]}, folder)


def texts(files: object, folder: Path) -> Any:
    """Return {path: file} of a list of local files and folders, or of an object whose values may name some."""
    if isinstance(files, list | tuple):
        return dict(each for file in files for each in _listed(file, folder))
    if isinstance(files, Mapping):
        return dict(each for path, value in files.items() for each in _named(path, value, folder))
    return files


def _lock(value: object, folder: Path) -> Any:
    """Return the text of a lock that may be named as a local file."""
    local = _local(value)
    if local is None:
        return value
    try:
        return (folder / local).read_text(encoding="utf-8")
    except OSError as error:
        raise Unpackable(f"environment: {local} cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise Unpackable(f"environment: {local} is not UTF-8 text (byte {error.start})") from error


def below(folder: Path) -> Iterator[tuple[PurePosixPath, Path]]:
    """Yield the files below a folder with their paths relative to it, without what is hidden or made by Python."""
    for path in sorted(folder.rglob("*")):
        relative = path.relative_to(folder)
        hidden = any(part.startswith(".") or part in SKIPPED for part in relative.parts)
        if path.is_file() and not hidden:
            yield PurePosixPath(relative.as_posix()), path


def _stage(stage: object, folder: Path) -> object:
    if not isinstance(stage, dict):
        return stage
    packed = stage | {"files": texts(stage["files"], folder)} if "files" in stage else stage
    return with_lock(packed, folder)


def with_lock(described: dict[str, Any], folder: Path) -> dict[str, Any]:
    """Return a job or a stage whose lock is a text, also where it was named as a local file."""
    environment = described.get("environment")
    if not isinstance(environment, Mapping) or "lock" not in environment:
        return described
    return described | {"environment": {**environment, "lock": _lock(environment["lock"], folder)}}


def _listed(file: object, folder: Path) -> Iterator[tuple[str, Any]]:
    """An absolute path, and one that leaves the folder, is packed under its last part."""
    if not isinstance(file, str | Path):
        raise Unpackable(f"files: a list names local files and folders; {file!r:.60} is none")
    inside = not Path(file).is_absolute() and ".." not in Path(file).parts
    return _packed(str(PurePosixPath(file) if inside else Path(file).resolve().name), folder / file)


def _named(path: Any, value: object, folder: Path) -> Iterator[tuple[str, Any]]:
    local = _local(value)
    return iter([(path, value)]) if local is None else _packed(path, folder / local)


def _local(value: object) -> str | Path | None:
    if isinstance(value, Path):
        return value
    if isinstance(value, Mapping) and set(value) == {"local"} and isinstance(value["local"], str):
        return value["local"]
    return None


def _packed(name: str, path: Path) -> Iterator[tuple[str, Any]]:
    """Yield a file, or all files below a folder."""
    if not path.is_dir():
        yield name, _read(path)
        return
    size = 0
    for relative, file in below(path):
        size += file.stat().st_size
        if size > MOST:
            raise Unpackable(f"files: {path} holds more than {MOST >> 20} MiB; let tasks fetch large data")
        yield str(PurePosixPath(name) / relative), _read(file)


def _read(file: Path) -> str | dict[str, Any]:
    try:
        data = file.read_bytes()
        executable = {"executable": True} if file.stat().st_mode & stat.S_IXUSR else {}
    except OSError as error:
        raise Unpackable(f"files: {file} cannot be read: {error.strerror}") from error
    text = _text(data)
    if text is None:
        return {"base64": base64.b64encode(data).decode(), **executable}
    return {"text": text, **executable} if executable else text


def _text(data: bytes) -> str | None:
    """Return data as the text that a description can hold; None if it is none."""
    try:
        text = data.decode()
    except UnicodeDecodeError:
        return None
    return None if UNFIT.search(text) else text

"""Put the text of local files into a job description that names them.

`files: [scan.py]` packs scan.py under its own path; `files: {lib/scan.py: {local: ../scan.py}}` names both. What is
executable stays so.
"""

import stat
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import Any

from switchyard.errors import Unpackable


def pack(description: object, folder: Path) -> object:
    """Return a description whose files are all texts; relative paths start at `folder`.

    What is not a description at all is returned as it is: switchyard.scheduling.spec says what is wrong with it.
    """
    if not isinstance(description, dict) or not isinstance(description.get("stages"), list):
        return description
    return description | {"stages": [_stage(stage, folder) for stage in description["stages"]]}


def texts(files: object, folder: Path) -> Any:
    """Return {path: text, or text with more} of a list of local files, or of an object whose values may name some."""
    if isinstance(files, list | tuple):
        return dict(_listed(file, folder) for file in files)
    if isinstance(files, Mapping):
        return {path: _text(value, folder) for path, value in files.items()}
    return files


def _stage(stage: object, folder: Path) -> object:
    if not isinstance(stage, dict) or "files" not in stage:
        return stage
    return stage | {"files": texts(stage["files"], folder)}


def _listed(file: object, folder: Path) -> tuple[str, str | dict[str, Any]]:
    """An absolute path, and one that leaves the folder, is packed under its last part."""
    if not isinstance(file, str | Path):
        raise Unpackable(f"files: a list names local files; {file!r:.60} is none")
    inside = not Path(file).is_absolute() and ".." not in Path(file).parts
    return str(PurePosixPath(file) if inside else Path(file).name), _read(folder / file)


def _text(value: object, folder: Path) -> object:
    if isinstance(value, Path):
        return _read(folder / value)
    if isinstance(value, Mapping) and set(value) == {"local"} and isinstance(value["local"], str):
        return _read(folder / value["local"])
    return value


def _read(file: Path) -> str | dict[str, Any]:
    try:
        text = file.read_text(encoding="utf-8")
        return {"text": text, "executable": True} if file.stat().st_mode & stat.S_IXUSR else text
    except OSError as error:
        raise Unpackable(f"files: {file} cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise Unpackable(f"files: {file} is not UTF-8 text (byte {error.start}); only texts go with a job") from error

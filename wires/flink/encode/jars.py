"""Programs in the shape of Flink's jars."""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

#: Programs that one answer names.
MOST = 1000
#: What stands before the id of an uploaded program; clients take what follows the last slash.
FOLDER = "/switchyard/programs"


def listed(address: str, found: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return a list of programs."""
    return {"address": address, "files": [_file(each) for each in found]}


def path(id_: UUID, name: str) -> str:
    """Return where an upload stands, as clients are told."""
    return f"{FOLDER}/{jar_id(id_, name)}"


def jar_id(id_: UUID, name: str) -> str:
    """Return the id of a program."""
    return f"{id_}_{name}"


def _file(found: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "id": jar_id(found["id"], found["name"]),
        "name": found["name"],
        "uploaded": round(found["uploaded_at"].timestamp() * 1000),
        "entry": [{"name": each["name"], "description": each["description"]} for each in found["entries"]],
    }

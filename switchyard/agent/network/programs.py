"""Programs that jobs bring along: each archive is fetched once by its digest, and laid out for the stages that name it."""

import sys
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

from switchyard.agent.network.cache import Cache
from switchyard.agent.network.handing import write
from switchyard.agent.network.server import Refused, Server
from switchyard.programs.archive import Bounds, opened, unpack
from switchyard.programs.errors import BadArchive
from switchyard.scheduling.lifecycle.ends import File

#: The server has read each archive within bounds of its own.
_BOUNDS = Bounds(members=sys.maxsize >> 20, bytes=sys.maxsize)


def lay_programs(server: Server, cache: Cache, stage: int, files: Mapping[str, Any], folder: Path) -> None:
    """Bring the programs among the files of a stage into a new folder: unpacked, or as they are."""
    for name, told in files.items():
        if not isinstance(told, str) and "digest" in told:
            _lay_out(
                server, cache, stage, File("program", name, told["digest"], told["size"]), folder, unpacked=told["unpacked"]
            )


def _lay_out(server: Server, cache: Cache, stage: int, file: File, folder: Path, *, unpacked: bool) -> None:
    folder.parent.mkdir(parents=True, exist_ok=True)
    archive = folder.with_name(f"{folder.name}.archive")
    try:
        cache.link(file, archive, partial(_fetch, server, stage, file))
        if unpacked:
            _unpack(archive, file.path, folder)
        else:
            folder.mkdir()
            archive.rename(folder / file.path)
    finally:
        archive.unlink(missing_ok=True)
        cache.trim()


def _fetch(server: Server, stage: int, file: File, path: Path) -> None:
    with server.program(stage, file.digest) as pieces:
        write(path, pieces, file.digest)


def _unpack(archive: Path, name: str, folder: Path) -> None:
    try:
        with archive.open("rb") as file, opened(file, name, _BOUNDS) as found:
            unpack(found, folder, _BOUNDS)
    except BadArchive as error:
        raise Refused(f"the program {name} cannot be unpacked: {error}") from error

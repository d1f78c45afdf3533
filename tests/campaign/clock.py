"""A clock that the campaign moves, for PostgreSQL alone: Debian's libfaketime, where it is installed."""

from pathlib import Path


def fake_clock_library() -> Path | None:
    """Return Debian's libfaketime, where it is installed."""
    return next(iter(sorted(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"))), None)


def fake_clock(clock: Path | None) -> dict[str, str]:
    """Return the environment in which a process sees the clock that this file moves."""
    library = fake_clock_library()
    if clock is None or library is None:
        return {}
    fake = {"FAKETIME_TIMESTAMP_FILE": str(clock), "FAKETIME_NO_CACHE": "1", "DONT_FAKE_MONOTONIC": "1"}
    return {"LD_PRELOAD": str(library), **fake}

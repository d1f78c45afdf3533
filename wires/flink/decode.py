"""From requests of Flink's clients to plain values. Pure."""

import json
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Protocol

from wires.reading import Unreadable

LEGACY = "application/vnd.flink.legacy+json"
_COUNT = re.compile(r"[0-9]{1,10}")
#: Failures that are told at once, however many are asked for.
MOST_EXCEPTIONS = 1000
_SUBMITTED = {"jobGraphFileName": str, "jobJarFileNames": list, "jobArtifactFileNames": list}
NO_HEARTBEAT = "Request did not match expected format JobClientHeartbeatRequestBody."
NO_SUBMISSION = "Request did not match expected format JobSubmitRequestBody."
NO_SAVEPOINT = "Request did not match expected format SavepointTriggerRequestBody."
NO_STOP = "Request did not match expected format StopWithSavepointRequestBody."
NO_DISPOSAL = "Request did not match expected format SavepointDisposalRequest."
NO_CHECKPOINT = "Request did not match expected format CheckpointTriggerRequestBody."
_WHOLE = re.compile(r"-?[0-9]{1,10}")
_RUN_FIELDS = {"allowNonRestoredState", "savepointPath"}
_JAR_FIELDS = {"entryClass", "programArgs", "programArgsList", "parallelism", "jobId"} | _RUN_FIELDS
_RANGE = re.compile(r"([0-9]{1,10})(?:-([0-9]{1,10}))?")


class Mode(StrEnum):
    """How a job is to end."""

    CANCEL = "cancel"
    STOP = "stop"


class Aggregation(StrEnum):
    """What may be made of the values of several things."""

    MIN = "min"
    MAX = "max"
    AVG = "avg"
    SUM = "sum"


def is_legacy(accept: str, query: Mapping[str, str]) -> bool:
    """Say whether a request asks for the older shapes."""
    return LEGACY in accept or is_true(query.get("legacy"))


def is_page(agent: str) -> bool:
    """Return whether a browser asks: a page of a dashboard, which looks for keys of later releases.

    The Java clients send no User-Agent, and their classes refuse any key that they do not know.
    """
    return agent.startswith("Mozilla/")


def is_true(given: str | None) -> bool:
    """Read a boolean of a query; whatever is not `true` is false."""
    return (given or "").lower() == "true"


def mode(given: str | None) -> Mode:
    """Return how a job is to end."""
    try:
        return Mode((given or Mode.CANCEL).lower())
    except ValueError as error:
        raise query_unreadable("mode", given or "") from error


def query_unreadable(name: str, given: str) -> Unreadable:
    """Return the error of a parameter of a query that cannot be read."""
    return Unreadable(
        f'Bad request, could not parse parameters: Cannot resolve query parameter ({name}) from value "{given:.100}".'
    )


def graph_file(request: bytes, files: Iterable[str]) -> str:
    """Return which of the files that were sent describes the job: the one that is named, or the only one."""
    names, wanted = list(files), _named(request)
    if wanted is None and len(names) == 1:
        return names[0]
    if wanted is None or wanted not in names:
        raise Unreadable("The file of the job description was not sent.")
    return wanted


def most_exceptions(given: str | None) -> int | None:
    """Return how many failures a history may have; None for no history, as before there were any."""
    if given is None:
        return None
    if not _COUNT.fullmatch(given):
        raise query_unreadable("maxExceptions", given)
    return min(int(given), MOST_EXCEPTIONS)


def listed(given: Sequence[str]) -> list[str] | None:
    """Return the parts of lists with commas; None if there is no list."""
    parts = [part for each in given for part in each.split(",") if part]
    return parts if any(given) else None


def aggregations(given: Sequence[str]) -> list[Aggregation]:
    """Return what is to be made of values; everything if nothing is named."""
    try:
        return [Aggregation(part.lower()) for part in listed(given) or Aggregation]
    except ValueError as error:
        raise query_unreadable("agg", ",".join(given)) from error


def ranges(given: Sequence[str]) -> list[range] | None:
    """Return the subtasks that lists of numbers and of closed ranges name, such as 0,2-4; None for all."""
    parts = listed(given)
    return None if parts is None else [_range(part) for part in parts]


@dataclass(frozen=True, slots=True)
class JarCall:
    """What is to be run of a program: its arguments as a list, or as one text."""

    entry: str = ""
    text: str = ""
    arguments: Sequence[str] | None = None
    parallelism: int | None = None
    savepoint: str = ""
    lenient: bool = False


def jar_call(query: "MultiValueQuery", body: bytes, expected: str) -> JarCall:
    """Return what is to be run, from a query and a body; of what stands in both the body counts."""
    told = _jar_body(body, expected)
    listed_arguments = told.get("programArgsList") or query.getlist("programArg") or None
    if told.get("programArgs"):
        listed_arguments = told.get("programArgsList") or None
    parallelism = told.get("parallelism")
    return JarCall(
        told.get("entryClass") or query.get("entry-class") or "",
        told.get("programArgs") or query.get("program-args") or "",
        listed_arguments,
        _jar_parallelism(query.get("parallelism")) if parallelism is None else int(parallelism),
        told.get("savepointPath") or query.get("savepointPath") or "",
        _lenient(told.get("allowNonRestoredState"), query.get("allowNonRestoredState")),
    )


def check_heartbeat(body: bytes) -> None:
    """Refuse what is no heartbeat of a client: until when it counts as alive, in milliseconds since 1970."""
    if type(_object(body, {"expiredTimestamp"}, NO_HEARTBEAT).get("expiredTimestamp")) is not int:
        raise Unreadable(NO_HEARTBEAT)


def check_checkpoint(body: bytes) -> None:
    """Refuse what does not ask for a checkpoint: of which type it is to be changes nothing here."""
    _object(body, {"checkpointType", "triggerId"}, NO_CHECKPOINT)


@dataclass(frozen=True, slots=True)
class Saving:
    """A savepoint that is asked for: below which directory, and whether the job ends with it, or drains."""

    directory: str | None
    ending: bool


def saving(body: bytes) -> Saving:
    """Return which savepoint is asked for; `ending` says whether the job is canceled."""
    return _saving(body, "target-directory", "cancel-job", NO_SAVEPOINT)


def stopping(body: bytes) -> Saving:
    """Return with which savepoint a job is to stop; `ending` says whether it drains."""
    return _saving(body, "targetDirectory", "drain", NO_STOP)


def disposing(body: bytes) -> str:
    """Return the path of the savepoint to be deleted."""
    path = _object(body, {"savepoint-path"}, NO_DISPOSAL).get("savepoint-path")
    if path is None:
        raise Unreadable("Field savepoint-path must not be omitted or be null.")
    if not isinstance(path, str):
        raise Unreadable(NO_DISPOSAL)
    return path


def _saving(body: bytes, directory: str, ending: str, unlike: str) -> Saving:
    told = _object(body, {directory, ending, "formatType", "triggerId"}, unlike)
    path, ends = told.get(directory), told.get(ending)
    if not isinstance(path, str | None) or not isinstance(ends, bool | None):
        raise Unreadable(unlike)
    return Saving(path or None, bool(ends))


class MultiValueQuery(Protocol):
    """The parameters of a query, of which some may be repeated."""

    def get(self, name: str) -> str | None:
        """Return the last value of a parameter."""

    def getlist(self, name: str) -> list[str]:
        """Return all values of a parameter."""


def _object(body: bytes, known: Collection[str], unlike: str) -> dict[str, Any]:
    """Return the object that a body holds, empty for none; raises Unreadable for other fields, with this text."""
    try:
        told = json.loads(body.strip() or b"{}")
    except (ValueError, RecursionError) as error:
        raise Unreadable(unlike) from error
    if not isinstance(told, dict) or not told.keys() <= set(known):
        raise Unreadable(unlike)
    return told


def _jar_parallelism(given: str | None) -> int | None:
    if not given:
        return None
    if not _WHOLE.fullmatch(given):
        raise query_unreadable("parallelism", given)
    return int(given)


def _lenient(told: Any, asked: str | None) -> bool:
    return is_true(asked) if told is None else is_true(str(told))


def _jar_body(body: bytes, expected: str) -> dict[str, Any]:
    unlike = f"Request did not match expected format {expected}."
    known = _JAR_FIELDS if expected == "JarRunRequestBody" else _JAR_FIELDS - _RUN_FIELDS
    told = _object(body, known, unlike)
    texts = all(
        isinstance(told.get(name), str | None) for name in known - {"parallelism", "programArgsList", "allowNonRestoredState"}
    )
    listed_texts = told.get("programArgsList") or []
    if not texts or not isinstance(listed_texts, list) or not all(isinstance(each, str) for each in listed_texts):
        raise Unreadable(unlike)
    count = told.get("parallelism")
    if isinstance(count, bool) or not (
        count is None or isinstance(count, int) or (isinstance(count, str) and _WHOLE.fullmatch(count))
    ):
        raise Unreadable(unlike)
    return told


def _range(part: str) -> range:
    found = _RANGE.fullmatch(part)
    if not found:
        raise query_unreadable("subtasks", part)
    return range(int(found[1]), int(found[2] or found[1]) + 1)


def _named(request: bytes) -> str | None:
    told = _object(request, _SUBMITTED, NO_SUBMISSION)
    if not all(value is None or isinstance(value, _SUBMITTED[name]) for name, value in told.items()):
        raise Unreadable(NO_SUBMISSION)
    return told.get("jobGraphFileName")

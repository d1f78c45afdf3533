"""Turn what a user submitted into a JobSpec, or say everything that is wrong with it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import fields, is_dataclass
from enum import StrEnum
from functools import cache
from itertools import islice
from typing import Any

from pydantic import TypeAdapter, ValidationError

from switchyard.scheduling.errors import SHOWN_FAULTS, Fault, InvalidSpec
from switchyard.scheduling.spec import checks, plain
from switchyard.scheduling.spec.environments import Environment
from switchyard.scheduling.spec.faults import translate
from switchyard.scheduling.spec.fields import written_resources
from switchyard.scheduling.spec.limits import Limits, over
from switchyard.scheduling.spec.reading import Format, read
from switchyard.scheduling.spec.types import ForeachFrom, JobSpec, RetryRule, StageSpec

# Takes the place of faulty stages, so that the rest of the job is judged by itself.
_STAND_IN = (StageSpec("stage"),)
_PLAIN = frozenset({str, int, float, bool})


def parse(text: bytes | str, *, format: Format | None = None, limits: Limits | None = None) -> JobSpec:
    """Return the job that a JSON or YAML text describes.

    Raises TooLarge, or InvalidSpec with the first fault of the text, else with the faults of its fields, else
    with those of the job as a whole (limits, stages that do not fit together).
    """
    bounds = limits or Limits()
    return from_data(read(text, format, bounds), limits=bounds)


def from_data(data: object, *, limits: Limits | None = None) -> JobSpec:
    """Return the job that decoded JSON describes; raises as `parse` does."""
    bounds = limits or Limits()
    _raise_any(plain.faults(data, bounds))
    _raise_any(_too_many_stages(data, bounds))
    job = _validated(data)
    _raise_any(checks.faults(job, bounds))
    return job


def require_within(spec: JobSpec, limits: Limits) -> None:
    """Raise InvalidSpec if a stored job is larger than a submission may be now."""
    stages = len(spec.stages)
    if stages > limits.stages:
        raise InvalidSpec([over("stages", f"{stages:,} stages", "stages", limits)])
    _raise_any(checks.size(spec, limits))


def to_json(spec: JobSpec | StageSpec | Environment) -> dict[str, Any]:
    """Return a job, or a part of one, in full as plain JSON; what it gives for a job can be submitted again."""
    written: dict[str, Any] = _written(spec)
    return written


def from_json(data: Mapping[str, Any]) -> JobSpec:
    """Return the job that `to_json` wrote; checks each field but not the whole, so for stored jobs only."""
    return _job().validate_python(data)


def stage_from_json(data: Mapping[str, Any]) -> StageSpec:
    """Return the stage that `to_json` wrote."""
    return _stage().validate_python(data)


def retry_from_json(text: str | None) -> RetryRule:
    """Return the retry rule of a stored job; the default where there is none."""
    return _retry().validate_json(text) if text else RetryRule()


def _too_many_stages(data: object, limits: Limits) -> Iterator[Fault]:
    stages = data.get("stages") if isinstance(data, dict) else None
    if isinstance(stages, list) and len(stages) > limits.stages:
        yield over("stages", f"{len(stages):,} stages", "stages", limits)


def _validated(data: object) -> JobSpec:
    """Validate stage by stage, so that a hundred thousand faults are never all written out."""
    found: list[Fault] = []
    if isinstance(data, dict) and isinstance(data.get("stages"), list):
        stages = list(_valid_stages(data["stages"], found))
        data = data | {"stages": _STAND_IN if found else stages}
    try:
        job = _job().validate_python(data)
    except ValidationError as error:
        found = [*translate(error), *found]
    if found:
        raise InvalidSpec(found)
    return job


def _valid_stages(stages: list[Any], found: list[Fault]) -> Iterator[StageSpec]:
    """Yield the valid stages and add the faults of the others to `found`, until there are enough to show."""
    for at, stage in enumerate(stages):
        try:
            yield _stage().validate_python(stage)
        except ValidationError as error:
            found += translate(error, ("stages", at))
            if len(found) > SHOWN_FAULTS:
                return


def _raise_any(found: Iterator[Fault]) -> None:
    faults = list(islice(found, SHOWN_FAULTS + 1))
    if faults:
        raise InvalidSpec(faults)


def _written(value: Any) -> Any:
    if type(value) in _PLAIN:
        return value
    if isinstance(value, ForeachFrom):
        return {"from": value.stage}
    names = _field_names(type(value))  # type: ignore[arg-type]  # a class has a hash
    if names is not None:
        named = ((name, getattr(value, name)) for name in names)
        return {
            name: held if type(held) in _PLAIN else _written_field(name, held) for name, held in named if held is not None
        }
    return str(value) if isinstance(value, StrEnum) else value


@cache
def _field_names(kind: type[object]) -> tuple[str, ...] | None:
    return tuple(field.name for field in fields(kind)) if is_dataclass(kind) else None


def _written_field(name: str, value: Any) -> Any:
    if name == "resources":
        return written_resources(value)
    if name == "files":
        return {path: _written(file) for path, file in value.items()}
    return [_written(item) for item in value] if isinstance(value, tuple) else _written(value)


@cache
def _job() -> TypeAdapter[JobSpec]:
    return TypeAdapter(JobSpec)


@cache
def _retry() -> TypeAdapter[RetryRule]:
    return TypeAdapter(RetryRule)


@cache
def _stage() -> TypeAdapter[StageSpec]:
    return TypeAdapter(StageSpec)

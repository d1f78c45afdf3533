"""Where an answer is unlike what documentation shows: a schema, or a sample."""

from collections.abc import Iterator, Mapping
from typing import Any

#: Fields that are there only in some states.
OPTIONAL = {"job-execution-result", "backpressure-level", "end-timestamp", "subtasks", "inputs", "local_strategy"}
#: Told otherwise by every release than its documentation says; named by users; empty as there is no optimizer.
OPEN = {"plan", "user-config", "optimizer_properties"}
TYPES: Mapping[str, tuple[type, ...]] = {
    "object": (dict,),
    "array": (list,),
    "string": (str,),
    "integer": (int,),
    "number": (int, float),
    "boolean": (bool,),
}


def known(schema: Any) -> dict[str, Any]:
    """Return the parts of a schema that others refer to, by their ids."""
    if isinstance(schema, list):
        return {name: part for each in schema for name, part in known(each).items()}
    if not isinstance(schema, dict):
        return {}
    own = {schema["id"]: schema} if isinstance(schema.get("id"), str) else {}
    return own | {name: part for each in schema.values() for name, part in known(each).items()}


def differences(value: Any, given: Mapping[str, Any], parts: Mapping[str, Any], at: str = "") -> Iterator[str]:
    """Yield where a value is not as a schema says."""
    schema: Mapping[str, Any] = parts.get(given.get("$ref", ""), given)
    kind = schema.get("type", "any")
    if value is None or kind == "any":
        return
    if not _is(value, TYPES[kind]) or (_is(value, (bool,)) and kind != "boolean"):
        yield f"{at} is {value!r:.80}, no {kind}"
        return
    if "enum" in schema and value not in schema["enum"]:
        yield f"{at} is {value!r}, none of {schema['enum']}"
    for name, part in schema.get("properties", {}).items() if kind == "object" else ():
        if name not in value:
            yield from () if name in OPTIONAL else (f"{at} lacks {name}",)
        elif name not in OPEN:
            yield from differences(value[name], part, parts, f"{at}.{name}")
    for each in value if kind == "array" else ():
        yield from differences(each, schema["items"], parts, f"{at}[]")


def unlike(value: Any, sample: Any, at: str = "") -> Iterator[str]:
    """Yield where a value lacks fields of a sample, or has others types; null is of any type."""
    if value is None or sample is None:
        return
    kinds: tuple[type, ...] = (int, float) if isinstance(sample, float) else (type(sample),)
    if not _is(value, kinds):
        yield f"{at} is {value!r:.80}, unlike {sample!r:.80}"
    elif isinstance(sample, dict):
        yield from (f"{at} lacks {name}" for name in sample if name not in value and name not in OPTIONAL)
        for name in (sample.keys() & value.keys()) - OPEN:
            yield from unlike(value[name], sample[name], f"{at}.{name}")
    elif isinstance(sample, list) and sample:
        for each in value:
            yield from unlike(each, sample[0], f"{at}[]")


def _is(value: object, kinds: tuple[type, ...]) -> bool:
    return isinstance(value, kinds)

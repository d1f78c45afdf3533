"""The JSON Schema (draft 2020-12) of a job description, from the same annotations that validate it."""

from __future__ import annotations

from typing import Any

from pydantic import TypeAdapter
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue
from pydantic_core import core_schema
from typing_extensions import override

from switchyard.scheduling.spec.types import JobSpec


def json_schema() -> dict[str, Any]:
    """Return the schema of what a user may submit; what spans several fields only the server checks."""
    schema = TypeAdapter(JobSpec).json_schema(schema_generator=_Generator)
    return {"$schema": GenerateJsonSchema.schema_dialect, **schema, "title": "Switchyard job"}


class _Generator(GenerateJsonSchema):
    """Says that keys outside their pattern are refused, and leaves titles away that only repeat a name."""

    @override
    def dict_schema(self, schema: core_schema.DictSchema) -> JsonSchemaValue:
        written = super().dict_schema(schema)
        return written | {"additionalProperties": False} if "patternProperties" in written else written

    @override
    def field_title_should_be_set(self, schema: Any) -> bool:
        return False
